"""Where a sweep's time went, worked out by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from trainables.timeline import Activity, Timeline
from tune.records.timeline import HEADINGS, Span, read_timeline, time_spent


def spans(*rows: tuple[str, str, float, float]) -> list[Span]:
    return [Span(*row) for row in rows]


# A session of 100 s: Ray from 2 to 10, two trials one after the other.
ONE_AFTER_THE_OTHER = spans(
    ("session", "", 0, 100),
    ("Ray's start", "", 2, 10),
    ("set-up", "t0000", 13, 18),
    ("frozen features", "t0000", 14, 16),  # inside the set-up
    ("initial model", "t0000", 18, 20),
    ("recording", "", 20, 21),
    ("training", "t0000", 21, 40),
    ("evaluation", "t0000", 40, 44),
    ("checkpoint", "t0000", 44, 45),
    ("recording", "", 46, 48),
    ("set-up", "t0001", 50, 51),
    ("training", "t0001", 52, 90),
    ("conclusion", "", 92, 99),
)


def test_every_second_has_a_heading() -> None:
    found = time_spent(ONE_AFTER_THE_OTHER)
    assert found.seconds == {
        "start": 2,
        "Ray's start": 8,
        "worker's start": 3,
        "set-up": 3 + 1,
        "frozen features": 2,
        "initial model": 2,
        "training": 19 + 38,
        "evaluation": 4,
        "checkpoint": 1,
        "recording": 1 + 2,
        "between reports": 1,  # 51 to 52
        "hand-over": 1 + 2,  # 45 to 46, and 48 to 50
        "conclusion": 7,
        "end": 2 + 1,
    }
    assert list(found.seconds) == list(HEADINGS)
    assert sum(found.seconds.values()) == found.wall == 100
    assert found.own == 2 + 57 + 4
    assert found.hand_overs == (52 - 45,)
    assert found.counts["training"] == 2


def test_trials_side_by_side_share_a_second() -> None:
    found = time_spent(
        spans(
            ("session", "", 0, 10),
            ("training", "t0000", 0, 10),
            ("recording", "", 1, 2),  # while a trial trains
            ("evaluation", "t0001", 4, 8),
        )
    )
    assert found.seconds["training"] == 4 + 4 / 2 + 2
    assert found.seconds["evaluation"] == 4 / 2
    assert sum(found.seconds.values()) == 10
    assert found.hand_overs == ()


def test_sessions_are_added_up_and_what_is_between_them_is_not() -> None:
    found = time_spent(
        spans(
            ("session", "", 0, 10),
            ("training", "t0000", 2, 9),
            ("session", "", 1000, 1010),
            ("training", "t0000", 1003, 1004),
        )
    )
    assert found.wall == 20
    assert found.seconds["training"] == 8
    assert sum(found.seconds.values()) == 20


def test_what_is_written_is_read_and_a_killed_session_ends_with_its_last_activity(tmp_path: Path) -> None:
    file = tmp_path / "shared" / "timeline.jsonl"
    sweep, trial = Timeline(file), Timeline(file, "t0000")
    sweep.write(Activity.SESSION, 100.0, None)  # killed
    trial.write(Activity.TRAINING, 103.0, 107.0)
    with file.open("a") as half:
        half.write('{"what": "evaluation", "trial": "t0000", "sta\n')
    sweep.write(Activity.SESSION, 200.0, None)
    trial.write(Activity.TRAINING, 201.0, 202.0)
    sweep.write(Activity.SESSION, 200.0, 205.0)
    assert read_timeline(file) == spans(
        ("session", "", 100, 107),
        ("training", "t0000", 103, 107),
        ("session", "", 200, 205),
        ("training", "t0000", 201, 202),
    )


def test_an_activity_is_written_when_it_ends_by_an_error_too(tmp_path: Path) -> None:
    timeline = Timeline(tmp_path / "timeline.jsonl", "t0003")
    with pytest.raises(KeyError), timeline.of(Activity.TRAINING):
        raise KeyError
    (found,) = read_timeline(tmp_path / "timeline.jsonl")
    assert (found.what, found.trial_id) == ("training", "t0003")
    assert 0 <= found.end - found.start < 5


def test_a_sweep_without_a_timeline_has_spent_nothing(tmp_path: Path) -> None:
    assert time_spent(read_timeline(tmp_path / "none")).wall == 0
