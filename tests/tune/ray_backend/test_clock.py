"""The specification of tune/ray_backend/clock.py: the one clock of a sweep's search, over all its sessions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.tune.hand_clock import HandClock
from tests.tune.reports import config, report, to_its_end, write_trial
from tune.ray_backend import clock as module
from tune.ray_backend.clock import RepeatsReserve, SearchClock
from tune.ray_backend.stopper import TimeStopper
from tune.records.journal import Journal
from tune.records.repeats import Repeats
from tune.records.search_time import Ending, SearchTime
from tune.records.sweep_folder import SweepFolder


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> HandClock:
    time = HandClock()
    monkeypatch.setattr(module, "time", time)
    return time


def test_the_search_begins_with_the_first_trial_and_the_budget_ends_it(tmp_path: Path, time: HandClock) -> None:
    clock = SearchClock(SweepFolder(tmp_path), 40.0)
    stopper = TimeStopper(clock.is_over)
    time.now += 100  # Ray and its first worker start
    assert not stopper.stop_all()
    clock.trial_started(config("t0000", {}))
    time.now += 39.9
    assert not stopper.stop_all()
    assert not stopper("t0000", {})
    time.now += 0.1
    assert stopper.stop_all()


def test_sessions_add_up_and_the_next_has_what_is_left(tmp_path: Path, time: HandClock) -> None:
    folder = SweepFolder(tmp_path)
    for ending in (Ending.INTERRUPTED, Ending.TIME_BUDGET):
        clock = SearchClock(folder, 40.0)
        time.now += 500
        clock.trial_started(config("t0000", {}))
        time.now += 20
        assert clock.is_over() == (ending is Ending.TIME_BUDGET)
        clock.end(ending)
    assert SearchTime.read(folder) == SearchTime(40.0, Ending.TIME_BUDGET)


def test_without_a_budget_it_is_never_over(tmp_path: Path, time: HandClock) -> None:
    clock = SearchClock(SweepFolder(tmp_path), None)
    clock.trial_started(config("t0000", {}))
    time.now += 1e9
    assert not clock.is_over()


def test_a_killed_session_is_recorded_to_its_last_report_and_as_not_ended(tmp_path: Path, time: HandClock) -> None:
    folder = SweepFolder(tmp_path)
    clock = SearchClock(folder, None)
    clock.trial_started(config("t0000", {}))
    time.now += 7
    clock.trial_reported("t0000", report(1, 0.5))
    time.now += 5
    assert SearchTime.read(folder) == SearchTime(7.0, None)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"{}", b'{"seconds": "x"}', b"\xff", b'{"seconds": 1, "ended": "?"}']
)
def test_a_damaged_record_is_made_again_from_what_the_trials_report(tmp_path: Path, content: bytes) -> None:
    folder = SweepFolder(tmp_path)
    write_trial(tmp_path, "t0000", {}, to_its_end([1.0, 0.5], seconds=3.0))
    folder.clock.write_bytes(content)
    assert SearchTime.read(folder) == SearchTime(6.0)


def test_it_is_written_as_json_that_others_read(tmp_path: Path) -> None:
    SearchTime(2.5, Ending.FINISHED).write(SweepFolder(tmp_path))
    assert json.loads((tmp_path / "clock.json").read_text()) == {"seconds": 2.5, "ended": "finished"}


def test_the_search_leaves_the_repeats_of_its_best_their_time(tmp_path: Path, time: HandClock) -> None:
    """Three repeats of each of the best two, two at once: of runs of 3 and 1 s they take (3 + 1) * 3 / 2 s."""
    for trial_id, loss, seconds in (("t0000", 0.3, 3.0), ("t0001", 0.4, 2.0), ("t0002", 0.2, 1.0)):
        write_trial(tmp_path, trial_id, {}, to_its_end([1.0, loss], seconds=seconds / 2))
    write_trial(tmp_path, "t0003", {}, [report(0, 1.0), report(1, 0.1, seconds=100.0)])
    write_trial(tmp_path, "t0000-r1", {}, to_its_end([1.0, 0.1], seconds=100.0))
    journal = Journal(SweepFolder(tmp_path))
    reserve = RepeatsReserve(journal, Repeats(top=2, seeds=3, metric="val_loss", seed=0), at_once=2)
    assert reserve.seconds == pytest.approx((3 + 1) * 3 / 2)  # t0003 has not ended, and a repeat is none of the search
    journal.append("t0003", report(2, 0.1, seconds=-136.0, stopped_by="epochs"))  # 40 + 100 - 136 is 4 s in all
    reserve.trial_ended("t0003")
    assert reserve.seconds == pytest.approx((4 + 1) * 3 / 2)
    clock = SearchClock(SweepFolder(tmp_path), 60.0)
    clock.trial_started(config("t0000", {}))
    time.now += 52.4
    assert not clock.is_over_but_for(reserve.seconds)
    time.now += 0.2
    assert clock.is_over_but_for(reserve.seconds)
    assert not clock.is_over()


def test_repeats_are_left_half_of_a_sessions_time_at_most(tmp_path: Path, time: HandClock) -> None:
    SearchTime(100.0, Ending.TIME_BUDGET).write(SweepFolder(tmp_path))
    clock = SearchClock(SweepFolder(tmp_path), 160.0)  # extended by 60 s
    clock.trial_started(config("t0000", {}))
    time.now += 29.9
    assert not clock.is_over_but_for(1e9)
    time.now += 0.2
    assert clock.is_over_but_for(1e9)
    assert not SearchClock(SweepFolder(tmp_path), None).is_over_but_for(1e9)
