"""Whole sweeps through the real command line: real Ray, real Optuna, a real kill, a model from outside."""

import json

import optuna
import psutil
import pytest

from tests.tune.service import (
    foretune,
    kill_all,
    leaderboard_of,
    repeatable,
    start_foretune,
    toy_sweep,
    wait_for_epoch,
)
from tune.records.journal import read_record, read_records
from tune.records.sweep_folder import SweepFolder
from tune.records.timeline import read_timeline, time_spent

pytestmark = pytest.mark.sweeps


def exposed_listeners(pid):
    """The addresses beyond loopback on which a process or a child of it listens."""
    family = {pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))}
    listening = [c for c in psutil.net_connections("inet") if c.status == psutil.CONN_LISTEN and c.pid in family]
    assert listening
    return [c.laddr for c in listening if c.laddr.ip not in ("127.0.0.1", "::1", "::ffff:127.0.0.1")]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """One sweep of the toy, never interrupted: (folder, working directory, what it printed)."""
    cwd = tmp_path_factory.mktemp("finished")
    done = foretune(*toy_sweep("whole"), cwd=cwd)
    assert done.returncode == 0, done.stdout + done.stderr
    return cwd / "ray_results" / "whole", cwd, done.stdout


def test_every_second_of_a_sweep_is_on_its_timeline(finished):
    folder, _, _ = finished
    found = time_spent(read_timeline(SweepFolder(folder).timeline))
    trained = [len(record.trained) for record in read_records(SweepFolder(folder))]
    assert found.counts["training"] == found.counts["evaluation"] == sum(trained)
    assert found.counts["set-up"] == len(trained)
    assert found.counts["Ray's start"] == found.counts["conclusion"] == 1
    assert sum(found.seconds.values()) == pytest.approx(found.wall)
    assert min(found.seconds.values()) >= 0
    assert len(found.hand_overs) == len(trained) - 1


def test_a_model_is_added_by_one_file_and_one_yaml(finished):
    folder, _, _ = finished
    assert len(read_records(SweepFolder(folder))) == 5
    assert json.loads((folder / "sweep.json").read_text())["trainable"].endswith("toy_model.py:Toy")


def test_a_finished_sweep_leaves_the_tree_that_it_promises(finished):
    folder, _, _ = finished
    for name in (
        "sweep.json",
        "study.db",
        "leaderboard.csv",
        "report.html",
        "best/model.safetensors",
        "best/README.md",
    ):
        assert (folder / name).is_file(), name
    for record in read_records(SweepFolder(folder)):
        for name in ("params.json", "result.json", "progress.csv"):
            assert (folder / record.trial_id / name).is_file(), name
        assert list((folder / "tensorboard").glob(f"{record.trial_id} */events.out.tfevents.*"))


def test_every_curve_starts_at_the_same_zero_shot(finished):
    folder, _, _ = finished
    first, *others = [record.initial.scores for record in read_records(SweepFolder(folder))]
    assert all(scores == first for scores in others)
    assert len(list((folder / "shared" / "initial").glob("*.json"))) == 1


def test_the_first_trials_are_the_recommended_points(finished):
    folder, _, _ = finished
    assert [r.hyper["lr"] for r in read_records(SweepFolder(folder))[:3]] == [1e-2, 1e-4, 2e-2]


def test_the_poor_trial_is_stopped_and_pruned(finished):
    folder, _, _ = finished
    slow = read_record(SweepFolder(folder).trial("t0001"))
    assert slow.stopped_by == "asha"
    study = optuna.load_study(study_name="sweep", storage=f"sqlite:///{folder / 'study.db'}")
    assert study.trials[1].state == optuna.trial.TrialState.PRUNED
    assert study.trials[0].state == optuna.trial.TrialState.COMPLETE


def test_the_winner_is_the_best_epoch_and_beats_zero_shot(finished):
    folder, cwd, printed = finished
    board = leaderboard_of("whole", cwd)
    assert board["verdict"]["text"] == "beats zero-shot"
    best = board["trials"][0]
    reports = read_record(SweepFolder(folder).trial(best["trial_id"])).trained
    assert best["val_loss"] == min(report.scores.val_loss for report in reports)
    assert best["gain"] == pytest.approx(board["zero_shot"]["val_loss"] - best["val_loss"])
    beside = ("zero-shot", "seasonal-naive")
    tested = [*beside, *(t["trial_id"] for t in board["trials"][:3])]
    used = board["verdict"]["candidate"]
    assert list(board["test"]) == [*tested, *([used] if used not in tested else [])]
    assert [b["name"] for b in board["baselines"]] == ["seasonal-naive"]
    assert "foretune tensorboard whole" in printed


def test_no_trial_keeps_its_optimiser_after_its_end(finished):
    """The optimiser's state is twice the model's size and of use only for going on."""
    folder, _, _ = finished
    assert not list(folder.glob("t*/checkpoint_*"))
    assert list(folder.glob("t*/best_*"))


@pytest.mark.slow  # one kill is in tests/chaos
def test_the_same_seed_gives_the_same_leaderboard_and_a_kill_changes_nothing(finished, tmp_path):
    """SIGKILL to driver and workers in the middle of the third trial, then resume: as if nothing had been."""
    _, cwd, _ = finished
    folder = tmp_path / "ray_results" / "cut"
    process = start_foretune(*toy_sweep("cut"), cwd=tmp_path)
    wait_for_epoch(process, folder, "t0000", 1)
    assert not exposed_listeners(process.pid), "Ray listens beyond loopback"
    wait_for_epoch(process, folder, "t0002", 1)  # the second ends it
    kill_all(process)
    before = read_records(SweepFolder(folder))
    assert [record.is_finished for record in before] == [True, True, False]
    lines_before = {r.trial_id: (folder / r.trial_id / "result.json").read_text() for r in before}

    done = foretune("resume", "cut", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "t0002 goes on" in done.stdout
    for record in before:
        lines = (folder / record.trial_id / "result.json").read_text()
        assert lines.startswith(lines_before[record.trial_id])
        epochs = [json.loads(line)["epoch"] for line in lines.splitlines()]
        assert epochs == sorted(set(epochs)), "an epoch was run twice"
    assert repeatable(leaderboard_of("cut", tmp_path)) == repeatable(leaderboard_of("whole", cwd))
