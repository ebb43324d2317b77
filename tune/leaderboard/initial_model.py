"""The words for the model at epoch 0: zero-shot where it was pretrained, a name of its own where it was not."""

from __future__ import annotations

from dataclasses import dataclass

from trainables.trial.report import ZERO_SHOT


@dataclass(frozen=True)
class InitialModel:
    """name: a model's `initial_name`; it heads columns, labels lines, and follows "better than"."""

    name: str = ZERO_SHOT

    @property
    def is_pretrained(self) -> bool:
        """Whether the model could forecast before any training, so that keeping it is an answer."""
        return self.name == ZERO_SHOT

    @property
    def model(self) -> str:
        """The initial model as a sentence's subject: zero-shot, the untrained model."""
        return self.name if self.is_pretrained else f"the {self.name} model"

    @property
    def own(self) -> str:
        """The initial model as what a trial beats: zero-shot, its untrained start."""
        return self.name if self.is_pretrained else f"its {self.name} start"

    @property
    def when_beaten(self) -> str:
        """The verdict where a trial is better."""
        return f"beats {self.own}"

    @property
    def when_unbeaten(self) -> str:
        """The verdict where none is; nothing is kept of a model that has learned nothing."""
        return f"keep {self.name}" if self.is_pretrained else "nothing worth keeping"
