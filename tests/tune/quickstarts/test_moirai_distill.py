"""Distillation end to end on the bundled corpus, cut short: what a student keeps of its teacher, and what comes out."""

import json
import sys
from pathlib import Path

import pytest

from data.samples.bundled import SAMPLES
from tests.tune.service import foretune, leaderboard_of
from trainables.moirai_distill import Student
from tune.cli import main as cli
from tune.planning.plan import plan_sweep
from tune.planning.request import SweepRequest, check_request

CORPUS = SAMPLES["corpus"]
SWEEP = (
    *(
        "sweep",
        "moirai-distill-quickstart",
        "--name",
        "d",
        "--max-windows",
        "240",
        "--max-eval-windows",
        "30",
        "--trials",
        "2",
        "--seed",
        "0",
    ),
    *("--set", "epochs=1", "--set", "batch_size=16", "--set", "num_samples=20"),
)

pytestmark = pytest.mark.sweeps


@pytest.fixture(scope="module")
def distilled(tmp_path_factory):
    """A sweep: its working directory, and what it printed."""
    cwd = tmp_path_factory.mktemp("distilled")
    done = foretune(*SWEEP, cwd=cwd)
    assert done.returncode == 0, done.stdout + done.stderr
    return cwd, done.stdout


@pytest.fixture
def here(monkeypatch, capsys):
    """Run a command line in this process: (exit status, output, errors)."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["foretune", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return ended.value.code or 0, *capsys.readouterr()

    return run


def test_what_was_filled_and_how_many_windows_are_reported_before_it_starts(distilled):
    _, printed = distilled
    head = printed[: printed.index("t0000 starts")]
    assert "note: 16 missing or infinite values interpolated in 2 of 12 files: meter_05.csv 12, meter_10.csv 4" in head
    assert "240 train (stride 8), 30 validation and 30 test" in head
    assert "split series" in head


def test_the_teacher_and_the_naive_stand_on_the_leaderboard(distilled):
    cwd, printed = distilled
    board = leaderboard_of("d", cwd)
    assert {b["name"] for b in board["baselines"]} == {"teacher", "seasonal-naive"}
    assert all(b["val_mse"] > 0 for b in board["baselines"])
    assert all(trial["extra"]["val_distill"] > 0 for trial in board["trials"])
    assert "teacher" in board["test"]
    for line in ("teacher's gain: ", "parameters: ", "forecasts a second: "):
        assert f"\n{line}" in printed
    assert "untrained val_loss" in printed


@pytest.mark.slow  # counted, without Ray: tests/trainables/moirai_distill/test_teacher.py
def test_the_teachers_forecasts_are_not_made_again_by_a_resume(distilled):
    cwd, _ = distilled
    features = cwd / "ray_results" / "d" / "shared" / "features"
    before = {file.name: file.stat().st_mtime_ns for file in features.glob("*.npy")}
    assert len(before) == 2
    more = foretune("resume", "d", "--trials", "3", cwd=cwd)
    assert more.returncode == 0, more.stdout + more.stderr
    assert {file.name: file.stat().st_mtime_ns for file in features.glob("*.npy")} == before


def test_the_export_is_a_student_that_evaluates_to_the_leaderboards_figures(distilled, here):
    cwd, _ = distilled
    best = leaderboard_of("d", cwd)["trials"][0]
    folder = cwd / "ray_results" / "d" / "best"
    assert Student.from_pretrained(folder).config.context_length == 256
    status, output, errors = here("evaluate", folder, "--json")
    assert status == 0, errors
    told = json.loads(output)
    assert told["scaled"]["mse"] == pytest.approx(best["val_mse"], rel=1e-5)
    assert told["scaled"]["mae"] == pytest.approx(best["val_mae"], rel=1e-5)
    assert "content has changed" not in errors + output
    assert "teacher" in (folder / "README.md").read_text()


def test_other_data_are_measured_whole(distilled, here):
    """The sweep's draw of windows goes with its own data."""
    cwd, _ = distilled
    told = json.loads(here("evaluate", cwd / "ray_results" / "d" / "best", "--data", "sample", "--json")[1])
    rows, context, prediction, stride = 2880, 256, 64, 16
    assert told["windows"] == 8 * ((rows - context - prediction) // stride + 1)


def test_a_checkpoint_gone_on_from_sets_the_sizes_for_every_trial(distilled, here, tmp_path):
    best = distilled[0] / "ray_results" / "d" / "best"
    command = ("sweep", "moirai-distill-quickstart", "--set", f"pretrained={best}", "--dry-run", "--storage", tmp_path)
    status, _, errors = here(*command)
    assert status == 2
    assert "sizes must be those of" in errors
    sizes = json.loads((best / "config.json").read_text())
    fixed = [word for name in ("d_model", "n_layers") for word in ("--set", f"{name}={sizes[name]}")]
    status, _, errors = here(*command, *fixed)
    assert status == 0, errors


def test_the_seed_draws_the_windows():
    drawn = []
    for seed in ("0", "5"):
        request = SweepRequest(space="moirai-distill-quickstart", task={"max_windows": 50}, sweep={"seed": int(seed)})
        drawn.append(plan_sweep(check_request(request)).task.train.starts.tolist())
    assert drawn[0] != drawn[1]
    assert len(drawn[0]) == len(drawn[1]) == 50


def test_the_export_predicts_any_series_of_the_corpus(distilled, here):
    cwd, _ = distilled
    name = next(CORPUS.glob("*.csv"))
    column = name.read_text().splitlines()[0].split(",")[1]
    status, output, errors = here(
        "predict", cwd / "ray_results" / "d" / "best", "--series", f"{name.stem}/{column}", "--json"
    )
    assert status == 0, errors
    assert len(json.loads(output)["values"]) == 64


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--max-files", "2"), "bring more files, or take --split time"),
        (("--max-files", "0"), "--max-files must be 1 or more, got 0"),
        (("--data", "sample", "--max-files", "2"), "--max-files is for a folder of files"),
        (("--max-windows", "0"), "--max-windows"),
        (("--set", "alpha=1.5"), "alpha"),
        (("--set", "teacher=nowhere"), "nowhere"),
        (("--set", "d_model=30"), "d_model"),
        (
            ("--set", "num_samples=choice:10,20"),
            "num_samples=choice:10,20: must be one value, the same for all trials",
        ),
    ],
)
def test_what_cannot_be_is_one_message(arguments, message, here, tmp_path):
    status, _, errors = here("sweep", "moirai-distill-quickstart", *arguments, "--dry-run", "--storage", tmp_path)
    assert status == 2
    assert message in errors
    assert not list(Path(tmp_path).iterdir())


@pytest.mark.slow
def test_the_quickstarts_best_student_is_within_a_tenth_of_its_teacher(tmp_path):
    done = foretune("sweep", "moirai-distill-quickstart", "--name", "d", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    board = leaderboard_of("d", tmp_path)
    teacher = next(b["val_mse"] for b in board["baselines"] if b["name"] == "teacher")
    assert board["trials"][0]["val_mse"] < 1.1 * teacher
