"""What a scales.json says of the series in the files beside it, as `foretune data passages` writes it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from data.errors import UserError, near_names
from data.files import parse_json
from tune.validation_messages import validation_messages

SCALES_FILE = "scales.json"
VALIDATION_FILE = "val.jsonl"

Normalization = tuple[NDArray[np.float64], NDArray[np.float64]]


class RequestError(UserError):
    """A forecast that a checkpoint and its series cannot give."""


class Scale(BaseModel):
    """Mean and population deviation of some rows of a series."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)

    mean: float
    std: float = Field(ge=0)


class SeriesScales(BaseModel):
    """Of a series, the normalization of the training rows."""

    model_config = ConfigDict(extra="ignore")

    train: Scale


class Scales(BaseModel):
    """Where the targets of the val.jsonl beside it begin, and each series' training normalization."""

    model_config = ConfigDict(extra="ignore")

    target_start_idx: int = Field(ge=0)
    series: dict[str, SeriesScales] = {}

    @classmethod
    def beside(cls, data: Path) -> Scales | None:
        """Read the one in the folder of a .jsonl file, if there is one; RequestError if it cannot be read."""
        path = data.parent / SCALES_FILE
        if data.suffix != ".jsonl" or not path.is_file():
            return None
        remedy = "write the folder again with foretune data passages, or move the file away"
        try:
            return cls.model_validate(parse_json(path.read_text(encoding="utf-8")))
        except ValidationError as error:
            reason = ", ".join(f"{field} {why}".strip() for field, why in validation_messages(error).items())
            raise RequestError(f"{path}: {reason}; {remedy}") from error
        except (OSError, ValueError) as error:
            raise RequestError(f"{path}: cannot be read ({error}); {remedy}") from error

    def normalization(self, ids: tuple[str, ...]) -> Normalization:
        """Return mean and deviation of these series, a deviation of 0 as 1; RequestError for one that is not there."""
        missing = [name for name in ids if name not in self.series]
        if missing:
            raise RequestError(
                f"--norm series takes each series' mean and std from the {SCALES_FILE} beside the data, and it has "
                f"none for {missing[0]!r}{near_names(missing[0], self.series)}; take --norm context"
            )
        mean = np.array([self.series[name].train.mean for name in ids], dtype=np.float64)
        std = np.array([self.series[name].train.std for name in ids], dtype=np.float64)
        return mean, np.where(std == 0, 1.0, std)
