"""Where a sweep's time went: every second of it under one heading, so that they add up to the clock."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from trainables.timeline import Activity

START, WORKER_START, BETWEEN_REPORTS, HAND_OVER, END = (
    "start",
    "worker's start",
    "between reports",
    "hand-over",
    "end",
)
HEADINGS = (
    START,
    str(Activity.RAY_START),
    WORKER_START,
    str(Activity.SETUP),
    str(Activity.FEATURES),
    str(Activity.INITIAL),
    str(Activity.TRAINING),
    str(Activity.EVALUATION),
    str(Activity.CHECKPOINT),
    str(Activity.RECORDING),
    BETWEEN_REPORTS,
    HAND_OVER,
    str(Activity.CONCLUSION),
    END,
)
OWN = (Activity.INITIAL, Activity.TRAINING, Activity.EVALUATION)  # what a trial is there for


@dataclass(frozen=True)
class Span:
    """An activity from when to when, in seconds since 1970. trial_id: whose; empty for the sweep's own."""

    what: str
    trial_id: str
    start: float
    end: float


@dataclass(frozen=True)
class TimeSpent:
    """wall: seconds of all sessions. seconds: of each of HEADINGS, together wall. counts: how often each was.

    Where trials run side by side, a second is shared among them. hand_overs: seconds from a trial's last activity to
    the next trial's first step of training or evaluation where one follows the other, set-up included.
    """

    wall: float
    seconds: dict[str, float]
    counts: dict[str, int]
    hand_overs: tuple[float, ...]

    @property
    def own(self) -> float:
        """Seconds of training and evaluation."""
        return sum(self.seconds[str(activity)] for activity in OWN)

    @property
    def middle_hand_over(self) -> float | None:
        return statistics.median(self.hand_overs) if self.hand_overs else None


def read_timeline(file: Path) -> list[Span]:
    """Return all activities in the order of their starts; a damaged line is passed over.

    A session that was killed ends with its last activity.
    """
    spans, begun = [], []
    for what, trial_id, start, end in _rows(file):
        if end is None:
            begun.append(Span(what, trial_id, start, start))
        else:
            spans.append(Span(what, trial_id, start, end))
    whole = {(s.what, s.start) for s in spans}
    starts = sorted(s.start for s in (*spans, *begun) if s.what == Activity.SESSION)
    for killed in begun:
        if (killed.what, killed.start) not in whole:
            following = min((s for s in starts if s > killed.start), default=float("inf"))
            last = max((s.end for s in spans if killed.start <= s.end <= following), default=killed.start)
            spans.append(Span(killed.what, killed.trial_id, killed.start, last))
    return sorted(spans, key=lambda span: span.start)


def _rows(file: Path) -> Iterator[tuple[str, str, float, float | None]]:
    if not file.is_file():
        return
    for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
        with suppress(ValueError, KeyError, TypeError, RecursionError):
            row = json.loads(line)
            end = None if row["end"] is None else float(row["end"])
            if end is None or end >= row["start"]:
                yield str(row["what"]), str(row["trial"]), float(row["start"]), end


def time_spent(spans: Sequence[Span]) -> TimeSpent:
    """Put every second of the sessions under one heading."""
    seconds = dict.fromkeys(HEADINGS, 0.0)
    sessions = [span for span in spans if span.what == Activity.SESSION]
    others = [span for span in spans if span.what != Activity.SESSION and span.what in seconds]
    for session in sessions:
        inside = [s for s in others if s.start < session.end and s.end > session.start]
        for heading, share in _shares(session, inside):
            seconds[heading] += share
    counts = {heading: sum(span.what == heading for span in others) for heading in HEADINGS}
    wall = sum(session.end - session.start for session in sessions)
    return TimeSpent(wall, seconds, counts, tuple(_hand_overs(others)))


def _shares(session: Span, spans: Sequence[Span]) -> Iterator[tuple[str, float]]:
    """Cut a session where anything begins or ends, and say of each piece what it was spent on."""
    cuts = {session.start, session.end}
    for span in spans:
        cuts |= {min(max(t, session.start), session.end) for t in (span.start, span.end)}
    active: list[Span] = []
    begun = 0
    before: str | None = None  # whose activity was the last; None before the first trial's
    ray_runs = False
    for start, end in pairwise(sorted(cuts)):
        while begun < len(spans) and spans[begun].start <= start:
            active.append(spans[begun])
            begun += 1
        for span in active:
            if span.end <= start:
                before = span.trial_id or before
                ray_runs = ray_runs or span.what == Activity.RAY_START
        active = [span for span in active if span.end > start]
        at_work = _at_work(active)
        if not at_work:
            after = next((span.trial_id for span in spans[begun:] if span.trial_id), None)
            at_work = [(_gap(before, after, ray_runs=ray_runs), 1.0)]
        yield from ((what, (end - start) * share) for what, share in at_work)


def _at_work(active: Iterable[Span]) -> list[tuple[str, float]]:
    """Name what each trial does now, the innermost activity, in equal shares; the sweep's own where no trial works."""
    innermost: dict[str, Span] = {}
    for span in active:  # in the order of their starts
        innermost[span.trial_id] = span
    own = innermost.pop("", None)
    if innermost:
        return [(span.what, 1 / len(innermost)) for span in innermost.values()]
    return [] if own is None else [(own.what, 1.0)]


def _gap(before: str | None, after: str | None, *, ray_runs: bool) -> str:
    """Name the time between the activity of one trial and that of another, or of the same."""
    if before is None:
        return START if not ray_runs else WORKER_START if after is not None else END
    if after is None:
        return END
    return BETWEEN_REPORTS if before == after else HAND_OVER


def _hand_overs(spans: Sequence[Span]) -> Iterator[float]:
    """Yield how long the machine waited for each trial that began when another had ended."""
    first: dict[str, float] = {}
    last: dict[str, float] = {}
    for span in spans:
        if span.trial_id:
            last[span.trial_id] = max(span.end, last.get(span.trial_id, 0.0))
            if span.what in OWN:
                first.setdefault(span.trial_id, span.start)
    for trial_id, start in first.items():
        others = [other for other in first if other != trial_id]
        ended = max((last[other] for other in others if last[other] <= start), default=None)
        if ended is not None and not any(first[other] < start < last[other] for other in others):
            yield start - ended
