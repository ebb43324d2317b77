"""What `resume`, `finish` and `report` do to a sweep's folder before and without a search."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from data.errors import UserError
from tests.paths import REPOSITORY
from tests.tune.cli.command_line import Foretune
from tests.tune.reports import config
from tune.cli import sweep_steps
from tune.command_text import STORAGE, command_text
from tune.records.journal import Journal, read_records
from tune.records.search_time import Ending, SearchTime
from tune.records.sweep_folder import SweepFolder
from tune.sweep import Sweep


@pytest.fixture
def searched(foretune: Foretune, monkeypatch: pytest.MonkeyPatch) -> list[Sweep]:
    """The sweeps whose search would have begun."""
    sweeps: list[Sweep] = []

    def search(sweep: Sweep, console: object, **_: object) -> int:
        sweeps.append(sweep)
        return 0

    monkeypatch.setattr(sweep_steps, "_run", search)
    return sweeps


def resume(foretune: Foretune, folder: Path, *flags: object) -> str:
    ended = foretune("resume", folder.name, *flags, "--storage", folder.parent)
    assert (ended.status, ended.err) == (0, "")
    return ended.out


def test_an_hour_more_is_added_to_what_is_left(foretune: Foretune, searched: list[Sweep], night1: Path) -> None:
    """Of two hours, half an hour is used: an hour and a half is left, two and a half then, from now on."""
    folder = SweepFolder(night1)
    Sweep.open(night1.parent, "night1").spec.model_copy(update={"time_budget_seconds": 7200.0}).write(folder)
    SearchTime(1800.0, Ending.INTERRUPTED).write(folder)
    resume(foretune, night1, "--time-budget", "1h")
    assert searched[0].spec.time_budget_seconds == 7200 + 3600
    SearchTime(20_000.0, Ending.TIME_BUDGET).write(folder)  # used up, and the last epoch ran on
    resume(foretune, night1, "--time-budget", "1h")
    assert searched[1].spec.time_budget_seconds == 20_000 + 3600


def test_another_share_of_the_machine_is_taken_and_the_rest_stays(
    foretune: Foretune, searched: list[Sweep], night1: Path
) -> None:
    before = Sweep.open(night1.parent, "night1").spec
    resume(foretune, night1, "--max-concurrent", 2, "--gpus", 0, "--gpu-memory", "6GB")
    after = Sweep.open(night1.parent, "night1").spec
    changed = {"max_concurrent": 2, "gpus": 0, "gpu_memory_bytes": 6_000_000_000}
    assert after == before.model_copy(update=changed) == searched[0].spec


def test_failed_trials_are_run_again_only_when_asked_for(
    foretune: Foretune, searched: list[Sweep], night1: Path
) -> None:
    journal = Journal(SweepFolder(night1))
    journal.start(config("t0004", {"lr": 1e-5}))
    journal.fail("t0004", "the model's folder is missing")
    resume(foretune, night1)
    assert [r.trial_id for r in read_records(SweepFolder(night1)) if not r.is_finished] == ["t0003"]
    assert "1 failed trials are run again" in resume(foretune, night1, "--retry-failed")
    assert [r.trial_id for r in read_records(SweepFolder(night1)) if not r.is_finished] == ["t0003", "t0004"]


def test_the_best_are_repeated_after_the_fact(foretune: Foretune, searched: list[Sweep], night1: Path) -> None:
    ended = foretune("repeat", "night1", "--top", 1, "--seeds", 2, "--storage", night1.parent)
    assert (ended.status, ended.err) == (0, "")
    (sweep,) = searched
    left = sweep.spec.repetition.left(read_records(sweep.folder))
    assert [each.trial_id for each in left] == ["t0001-r1", "t0001-r2"]
    assert sweep.spec.planned_trials == 24 + 2
    assert sweep.unfinished_trials() == 21 + 2  # t0003 and twenty more of the search


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--top", 0), "--top must be from 1 to 100, got 0"),
        (("--seeds", -1), "--seeds must be from 1 to 100, got -1"),
        (("--seeds", 1000), "--seeds must be from 1 to 100, got 1000"),
    ],
)
def test_repeats_out_of_range_are_rejected(
    rejected: Callable[..., str], night1: Path, flags: tuple[object, ...], message: str
) -> None:
    assert rejected("repeat", "night1", *flags, storage=night1.parent) == message


def test_a_sweep_without_a_trained_trial_has_nothing_to_repeat(rejected: Callable[..., str], new_sweep: Path) -> None:
    message = rejected("repeat", "night1", storage=new_sweep.parent)
    assert message.startswith("night1 has no trial that has trained for an epoch; go on with: foretune resume night1")


HOLD = """
import pathlib, sys
from tune.sweep import Sweep
with Sweep.open(pathlib.Path(sys.argv[1]), "night1").held():
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def held_elsewhere(night1: Path):
    """The sweep is held by another process."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(night1.parent)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )
    assert process.stdout.readline() == "held\n"
    yield night1
    process.stdin.close()
    process.wait(30)


def test_a_running_sweep_is_neither_extended_nor_finished_but_can_be_reported(
    foretune: Foretune, rejected: Callable[..., str], held_elsewhere: Path
) -> None:
    storage, before = held_elsewhere.parent, (held_elsewhere / "sweep.json").read_bytes()
    for command in (("resume", "night1", "--trials", 40), ("finish", "night1")):
        message = rejected(*command, storage=storage)
        assert message == "sweep night1 is running in another process; stop that one first"
    assert (held_elsewhere / "sweep.json").read_bytes() == before
    assert Sweep.open(storage, "night1").is_running
    ended = foretune("report", "night1", "--storage", storage)
    assert (ended.status, ended.out) == (0, f"report: {held_elsewhere / 'report.html'}\n")
    assert "t0001" in (held_elsewhere / "report.html").read_text(encoding="utf-8")
    assert (held_elsewhere / "leaderboard.csv").is_file()


def test_a_sweep_that_we_hold_is_not_running_elsewhere_and_is_free_after(night1: Path) -> None:
    sweep = Sweep.open(night1.parent, "night1")
    with sweep.held():
        assert not sweep.is_running
    with pytest.raises(ValueError, match="stop"), sweep.held():
        raise ValueError("stop")
    with sweep.held():
        pass


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_sweep_can_be_looked_at_and_not_be_resumed(
    foretune: Foretune, rejected: Callable[..., str], night1: Path
) -> None:
    (night1 / ".lock").chmod(0o444)
    night1.chmod(0o555)
    try:
        assert foretune("status", "--storage", night1.parent).status == 0
        assert "cannot be written to" in rejected("resume", "night1", storage=night1.parent)
    finally:
        night1.chmod(0o755)


def test_a_lock_that_may_not_be_opened_for_writing_is_looked_at_by_reading(
    held_elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in another user's folder; whoever runs these tests may be root, who may open everything."""

    def may_not(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tune.sweep.FileLock.acquire", may_not)
    sweep = Sweep.open(held_elsewhere.parent, "night1")
    if sys.platform != "win32":
        assert sweep.is_running
    with pytest.raises(UserError, match=r"cannot be written to .*Permission denied.*copy it"), sweep.held():
        pass


def test_a_renamed_sweep_is_called_what_its_folder_is_called(foretune: Foretune, night1: Path) -> None:
    renamed = night1.rename(night1.with_name("night 2"))
    ended = foretune("leaderboard", "night 2", "--format", "json", "--storage", renamed.parent)
    assert json.loads(ended.out)["sweep"] == "night 2"


def test_commands_are_printed_as_they_can_be_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    here = tmp_path / STORAGE
    assert command_text("resume", "night1", storage=here) == "foretune resume night1"
    assert command_text("resume", "a 50%", "--trials", 4, storage=here) == "foretune resume 'a 50%' --trials 4"
    other = tmp_path / "my sweeps"
    assert command_text("finish", "night1", storage=other) == f"foretune finish night1 --storage '{other}'"
