"""What a user writes about a forecast task; needs neither torch nor numpy, so that it can be checked at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, field_validator, model_serializer

from data.errors import TaskError
from data.task.split_rule import parse_split

if TYPE_CHECKING:
    import numpy as np

Part = Literal["train", "val", "test"]
MOST = 10**9  # rows or windows: what is longer was mistyped
PARTS: tuple[Part, ...] = ("train", "val", "test")


class TaskSpec(BaseModel):
    """What a user writes about a task.

    split: a name that `data.task.split_rule.parse_split` knows; kept in its shortest form: equal splits are equal.
    context_length, prediction_length: rows.
    train_stride, eval_stride: rows from one window to the next, in training and in validation and test.
    scale: 'standard' takes off each series' training mean and divides by its deviation; 'none' leaves it.
    max_windows: at most so many train windows; max_eval_windows: of validation and of test, each. They are drawn by
    window_seed; None takes all. Where none is drawn, none of the three is written down.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    split: str = "ratio"
    context_length: int = Field(ge=1, le=MOST)
    prediction_length: int = Field(ge=1, le=MOST)
    train_stride: int = Field(default=1, ge=1, le=MOST)
    eval_stride: int = Field(default=1, ge=1, le=MOST)
    scale: Literal["none", "standard"] = "none"
    max_windows: int | None = Field(default=None, ge=1, le=MOST)
    max_eval_windows: int | None = Field(default=None, ge=1, le=MOST)
    window_seed: int = Field(default=0, ge=0, le=MOST)

    @property
    def eval_overlap(self) -> int:
        """How many windows of validation or test it is from one to the next that shares no target with it."""
        return -(-self.prediction_length // self.eval_stride)

    def most_windows(self, part: Part) -> int | None:
        """Return how many windows a part may have, None for all."""
        return self.max_windows if part == "train" else self.max_eval_windows

    def window_generator(self, part: Part) -> np.random.Generator:
        """Return what draws a part's windows, at its beginning."""
        import numpy as np  # a fifth of a second, and what was typed is checked without it

        return np.random.default_rng((self.window_seed, PARTS.index(part)))

    @property
    def draws_windows(self) -> bool:
        """Whether some part takes only a number of its windows, drawn by the seed."""
        return (self.max_windows, self.max_eval_windows) != (None, None)

    @field_validator("split")
    @classmethod
    def _known_split(cls, text: str) -> str:
        """Check the name, as a ValueError so that pydantic reports it with the spec's other mistakes."""
        try:
            return str(parse_split(text))
        except TaskError as error:
            raise ValueError(str(error)) from error

    @model_serializer(mode="wrap")
    def _written(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out how windows are drawn where none is."""
        facts: dict[str, Any] = write(self)
        unused = () if self.draws_windows else ("max_windows", "max_eval_windows", "window_seed")
        return {name: value for name, value in facts.items() if name not in unused}
