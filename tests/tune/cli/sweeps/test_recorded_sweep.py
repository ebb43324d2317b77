"""Commands on a sweep that is on the disk, or is not: status, resume, export."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.tune.cli.command_line import Ended, Foretune, write
from tests.tune.reports import to_its_end, write_trial
from trainables.timeline import Activity, Timeline
from tune.leaderboard.leaderboard import Leaderboard
from tune.records.sweep_folder import SweepFolder


@pytest.mark.parametrize("command", ["resume", "leaderboard", "export", "tensorboard"])
def test_a_sweep_that_is_not_there_gets_near_names(rejected: Callable[..., str], night1: Path, command: str) -> None:
    more = ("--to", night1.parent / "out") if command == "export" else ()
    message = rejected(command, "nigth1", *more, storage=night1.parent)
    assert message == f"no sweep named 'nigth1' in {night1.parent}; there are night1; did you mean 'night1'?"


def test_an_empty_storage_says_how_to_begin(foretune: Foretune, rejected: Callable[..., str], tmp_path: Path) -> None:
    none = tmp_path / "none"
    ended = foretune("status", "--storage", none)
    assert ended == Ended(0, f"no sweep in {none} yet; start one: foretune sweep --storage {none}\n", "")
    assert rejected("resume", "night1").endswith("there is none yet")


def test_status_tells_how_far_a_sweep_is_and_how_it_stands(foretune: Foretune, night1: Path) -> None:
    ended = foretune("status", "--storage", night1.parent)
    assert ended.status == 0
    line = next(line for line in ended.out.splitlines() if line.strip().startswith("night1"))
    assert re.split(r"\s{2,}", line.strip())[:7] == [
        "night1", "can be resumed", "3 of 24", "val_loss", "0.5", "0.4", "t0001",
    ]  # fmt: skip


def test_status_shows_where_the_time_of_a_sweep_went(foretune: Foretune, night1: Path) -> None:
    timeline = Timeline(SweepFolder(night1).timeline)
    timeline.write(Activity.SESSION, 100.0, 200.0)
    Timeline(timeline.file, "t0000").write(Activity.TRAINING, 110.0, 150.0)
    ended = foretune("status", "night1", "--timeline", "--storage", night1.parent)
    assert ended.status == 0
    rows = [re.split(r"\s{2,}", line.strip()) for line in ended.out.splitlines()]
    assert ["training", "40.0", "40.0%", "1"] in rows
    assert ["together", "100.0"] in rows
    assert "training and evaluation: 40% of the clock" in ended.out


@pytest.mark.parametrize("typed", ["paper", "t0000", "t0000_paper"])
def test_a_trial_of_a_named_point_is_found_by_its_name_or_its_number(
    foretune: Foretune, new_sweep: Path, typed: str
) -> None:
    write_trial(new_sweep, "t0000_paper", {"lr": 1e-5}, to_its_end([0.5, 0.25]))
    ended = foretune("log", "night1", typed, "--storage", new_sweep.parent)
    assert ended.status == 0
    assert "t0000_paper ended (epochs)" in ended.out
    assert "t0000_paper" in foretune("leaderboard", "night1", "--storage", new_sweep.parent).out
    (found,) = SweepFolder(new_sweep).trials()
    line = Leaderboard.read(SweepFolder(new_sweep), metric="val_loss", sweep_is_running=False).find(typed)
    assert line is not None
    assert line.trial_id == found.trial_id


def test_a_sweep_of_before_has_no_timeline(foretune: Foretune, night1: Path, rejected: Callable[..., str]) -> None:
    ended = foretune("status", "night1", "--timeline", "--storage", night1.parent)
    assert "night1: no timeline on record" in ended.out
    assert "did you mean 'night1'?" in rejected("status", "nigth1", storage=night1.parent)


def test_a_sweep_without_trials_has_nothing_to_export(rejected: Callable[..., str], new_sweep: Path) -> None:
    message = rejected("export", "night1", "--to", new_sweep.parent / "out", storage=new_sweep.parent)
    assert message.startswith("night1 has no trial that has trained for an epoch")
    assert "foretune resume night1" in message


def test_export_never_writes_into_a_folder_that_holds_something(rejected: Callable[..., str], night1: Path) -> None:
    target = night1.parent.parent / "out"
    target.mkdir()
    write(target, "mine.txt", "precious")
    message = rejected("export", "night1", "--to", target, storage=night1.parent)
    assert message == f"--to must name a new or an empty folder, and {target} is not; choose another"


@pytest.mark.parametrize(
    ("trial", "told"),
    [
        ("t0000", "t0000 does not beat zero-shot on val_loss: keep the model it started from"),
        ("t0002", "t0002 has not trained for an epoch"),
        ("t9", "night1 has no trial t9; its trials are t0001, t0000, t0002, t0003"),
    ],
)
def test_export_refuses_a_trial_that_is_no_gain(
    rejected: Callable[..., str], night1: Path, trial: str, told: str
) -> None:
    assert told in rejected("export", "night1", "--trial", trial, "--to", night1.parent / "out", storage=night1.parent)


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (("--trials", "2"), "--trials must be at least 4, the trials on record, got 2"),
        (("--trials", "x"), "--trials must be a whole number, got 'x'; see foretune resume --help"),
        (("--time-budget", "soon"), "--time-budget must be a duration like 2h, 90m or 1h30m, got 'soon'"),
    ],
)
def test_resume_refuses_what_it_cannot_honour(
    rejected: Callable[..., str], night1: Path, flags: tuple[str, str], told: str
) -> None:
    assert rejected("resume", "night1", *flags, storage=night1.parent) == told


def test_a_damaged_sweep_is_reported_by_its_file(rejected: Callable[..., str], night1: Path) -> None:
    write(night1, "sweep.json", "{")
    message = rejected("leaderboard", "night1", storage=night1.parent)
    assert message.startswith(f"{night1 / 'sweep.json'}: cannot be read as a sweep")
