"""Which trials' weights stay on the disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tune.reports import config, report
from trainables.trial.folders import WEIGHTS_FILE, WINDOWS_FILE
from tune.records.journal import Journal
from tune.records.retention import Retention
from tune.records.sweep_folder import SweepFolder


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(SweepFolder(tmp_path))


def train(journal: Journal, trial_id: str, loss: float | None, stopped_by: str | None = "epochs") -> None:
    """A trial with the weights of its best epoch, if it has one."""
    journal.start(config(trial_id, {"lr": 1e-4}))
    journal.append(trial_id, report(0, 1.0))
    journal.append(trial_id, report(1, loss, stopped_by=stopped_by))
    if loss is not None:
        best = journal.folder.trial(trial_id).path / "best_000001"
        best.mkdir(exist_ok=True)
        for name in (WEIGHTS_FILE, WINDOWS_FILE):
            (best / name).write_text("x")


def kept(journal: Journal) -> list[str]:
    return sorted(path.parents[1].name for path in journal.folder.path.rglob(WEIGHTS_FILE))


def test_the_weights_of_the_best_stay_and_the_errors_of_all_windows(journal: Journal) -> None:
    retention = Retention(journal, keep=2)
    for number, loss in enumerate([0.5, 0.4, 0.6, 0.3]):
        train(journal, f"t000{number}", loss)
        retention.trial_ended(f"t000{number}")
    assert kept(journal) == ["t0001", "t0003"]
    assert len(list(journal.folder.path.rglob(WINDOWS_FILE))) == 4


def test_a_trial_that_runs_keeps_its_weights_however_bad_they_are(journal: Journal) -> None:
    for trial_id, loss in (("t0000", 0.1), ("t0001", 0.2)):
        train(journal, trial_id, loss)
    train(journal, "t0002", 0.9, stopped_by=None)
    train(journal, "t0003", None)  # diverged in its first epoch
    Retention(journal, keep=1).trial_ended("t0003")
    assert kept(journal) == ["t0000", "t0002"]


def test_repeats_and_what_they_repeat_stay(journal: Journal) -> None:
    for trial_id, loss in (("t0000", 0.1), ("t0001", 0.2), ("t0002", 0.3), ("t0001-r1", 0.9)):
        train(journal, trial_id, loss)
    Retention(journal, keep=1).trial_ended("t0001-r1")
    assert kept(journal) == ["t0000", "t0001", "t0001-r1"]


def test_all_stay_where_nobody_asks(journal: Journal) -> None:
    for number in range(3):
        train(journal, f"t000{number}", 0.1)
        Retention(journal, keep=None).trial_ended(f"t000{number}")
    assert len(kept(journal)) == 3


def test_equal_trials_keep_the_first(journal: Journal) -> None:
    for number in range(3):
        train(journal, f"t000{number}", 0.1)
    Retention(journal, keep=1).trial_ended("t0002")
    assert kept(journal) == ["t0000"]
