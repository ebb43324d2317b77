"""What a sweep's folder holds, and where: the one place that names its files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from trainables.trial.folders import MARK_FILE, STEP_FILE, STEPS_FILE, SharedFolder
from tune.records.trial_record import TrialId


@dataclass(frozen=True)
class TrialFolder:
    """A trial's folder: its configuration, a report a line, checkpoints."""

    path: Path

    @property
    def trial_id(self) -> str:
        return self.path.name

    @property
    def params(self) -> Path:
        return self.path / "params.json"

    @property
    def result(self) -> Path:
        """A report a line, as JSON."""
        return self.path / "result.json"

    @property
    def progress(self) -> Path:
        """The same reports as CSV, without a model's further scores."""
        return self.path / "progress.csv"

    @property
    def error(self) -> Path:
        """What a failed trial failed of; missing for others."""
        return self.path / "error.txt"

    @property
    def step(self) -> Path:
        """Where it is inside an epoch; missing while it does not train."""
        return self.path / STEP_FILE

    @property
    def steps(self) -> Path:
        """Its training loss by optimiser step, as CSV; missing where that is not logged."""
        return self.path / STEPS_FILE

    @property
    def worker_mark(self) -> Path:
        """Left by the process that works on it; missing while none does."""
        return self.path / MARK_FILE


@dataclass(frozen=True)
class SweepFolder:
    """A sweep's folder by its path. Nothing is read or written here."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def spec(self) -> Path:
        """All that defines the sweep."""
        return self.path / "sweep.json"

    @property
    def data(self) -> Path:
        """The sweep's own copy of the series."""
        return self.path / "data"

    @property
    def shared(self) -> SharedFolder:
        """What its trials share: initial scores, baselines, frozen features."""
        return SharedFolder(self.path / "shared")

    @property
    def study(self) -> Path:
        """The Optuna study; optuna-dashboard reads it."""
        return self.path / "study.db"

    @property
    def best(self) -> Path:
        """The exported checkpoint of the best trial; missing where none beats the initial model."""
        return self.path / "best"

    @property
    def report(self) -> Path:
        """The page to look at."""
        return self.path / "report.html"

    @property
    def tensorboard(self) -> Path:
        """What TensorBoard shows: a folder a run, and above them what is of all."""
        return self.path / "tensorboard"

    @property
    def leaderboard(self) -> Path:
        return self.path / "leaderboard.csv"

    @property
    def test_scores(self) -> Path:
        return self.path / "test_scores.json"

    @property
    def examples(self) -> Path:
        """Forecasts of the winner and of the initial model on some windows of the test part."""
        return self.path / "examples.json"

    @property
    def errors_on_test(self) -> Path:
        """Where the winner and the initial model err on the test part."""
        return self.path / "errors_on_test.json"

    @property
    def comparison(self) -> Path:
        """What the best trial's model is worth beside its scores."""
        return self.path / "comparison.json"

    @property
    def verdict(self) -> Path:
        """What was decided after the search."""
        return self.path / "verdict.json"

    @property
    def blends(self) -> Path:
        """What became of averaged weights: a folder a blend."""
        return self.path / "blends"

    @property
    def clock(self) -> Path:
        """Seconds of search so far."""
        return self.path / "clock.json"

    @property
    def timeline(self) -> Path:
        """What its processes did from when to when."""
        return self.shared.timeline

    @property
    def log(self) -> Path:
        """What happened, a line each with its time."""
        return self.path / "log.txt"

    @property
    def lock(self) -> Path:
        """Held by the process that runs the sweep."""
        return self.path / ".lock"

    @property
    def ray(self) -> Path:
        """Ray's own files; never read back."""
        return self.path / "ray"

    def trial(self, trial_id: str) -> TrialFolder:
        return TrialFolder(self.path / trial_id)

    def trials(self) -> list[TrialFolder]:
        """Return the trials on record in order of their ids, the search's before repeats of its best.

        A folder without any of its files has not started.
        """
        ids = {path: TrialId.parse(path.name) for path in self.path.glob("t*")}
        places = {TrialFolder(path): (found.repeat, found.number) for path, found in ids.items() if found is not None}
        found = [trial for trial in places if trial.params.exists() or trial.result.exists()]
        return sorted(found, key=places.__getitem__)
