"""What a person watches while a sweep runs: a live table on a terminal, plain lines where output is piped."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from tune.cli.feature_progress import Preparation
from tune.format import duration, number
from tune.records.initial_model import ZERO_SHOT, Start
from tune.records.journal import Journal, Row, TrialRecord

PREPARATION_SECONDS = 15  # between two lines about it
WORTH_A_LINE_SECONDS = 5


@dataclass
class SweepState:
    """What has happened so far, as far as an observer has been told."""

    name: str
    metric: str
    total: int
    deadline: float | None
    start_name: str = ZERO_SHOT
    searched: tuple[str, ...] = ()  # the space's parameters
    records: dict[str, TrialRecord] = field(default_factory=dict)
    running: dict[str, dict[str, Any]] = field(default_factory=dict)
    rows: dict[str, Row] = field(default_factory=dict)
    started: float = field(default_factory=time.monotonic)
    first_trial: float | None = None  # when this session's first trial started: Ray's own start-up is no measure
    finished_before: int = 0

    def short(self, hyper: dict[str, Any]) -> str:
        """A configuration in a line: the common hyperparameters and whatever else is searched."""
        keys = dict.fromkeys(("strategy", "lr", "epochs", "warmup_steps", "weight_decay", "batch_size", *self.searched))
        return ", ".join(f"{key} {number(hyper[key])}" for key in keys if key in hyper)

    @property
    def finished(self) -> int:
        return sum(record.is_finished for record in self.records.values())

    @property
    def zero_shot(self) -> float | None:
        starts = [r.zero_shot[self.metric] for r in self.records.values() if r.zero_shot]
        return min((s for s in starts if s is not None), default=None)

    @property
    def best(self) -> tuple[str, float] | None:
        scored = [(r.trial_id, best[self.metric]) for r in self.records.values() if (best := r.best(self.metric))]
        return min(scored, key=lambda pair: pair[1]) if scored else None

    def against(self, value: float | None) -> str:
        """Say how far a value of the metric is from the start's, in brackets; nothing where one is not known."""
        if value is None or self.zero_shot is None:
            return ""
        gain = self.zero_shot - value
        return f" ({number(abs(gain))} {'better' if gain > 0 else 'worse'} than {self.start_name})"

    def seconds_left(self) -> float | None:
        """Estimate from this session's finished trials, or the time budget if that ends first; None at the start."""
        done = self.finished - self.finished_before
        elapsed = time.monotonic() - (self.first_trial or self.started)
        estimate = elapsed / done * (self.total - self.finished) if done else None
        if self.deadline is None:
            return estimate
        left = max(0.0, self.deadline - time.monotonic())
        return left if estimate is None else min(left, estimate)


class _Watcher:
    """Keeps the state up to date; a subclass shows it."""

    def __init__(self, console: Console, journal: Journal, state: SweepState) -> None:
        self.console, self.journal, self.state = console, journal, state
        state.records = {record.trial_id: record for record in journal.read()}
        state.finished_before = state.finished

    def trial_started(self, trial_id: str, hyper: dict[str, Any]) -> None:
        self.state.first_trial = self.state.first_trial or time.monotonic()
        self.state.running[trial_id] = hyper
        self.state.records[trial_id] = self.journal.read_trial(trial_id)

    def trial_reported(self, trial_id: str, row: Row) -> None:
        self.state.records[trial_id] = self.journal.read_trial(trial_id)

    def trial_ended(self, trial_id: str) -> None:
        self.state.running.pop(trial_id, None)
        self.state.records[trial_id] = self.journal.read_trial(trial_id)

    def tick(self) -> None:
        """Nothing between reports."""

    def close(self) -> None:
        """Nothing to release."""


class PlainProgress(_Watcher):
    """One line for each thing that happens."""

    _prepared = 0.0  # when it was last told

    def tick(self) -> None:
        preparation = Preparation.read(self.journal.sweep_folder)
        is_due = time.monotonic() - self._prepared > PREPARATION_SECONDS
        if preparation is not None and is_due and preparation.seconds_left > WORTH_A_LINE_SECONDS:
            self._prepared = time.monotonic()
            self._say(str(preparation))

    def trial_started(self, trial_id: str, hyper: dict[str, Any]) -> None:
        resumed = trial_id in self.state.records and self.state.records[trial_id].rows
        super().trial_started(trial_id, hyper)
        self._say(f"{trial_id} {'goes on' if resumed else 'starts'}: {self.state.short(hyper)}")

    def trial_reported(self, trial_id: str, row: Row) -> None:
        told_zero_shot = self.state.zero_shot is not None
        super().trial_reported(trial_id, row)
        if row["epoch"] == 0:
            if not told_zero_shot:
                self._say(f"{self.state.start_name} {self.state.metric} {number(row[self.state.metric])}")
            return
        self._say(
            f"{trial_id} epoch {row['epoch']:g} {self.state.metric} {number(row[self.state.metric])}"
            f"{self.state.against(row[self.state.metric])}"
        )

    def trial_ended(self, trial_id: str) -> None:
        super().trial_ended(trial_id)
        reason = self.state.records[trial_id].stopped_by
        left = self.state.seconds_left()
        self._say(
            f"{trial_id} ended ({reason}); {self.state.finished} of {self.state.total} trials done"
            + (f", about {duration(left)} left" if left is not None and self.state.finished < self.state.total else "")
        )

    def _say(self, text: str) -> None:
        self.console.print(text, soft_wrap=True, highlight=False)


class LiveProgress(_Watcher):
    """A table that is redrawn in place."""

    def __init__(self, console: Console, journal: Journal, state: SweepState) -> None:
        super().__init__(console, journal, state)
        self._live = Live(self._draw(), console=console, refresh_per_second=4, transient=True)
        self._live.start()

    def tick(self) -> None:
        self._live.update(self._draw())

    def close(self) -> None:
        self._live.stop()

    def _draw(self) -> RenderableType:
        state = self.state
        head = Text.assemble((state.name, "bold"), f"  {state.finished} of {state.total} trials done")
        stopped = sum(r.stopped_by in ("asha", "median", "patience") for r in state.records.values())
        failed = sum(r.error is not None for r in state.records.values())
        head.append(
            f", {len(state.running)} running, {stopped} stopped early" + (f", {failed} failed" if failed else "")
        )
        left = state.seconds_left()
        head.append(f", {duration(time.monotonic() - state.started)} so far")
        head.append("" if left is None else f", about {duration(left)} left")
        bar = Padding(ProgressBar(total=max(1, state.total), completed=state.finished, width=60), 0)  # on its own line
        parts: list[RenderableType] = [head, bar, self._best_line(), self._running_table()]
        preparation = Preparation.read(self.journal.sweep_folder)
        if preparation is not None:
            done = ProgressBar(total=preparation.total, completed=preparation.done, width=60)
            parts += [Text(str(preparation), style="dim"), Padding(done, 0)]
        return Group(*parts)

    def _best_line(self) -> Text:
        start, best = self.state.zero_shot, self.state.best
        if start is None:
            return Text(f"starting Ray and measuring {Start(self.state.start_name).model} …", style="dim")
        line = Text(f"{self.state.start_name} {self.state.metric} {number(start)}")
        if best:
            line.append(f"   best {best[0]} {number(best[1])}", style="green" if best[1] < start else "yellow")
            line.append(self.state.against(best[1]))
        return line

    def _running_table(self) -> Table:
        table = Table(box=None, pad_edge=False, header_style="dim")
        for title in ("running", "epoch", self.state.metric, "best", "configuration"):
            table.add_column(title, justify="left" if title in ("running", "configuration") else "right")
        for trial_id, hyper in list(self.state.running.items()):
            record = self.state.records[trial_id]
            last, best = (record.rows or [{}])[-1], record.best(self.state.metric) or {}
            table.add_row(
                trial_id,
                f"{last.get('epoch', 0):g}/{hyper.get('epochs', '?')}",
                number(last.get(self.state.metric)),
                number(best.get(self.state.metric)),
                self.state.short(hyper),
            )
        return table
