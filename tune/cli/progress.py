"""What the user sees while a sweep runs: a live table on a terminal, plain lines where output is piped."""

from __future__ import annotations

import time

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from trainables.trial.feature_progress import FeatureProgress
from trainables.trial.report import Report
from tune.cli.sweep_state import SweepState
from tune.format import duration, number
from tune.leaderboard.initial_model import InitialModel
from tune.records.journal import Journal
from tune.records.trial_record import TrialConfig

FEATURES_SECONDS = 15  # between two lines about features that are being computed
WORTH_A_LINE_SECONDS = 5


def progress_text(progress: FeatureProgress) -> str:
    """prompts: 512 of 2048 windows, about 12s left, once for all trials."""
    left = duration(progress.seconds_left)
    return f"{progress.title}: {progress.done} of {progress.total} windows, about {left} left, once for all trials"


class _Progress:
    """Keeps the state up to date; a subclass shows it."""

    def __init__(self, console: Console, journal: Journal, state: SweepState) -> None:
        self.console, self.journal, self.state = console, journal, state
        state.read(journal.records)

    def trial_started(self, config: TrialConfig) -> None:
        self.state.start(config)

    def trial_reported(self, trial_id: str, report: Report) -> None:
        self.state.add_report(trial_id, report)

    def trial_ended(self, trial_id: str) -> None:
        self.state.add_end(self.journal.record(trial_id))

    def tick(self) -> None:
        """Nothing between reports."""

    def close(self) -> None:
        """Nothing to release."""

    def _feature_progress(self) -> FeatureProgress | None:
        return FeatureProgress.read(self.journal.folder.shared.features_progress)


class PlainProgress(_Progress):
    """One line for each thing that happens."""

    _features_printed = 0.0  # when it was last

    def tick(self) -> None:
        progress = self._feature_progress()
        is_due = time.monotonic() - self._features_printed > FEATURES_SECONDS
        if progress is not None and is_due and progress.seconds_left > WORTH_A_LINE_SECONDS:
            self._features_printed = time.monotonic()
            self._print(progress_text(progress))

    def trial_started(self, config: TrialConfig) -> None:
        super().trial_started(config)
        is_resumed = bool(self.journal.record(config.trial_id).reports)
        self._print(f"{config.trial_id} {'goes on' if is_resumed else 'starts'}: {self.state.short(config.hyper)}")

    def trial_reported(self, trial_id: str, report: Report) -> None:
        had_initial = self.state.initial is not None
        super().trial_reported(trial_id, report)
        metric, value = self.state.metric, report.scores[self.state.metric]
        if report.is_trained:
            text = f"{trial_id} epoch {report.epoch:g} {metric} {number(value)}"
            self._print(f"{text}{self.state.against(value)}")
        elif not had_initial:
            self._print(f"{self.state.initial_name} {metric} {number(value)}")

    def trial_ended(self, trial_id: str) -> None:
        super().trial_ended(trial_id)
        state, left = self.state, self.state.seconds_left()
        is_known = left is not None and len(state.finished) < state.total
        self._print(
            f"{trial_id} ended ({self.journal.record(trial_id).stopped_by}); "
            f"{len(state.finished)} of {state.total} trials done"
            + (f", about {duration(left)} left" if is_known and left is not None else "")
        )

    def _print(self, text: str) -> None:
        self.console.print(text, soft_wrap=True, highlight=False)


class LiveProgress(_Progress):
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
        done, failed = len(state.finished), len(state.failed)
        head = Text.assemble((state.name, "bold"), f"  {done} of {state.total} trials done")
        head.append(f", {len(state.running)} running, {len(state.stopped_early)} stopped early")
        head.append(f", {failed} failed" if failed else "")
        left = state.seconds_left()
        head.append(f", {duration(time.monotonic() - state.started)} so far")
        head.append("" if left is None else f", about {duration(left)} left")
        bar = Padding(ProgressBar(total=max(1, state.total), completed=done, width=60), 0)  # on its own line
        parts: list[RenderableType] = [head, bar, self._best_line(), self._running_table()]
        features = self._feature_progress()
        if features is not None:
            feature_bar = ProgressBar(total=features.total, completed=features.done, width=60)
            parts += [Text(progress_text(features), style="dim"), Padding(feature_bar, 0)]
        return Group(*parts)

    def _best_line(self) -> Text:
        initial, best = self.state.initial, self.state.best
        if initial is None:
            return Text(f"starting Ray and measuring {InitialModel(self.state.initial_name).model} …", style="dim")
        line = Text(f"{self.state.initial_name} {self.state.metric} {number(initial)}")
        if best:
            line.append(f"   best {best[0]} {number(best[1])}", style="green" if best[1] < initial else "yellow")
            line.append(self.state.against(best[1]))
        return line

    def _running_table(self) -> Table:
        metric = self.state.metric
        table = Table(box=None, pad_edge=False, header_style="dim")
        for title in ("running", "epoch", metric, "best", "configuration"):
            table.add_column(title, justify="left" if title in ("running", "configuration") else "right")
        for trial_id, config in list(self.state.running.items()):
            record = self.journal.record(trial_id)
            last, best = record.reports[-1] if record.reports else None, record.best(metric)
            table.add_row(
                trial_id,
                f"{last.epoch if last else 0:g}/{config.hyper.get('epochs', '?')}",
                number(last.scores[metric] if last else None),
                number(best.scores[metric] if best else None),
                self.state.short(config.hyper),
            )
        return table
