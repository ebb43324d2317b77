"""What a sweep's windows decided: the answer, its figures, and what it was decided of."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from pydantic import TypeAdapter, ValidationError

from data.errors import DamagedFileError
from data.files import read_object, replace_text
from tune.records.sweep_folder import SweepFolder

MAIN_METRICS = ("val_loss", "val_mae", "val_wql")  # a model that is worse by one of these is not used unasked
CONFIDENCE = 0.9
WITH_ZERO = ("val_mae", "val_mse", "val_rmse", "val_mase", "val_wql", "val_smape")  # of others a share means nothing


class Decision(StrEnum):
    """The answer. undecided: nothing could be compared."""

    USE = "use"
    BLEND = "blend"
    KEEP = "keep"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class Interval:
    """A difference to the initial model, above 0 where it is better, and where it lies at the verdict's confidence."""

    difference: float
    low: float
    high: float

    def share_of(self, value: float) -> Interval:
        """Return it as a share of a value, which is above 0."""
        return Interval(self.difference / value, self.low / value, self.high / value)


@dataclass(frozen=True)
class Flaw:
    """Why a candidate that is better by the metric was passed over: it is worse by another one."""

    name: str
    metric: str
    initial: float
    value: float


@dataclass(frozen=True)
class OnTest:
    """What the test part says of the candidate beside the initial model, by the same metric.

    worse_by: the other main metrics by which it is worse there, each with the share where it has one.
    """

    agrees: bool
    initial: float
    value: float
    interval: Interval | None = None
    worse_by: tuple[str, ...] = ()


@dataclass(frozen=True)
class Verdict:
    """decision: the answer. candidate: the trial or blend that it is about; None where there is none.

    best: the one that is best by the metric without a flaw; the candidate may be closer to the initial model.
    confidence: of the interval, and of the test that corrects for having picked. value, initial: the candidate's and
    the initial model's score in the metric. difference: with its interval. p_value: of no candidate being better than
    the initial model. windows, blocks: of validation; blocks are about independent, few_blocks says that they are few.
    series_better, series_worse: how many series the candidate is better and worse in. trials_compared: trials and
    blends that were asked. confidence_set: those that cannot be distinguished from the best. passed_over: better by the
    metric, and worse by another. seeds: of the candidate's repeats, which value is the mean of and spread the standard
    deviation; 0 of a single run. skill: by name, of MAE over series against the naive baseline. note: why there are no
    blends, where there are none. of: the best epoch of every trial when this was decided.
    """

    decision: Decision
    metric: str
    confidence: float
    candidate: str | None = None
    best: str | None = None
    value: float | None = None
    initial: float | None = None
    difference: Interval | None = None
    p_value: float | None = None
    windows: int = 0
    blocks: int = 0
    few_blocks: bool = False
    series_better: int = 0
    series_worse: int = 0
    trials_compared: int = 0
    confidence_set: tuple[str, ...] = ()
    passed_over: tuple[Flaw, ...] = ()
    seeds: int = 0
    spread: float | None = None
    skill: Mapping[str, float] = field(default_factory=dict)
    test: OnTest | None = None
    note: str = ""
    of: Mapping[str, float | None] = field(default_factory=dict)

    @property
    def percent(self) -> Interval | None:
        """The difference in percent of the initial model's score; None for a metric without a zero."""
        if self.difference is None or not self.initial or self.metric not in WITH_ZERO:
            return None
        return self.difference.share_of(self.initial / 100)

    def to_dict(self) -> dict[str, object]:
        """The stable form that other tools may read."""
        percent = self.percent
        row: dict[str, Any] = _ADAPTER.dump_python(self, mode="json", exclude={"of"})
        return {**row, "percent": None if percent is None else vars(percent)}

    def write(self, folder: SweepFolder) -> None:
        replace_text(folder.verdict, json.dumps(_ADAPTER.dump_python(self, mode="json"), indent=1))

    @classmethod
    def read(cls, folder: SweepFolder) -> Verdict | None:
        """Read what `write` wrote; None where there is none, or it is damaged: `finish` decides again."""
        try:
            return _ADAPTER.validate_python(read_object(folder.verdict))
        except (FileNotFoundError, DamagedFileError, ValidationError):
            return None


_ADAPTER = TypeAdapter(Verdict)
