"""What the best trial's model is worth beside its scores, as its kind says it after the search."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from data.errors import DamagedFileError
from data.files import read_object, replace_text
from trainables.trial.report import finite
from tune.records.sweep_folder import SweepFolder


@dataclass(frozen=True)
class Comparison:
    """sentences: by name, of this epoch of this trial."""

    trial_id: str
    best_epoch: float | None
    sentences: Mapping[str, str]

    def write(self, folder: SweepFolder) -> None:
        replace_text(folder.comparison, json.dumps(asdict(self), indent=1))

    @classmethod
    def read(cls, folder: SweepFolder) -> Comparison | None:
        """Read what `write` wrote; None where there is nothing, or where it is damaged: `finish` writes it again."""
        try:
            found = read_object(folder.comparison)
            sentences = {str(name): str(sentence) for name, sentence in found["sentences"].items()}
            return cls(str(found["trial_id"]), finite(found["best_epoch"]), sentences)
        except (FileNotFoundError, DamagedFileError, KeyError, TypeError, AttributeError):
            return None
