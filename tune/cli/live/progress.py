"""What the user sees while a sweep runs: a live view on a terminal, plain lines where output is piped or logged."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from rich.console import Console
from rich.live import Live

from trainables.trial.progress import FeatureProgress, StepProgress
from trainables.trial.report import Report
from tune.cli.live.sweep_state import SweepState, state_of
from tune.cli.live.view import View, patience_text, progress_text, step_text
from tune.format import duration, gain_text, number
from tune.records.journal import Journal
from tune.records.spec import SweepSpec
from tune.records.trial_record import TrialConfig
from tune.sweep import Sweep

LINE_SECONDS = 15  # between two lines about features that are being computed
STEP_SECONDS = 60  # between two lines about the steps of an epoch
WORTH_A_LINE_SECONDS = 5
DRAWINGS_A_SECOND = 4
CTRL_C = "Ctrl+C ends the search at the last checkpoints and sums up; twice leaves at once. Both can be resumed."


class Progress:
    """Keeps the state up to date; a subclass shows it."""

    def __init__(self, journal: Journal, state: SweepState) -> None:
        self.journal, self.state = journal, state
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


class Lines(Progress):
    """One line for each thing that happens."""

    def __init__(self, write: Callable[[str], None], journal: Journal, state: SweepState) -> None:
        super().__init__(journal, state)
        self._write = write
        self._features_written, self._steps_written = 0.0, time.monotonic()

    def tick(self) -> None:
        now = time.monotonic()
        if now - self._features_written > LINE_SECONDS:
            progress = FeatureProgress.read(self.journal.folder.shared.features_progress)
            if progress is not None and progress.seconds_left > WORTH_A_LINE_SECONDS:
                self._features_written = now
                self._write(progress_text(progress))
        if now - self._steps_written >= STEP_SECONDS:
            self._steps_written = now
            for trial_id in self.state.running:
                step = StepProgress.read(self.journal.folder.trial(trial_id).step)
                if step is not None and (step.is_waiting or step.seconds_left > WORTH_A_LINE_SECONDS):
                    self._write(step_text(trial_id, step))

    def trial_started(self, config: TrialConfig) -> None:
        super().trial_started(config)
        is_resumed = self.state.has_reports(config.trial_id)  # the journal may have more than was shown
        self._write(f"{config.trial_id} {'goes on' if is_resumed else 'starts'}: {self.state.short(config.hyper)}")

    def trial_reported(self, trial_id: str, report: Report) -> None:
        had_initial = self.state.initial is not None
        super().trial_reported(trial_id, report)
        self._steps_written = time.monotonic()
        metric, value = self.state.metric, report.scores[self.state.metric]
        if report.is_trained:
            text = f"{trial_id} epoch {report.epoch:g} {metric} {number(value)}"
            self._write(f"{text}{self.state.against(value)}{self._costs(trial_id, report)}")
        elif not had_initial:
            self._write(f"{self.state.initial_name} {metric} {number(value)}")

    def _costs(self, trial_id: str, report: Report) -> str:
        """Say what the epoch took, and what comes of it: weights that are saved, or a step to early stopping."""
        parts = [f"train {number(report.train_loss)}", duration(report.seconds)]
        if report.waited_seconds:
            parts.append(f"waited {duration(report.waited_seconds)} for the GPU")
        if report.is_best:
            parts.append("saved")
        elif (near := patience_text(self.journal.record(trial_id), self.state.metric)) != "":
            parts.append(f"early stopping {near}")
        return f"; {', '.join(parts)}"

    def trial_ended(self, trial_id: str) -> None:
        super().trial_ended(trial_id)
        state, left = self.state, self.state.seconds_left()
        is_known = left is not None and len(state.finished) < state.total
        self._write(
            f"{trial_id} ended ({self.journal.record(trial_id).stopped_by}); "
            f"{len(state.finished)} of {state.total} trials done"
            + (f", about {duration(left)} left" if is_known and left is not None else "")
        )


class PlainProgress(Lines):
    """Lines on the console."""

    def __init__(self, console: Console, journal: Journal, state: SweepState) -> None:
        super().__init__(lambda text: console.print(text, soft_wrap=True, highlight=False), journal, state)


class LogFile(Lines):
    """Lines with the time, in a file that grows from session to session; and what is logged meanwhile."""

    def __init__(self, path: Path, journal: Journal, state: SweepState) -> None:
        self._handler = logging.FileHandler(path, encoding="utf-8", delay=True)
        self._handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%Y-%m-%d %H:%M:%S"))
        logging.getLogger().addHandler(self._handler)
        super().__init__(self._add, journal, state)
        self._add(f"session of {state.name}: {len(state.finished)} of {state.total} trials done before")

    def _add(self, text: str) -> None:
        self._handler.acquire()
        try:
            with Path(self._handler.baseFilename).open("a", encoding="utf-8") as file:
                file.write(f"{datetime.now():%Y-%m-%d %H:%M:%S} {text}\n")
        finally:
            self._handler.release()

    def close(self) -> None:
        logging.getLogger().removeHandler(self._handler)
        self._handler.close()


class LiveProgress(Progress):
    """A view that is redrawn in place."""

    def __init__(
        self, console: Console, journal: Journal, state: SweepState, spec: SweepSpec, *, hint: str = CTRL_C
    ) -> None:
        super().__init__(journal, state)
        self.spec = spec
        self.view = View(state, journal, hint)
        self.view.best_text = best_text(journal, state, spec)
        self._live = Live(self.view, console=console, refresh_per_second=DRAWINGS_A_SECOND, transient=True)
        self._live.start()

    def trial_reported(self, trial_id: str, report: Report) -> None:
        before = self.state.best
        super().trial_reported(trial_id, report)
        if self.state.best != before:
            self.view.best_text = best_text(self.journal, self.state, self.spec)

    def close(self) -> None:
        self._live.stop()


def view_of(sweep: Sweep, journal: Journal, console: Console, *, hint: str = CTRL_C) -> Progress:
    """Return what shows a sweep on this console: a live view where it is to be seen and can be redrawn, else lines."""
    if (console.is_terminal or console.is_jupyter) and not console.quiet:
        return LiveProgress(console, journal, state_of(sweep), sweep.spec, hint=hint)
    return PlainProgress(console, journal, state_of(sweep))


def best_text(journal: Journal, state: SweepState, spec: SweepSpec) -> str:
    """Say whether the best trial so far is better than the initial model beyond noise; nothing where that is not
    known."""
    if state.best is None:
        return ""
    from tune.verdict.gain import gain_so_far  # arch: seconds, which a driver has imported already

    gain = gain_so_far(journal.folder, spec, state.best[0])
    if gain is None:
        return ""
    sure = "beyond noise" if gain.is_better or gain.is_worse else "within noise"
    return f", {sure}: {gain_text(gain.low)} to {gain_text(gain.high)}"
