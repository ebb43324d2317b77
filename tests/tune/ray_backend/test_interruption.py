"""A sweep that is ended by real signals, through the real command line: in good order, and it can go on."""

import json
import os
import signal

import pytest

from tests.tune.service import DEADLINE, foretune, leaderboard_of, start_foretune, toy_sweep, wait_for_epoch

pytestmark = pytest.mark.sweeps


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="POSIX signals")
def test_an_interrupted_sweep_ends_in_good_order_and_can_be_extended(tmp_path):
    """SIGINT, then SIGTERM to the whole group as from `timeout` or systemd, then a resume with one more trial."""
    folder = tmp_path / "ray_results" / "night"
    process = start_foretune(*toy_sweep("night"), "--trials", "2", cwd=tmp_path)
    wait_for_epoch(process, folder, "t0000", 1)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=DEADLINE) == 130
    assert "foretune resume night" in (tmp_path / "log.txt").read_text()
    assert len(list((folder / "tensorboard" / "zero-shot").iterdir())) == 1

    process = start_foretune("resume", "night", cwd=tmp_path)
    wait_for_epoch(process, folder, "t0001", 0)  # ASHA will stop it at epoch 1
    os.killpg(process.pid, signal.SIGTERM)
    assert process.wait(timeout=DEADLINE) == 130
    assert "foretune resume night" in (tmp_path / "log.txt").read_text()

    done = foretune("resume", "night", "--trials", "3", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    board = leaderboard_of("night", tmp_path)
    assert sorted(t["trial_id"] for t in board["trials"]) == ["t0000", "t0001", "t0002"]
    assert all(t["status"] in ("completed", "stopped") for t in board["trials"])
    runs = {path.name.split()[0]: path for path in (folder / "tensorboard").iterdir()}
    assert {"sweep", "zero-shot", "t0000", "t0001", "t0002"} <= runs.keys()
    assert {len(list(runs[name].glob("*"))) for name in ("sweep", "zero-shot")} == {1}  # the earlier ones are replaced


@pytest.mark.slow  # its clock alone: test_clock.py
def test_a_time_budget_ends_the_search_in_good_order_and_what_was_found_is_exported(tmp_path):
    folder = tmp_path / "ray_results" / "a 50%?"
    done = foretune(*toy_sweep("brief"), "--trials", "200", "--time-budget", "15s", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "the time budget is used up; more: foretune resume brief --time-budget 1h" in done.stdout
    brief = tmp_path / "ray_results" / "brief"
    clock = json.loads((brief / "clock.json").read_text())
    assert clock["ended"] == "time budget"
    assert 15 <= clock["seconds"] < 30
    for name in ("best/model.safetensors", "test_scores.json", "report.html", "leaderboard.csv"):
        assert (brief / name).is_file(), name
    board = leaderboard_of("brief", tmp_path)
    assert board["trials"][0]["rank"] == 1

    brief.rename(folder)  # another name, with all that means something in a URL
    again = foretune("resume", folder.name, cwd=tmp_path)
    assert again.returncode == 0, again.stdout + again.stderr
    assert "foretune resume 'a 50%?' --time-budget 1h" in again.stdout
    more = foretune("resume", folder.name, "--time-budget", "1s", cwd=tmp_path)
    assert more.returncode == 0, more.stdout + more.stderr
    assert json.loads((folder / "sweep.json").read_text())["time_budget_seconds"] == clock["seconds"] + 1
    before = {t["trial_id"]: t for t in board["trials"] if t["status"] != "interrupted"}
    after = {t["trial_id"]: t for t in leaderboard_of(folder.name, tmp_path)["trials"]}
    assert {name: after[name]["val_loss"] for name in before} == {name: t["val_loss"] for name, t in before.items()}
    assert len(after) > len(before)
    assert (folder / "study.db").is_file()
