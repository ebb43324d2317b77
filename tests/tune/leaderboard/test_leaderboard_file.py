"""The specification of tune/leaderboard/leaderboard_file.py: the file follows the trials, and never costs much."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from tests.tune.reports import config, report, to_its_end
from tune.leaderboard import leaderboard_file
from tune.leaderboard.leaderboard_file import LeaderboardFile
from tune.records.journal import Journal
from tune.records.sweep_folder import SweepFolder


class Clock:
    """A clock that goes on by itself only while the leaderboard is written."""

    def __init__(self) -> None:
        self.now, self.a_write_takes = 100.0, 0.0

    def monotonic(self) -> float:
        return self.now


class Spec:
    metric, initial_name = "val_loss", "zero-shot"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(leaderboard_file, "time", clock)
    written = leaderboard_file.Leaderboard.write_csv

    def write(board, folder) -> None:
        written(board, folder)
        clock.now += clock.a_write_takes

    monkeypatch.setattr(leaderboard_file.Leaderboard, "write_csv", write)
    return clock


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(SweepFolder(tmp_path))


def end_a_trial(journal: Journal, file: LeaderboardFile, trial_id: str, loss: float) -> None:
    journal.start(config(trial_id, {"lr": 1e-5}))
    for each in to_its_end([1.0, loss]):
        journal.append(trial_id, each)
        file.trial_reported(trial_id, each)
    file.trial_ended(trial_id)


def ranked(folder: SweepFolder) -> list[str]:
    with folder.leaderboard.open(newline="") as file:
        return [row["trial_id"] for row in csv.DictReader(file) if row["rank"]]


def test_a_trials_end_is_in_the_file_at_once_and_the_next_two_seconds_later(journal: Journal, clock: Clock) -> None:
    file = LeaderboardFile(Spec, journal)
    end_a_trial(journal, file, "t0000", 0.5)
    assert ranked(journal.folder) == ["t0000"]
    end_a_trial(journal, file, "t0001", 0.25)
    clock.now += 1.9
    file.tick()
    assert ranked(journal.folder) == ["t0000"]
    clock.now += 0.2
    file.tick()
    assert ranked(journal.folder) == ["t0001", "t0000"]


def test_a_write_that_takes_long_is_made_less_often(journal: Journal, clock: Clock) -> None:
    file = LeaderboardFile(Spec, journal)
    clock.a_write_takes = 0.01  # a thousandth of ten seconds
    end_a_trial(journal, file, "t0000", 0.5)
    end_a_trial(journal, file, "t0001", 0.25)
    clock.now += 9.8
    file.tick()
    assert ranked(journal.folder) == ["t0000"]
    clock.now += 0.3
    file.tick()
    assert ranked(journal.folder) == ["t0001", "t0000"]


def test_what_is_behind_is_written_at_the_end(journal: Journal, clock: Clock) -> None:
    file = LeaderboardFile(Spec, journal)
    end_a_trial(journal, file, "t0000", 0.5)
    end_a_trial(journal, file, "t0001", 0.25)
    file.close()
    assert ranked(journal.folder) == ["t0001", "t0000"]


def test_nothing_is_written_while_no_trial_has_ended(journal: Journal, clock: Clock) -> None:
    file = LeaderboardFile(Spec, journal)
    file.trial_started(config("t0000", {}))
    file.trial_reported("t0000", report(0, 1.0))
    file.tick()
    file.close()
    assert not journal.folder.leaderboard.exists()
