"""What a person writes about a forecast task; needs no torch, so that a sweep's record can be read at once."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from data.errors import TaskError
from data.split import parse_split

Part = Literal["train", "val", "test"]
PARTS: tuple[Part, ...] = ("train", "val", "test")


class TaskSpec(BaseModel):
    """What a person writes about a task.

    split: a name that `data.split.parse_split` knows; kept in its shortest form: equal splits are equal.
    context_length, prediction_length: rows.
    train_stride, eval_stride: rows from one window to the next, in training and in validation and test.
    scale: 'standard' takes off each series' training mean and divides by its deviation; 'none' leaves it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    split: str = "ratio"
    context_length: int = Field(ge=1)
    prediction_length: int = Field(ge=1)
    train_stride: int = Field(default=1, ge=1)
    eval_stride: int = Field(default=1, ge=1)
    scale: Literal["none", "standard"] = "none"

    @field_validator("split")
    @classmethod
    def _known_split(cls, text: str) -> str:
        """Check the name, as a ValueError so that pydantic reports it with the spec's other mistakes."""
        try:
            return str(parse_split(text))
        except TaskError as error:
            raise ValueError(str(error)) from error
