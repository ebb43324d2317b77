"""The folder that a sweep's trials share, and what each of them finds in it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

LATEST, BEST = "checkpoint", "best"  # a trial's slots: all that the next epoch needs, and the best epoch's weights
STEP_FILE = "step.json"  # where a trial is inside an epoch, while it trains
STEPS_FILE = "steps.csv"  # the training loss by optimiser step, see `trainables.trial.step_losses`
MARK_FILE = "worker.json"  # of the process that works on a trial, see `trainables.device.host_memory`
# Files of the best epoch:
WEIGHTS_FILE, REPORT_FILE, WINDOWS_FILE = "trained.safetensors", "report.json", "windows.safetensors"


@dataclass(frozen=True)
class SharedFolder:
    """What is computed once a sweep: the initial model's scores, the baselines' scores, frozen features.

    And what its trials did when.
    """

    path: Path

    @property
    def baselines(self) -> Path:
        """A JSON file a baseline."""
        return self.path / "baselines"

    def baseline(self, name: str) -> Path:
        return self.baselines / f"{name}.json"

    @property
    def initial(self) -> Path:
        """A JSON file an initial model, of which there may be several."""
        return self.path / "initial"

    def initial_scores(self, key: str) -> Path:
        """The scores of an initial model. key: what they depend on."""
        return self.initial / f"{digest(key)}.json"

    def micro_batch(self, key: str) -> Path:
        """The micro-batch that fitted when memory ran out; missing where it did not. key: what needs that memory."""
        return self.path / f"micro_batch_{digest(key)}.txt"

    @property
    def timeline(self) -> Path:
        """A line an activity; see `trainables.timeline`."""
        return self.path / "timeline.jsonl"

    @property
    def features(self) -> Path:
        return self.path / "features"

    @property
    def features_progress(self) -> Path:
        """How far the features are that are being computed; missing while none are."""
        return self.features / "progress.json"


def digest(key: str) -> str:
    """Return a short file name for whatever a key says."""
    return hashlib.sha256(key.encode()).hexdigest()[:24]
