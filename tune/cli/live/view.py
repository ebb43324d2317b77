"""The live view of a sweep: a head, a line for each running trial, and what happened last."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from trainables.trial.progress import FeatureProgress, StepProgress
from trainables.trial.report import Report
from tune.cli.live.sparkline import BETTER, WORSE, sparkline
from tune.cli.live.sweep_state import SweepState
from tune.format import duration, memory, number
from tune.leaderboard.initial_model import InitialModel
from tune.records.journal import Journal
from tune.records.trial_record import TrialConfig, TrialRecord

BAR_WIDTH = 60
LAST = 3  # events that are shown


@dataclass(frozen=True)
class Running:
    """A trial that runs: what is on record of it, and where it is inside an epoch, None between two."""

    config: TrialConfig
    record: TrialRecord
    step: StepProgress | None

    @property
    def last(self) -> Report | None:
        return self.record.reports[-1] if self.record.reports else None


@dataclass(frozen=True)
class Column:
    """A column of the running trials. least: the width of a terminal that shows it. always: also where it is empty."""

    title: str
    least: int
    is_text: bool
    cell: Callable[[SweepState, Running], RenderableType]
    always: bool = True


def _epoch(_: SweepState, run: Running) -> str:
    done = run.last.epoch if run.last else 0
    text = f"{done:g}/{run.config.hyper.get('epochs', '?')}"
    if run.step is None:
        return text
    return f"{text} +{run.step.step / run.step.steps:.0%}"


def _steps(_: SweepState, run: Running) -> str:
    if run.step is None:
        return ""
    if run.step.is_waiting:
        return "waits: too hot"
    return f"{run.step.step}/{run.step.steps} {run.step.step_seconds:.2g}s"


def _loss(_: SweepState, run: Running) -> str:
    if run.step is not None:
        return number(run.step.loss)
    return number(run.last.train_loss if run.last else None)


def _value(state: SweepState, run: Running) -> str:
    return number(run.last.scores[state.metric] if run.last else None)


def _curve(state: SweepState, run: Running) -> Text:
    return sparkline([report.scores[state.metric] for report in run.record.reports], state.initial)


def _best(state: SweepState, run: Running) -> Text:
    best = run.record.best(state.metric)
    value = best.scores[state.metric] if best else None
    if best is None or value is None:
        return Text("–")
    style = "" if state.initial is None else BETTER if value < state.initial else WORSE
    return Text(f"{number(value)} @{best.epoch:g}", style=style)


def _patience(state: SweepState, run: Running) -> str:
    return patience_text(run.record, state.metric)


def _memory(_: SweepState, run: Running) -> str:
    return memory(run.record.peak_memory_bytes) if run.record.peak_memory_bytes else ""


def _card(_: SweepState, run: Running) -> str:
    heat = run.step.temperature if run.step else None
    if heat is None and run.last is not None:
        heat = run.last.card.gpu_temperature
    return "" if heat is None else f"{heat:.0f} °C"


COLUMNS = (
    Column("running", 0, True, lambda _, run: run.config.trial_id),
    Column("epoch", 0, False, _epoch),
    Column("step", 100, False, _steps, always=False),
    Column("loss", 110, False, _loss),
    Column("metric", 0, False, _value),
    Column("curve", 0, True, _curve),
    Column("best", 0, False, _best),
    Column("stop", 120, False, _patience, always=False),
    Column("memory", 130, False, _memory),
    Column("GPU", 130, False, _card, always=False),
    Column("configuration", 90, True, lambda state, run: state.short(run.config.hyper)),
)


def patience_text(record: TrialRecord, metric: str) -> str:
    """Say how near early stopping is: 1 of 3 epochs without a better one; nothing where the last is the best."""
    trained, best = record.trained, record.best(metric)
    patience = record.hyper.get("patience")
    if not trained or not isinstance(patience, int | float):
        return ""
    without = trained[-1].epoch - (best.epoch if best else trained[0].epoch)
    return f"{without:g} of {patience:g}" if without > 0 else ""


class View:
    """Draws a sweep at whatever width the terminal has."""

    def __init__(self, state: SweepState, journal: Journal, hint: str = "") -> None:
        """hint: the last line."""
        self.state, self.journal, self.hint = state, journal, hint
        self.best_text = ""  # how sure the best so far is

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Group(*self._parts(options.max_width))

    def _parts(self, width: int) -> Iterable[RenderableType]:
        state = self.state
        yield self._head()
        bar = ProgressBar(total=max(1, state.total), completed=len(state.finished), width=min(BAR_WIDTH, width))
        yield Padding(bar, 0)  # on its own line
        yield self._best_line()
        if state.running:
            yield self._table(width)
        features = FeatureProgress.read(self.journal.folder.shared.features_progress)
        if features is not None:
            yield Text(progress_text(features), style="dim")
            done = ProgressBar(total=features.total, completed=features.done, width=min(BAR_WIDTH, width))
            yield Padding(done, 0)
        for event in list(state.events)[-LAST:]:
            yield Text(event, style="dim", overflow="ellipsis", no_wrap=True)
        if self.hint:
            yield Text(self.hint, style="dim", overflow="ellipsis", no_wrap=True)

    def _head(self) -> Text:
        state = self.state
        head = Text.assemble((state.name, "bold"), f"  {len(state.finished)} of {state.total} trials done")
        head.append(f", {len(state.running)} running, {len(state.stopped_early)} stopped early")
        head.append(f", {len(state.failed)} failed", style="red") if state.failed else None
        left = state.seconds_left()
        head.append(f", {duration(time.monotonic() - state.started)} so far")
        head.append("" if left is None else f", about {duration(left)} left")
        return head

    def _best_line(self) -> Text:
        initial, best = self.state.initial, self.state.best
        if initial is None:
            return Text(f"starting Ray and measuring {InitialModel(self.state.initial_name).model} …", style="dim")
        line = Text(f"{self.state.initial_name} {self.state.metric} {number(initial)}")
        if best:
            line.append(f"   best {best[0]} {number(best[1])}", style=BETTER if best[1] < initial else WORSE)
            line.append(self.state.against(best[1]))
            line.append(self.best_text)
        return line

    def _table(self, width: int) -> Table:
        table = Table(box=None, pad_edge=False, header_style="dim", expand=True)
        runs, state = self._runs(), self.state
        columns = [
            column
            for column in COLUMNS
            if column.least <= width and (column.always or any(column.cell(state, run) for run in runs))
        ]
        for column in columns:
            table.add_column(
                state.metric if column.title == "metric" else column.title,
                justify="left" if column.is_text else "right",
                no_wrap=True,
                ratio=1 if column is COLUMNS[-1] else None,  # the configuration has what is left
            )
        if columns[-1] is not COLUMNS[-1]:
            table.add_column("", ratio=1)
        for run in runs:
            table.add_row(*(column.cell(self.state, run) for column in columns))
        return table

    def _runs(self) -> Sequence[Running]:
        found = []
        for trial_id, config in list(self.state.running.items()):
            step = StepProgress.read(self.journal.folder.trial(trial_id).step)
            found.append(Running(config, self.journal.record(trial_id), step))
        return found


def progress_text(progress: FeatureProgress) -> str:
    """prompts: 512 of 2048 windows, about 12s left, once for all trials."""
    left = duration(progress.seconds_left)
    return f"{progress.title}: {progress.done} of {progress.total} windows, about {left} left, once for all trials"


def step_text(trial_id: str, progress: StepProgress) -> str:
    """t0003: step 300 of 3191 to epoch 2, loss 0.51, 0.31s a step, about 15m left."""
    waits = ", waiting for the GPU to cool down" if progress.is_waiting else ""
    heat = "" if progress.temperature is None else f", {progress.temperature:.0f} °C"
    return (
        f"{trial_id}: step {progress.step} of {progress.steps} to epoch {progress.epoch:g}, loss "
        f"{number(progress.loss)}, {progress.step_seconds:.2g}s a step, about {duration(progress.seconds_left)} left"
        f"{heat}{waits}"
    )
