"""One report of a trial, what it measured and why a trial ended; the only place that knows a report's keys."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum

from trainables.device.card_use import CARD_COLUMNS, CardUse

METRICS = ("val_loss", "val_mae", "val_mse", "val_rmse", "val_mase", "val_wql", "val_smape")  # smaller is better
DATA_MEASURES = ("val_data_mae", "val_data_mse", "val_data_rmse")  # in the units of the data
MEASURES = (*METRICS, "val_coverage", "val_width", *DATA_MEASURES)  # of every evaluation
WARMUP_EPOCHS = "warmup_epochs"
COLUMNS = (
    "epoch",
    *MEASURES,
    "train_loss",
    "gradient_norm",
    "lr",
    "seconds",
    "waited_seconds",
    "peak_memory_bytes",
    "micro_batch_size",
    "fall_backs",
    *CARD_COLUMNS,
    WARMUP_EPOCHS,
    "best_epoch",
    "best_so_far",
    "stopped_by",
)
TEXTS = ("fall_backs", "stopped_by")  # columns that hold no numbers
# columns that older records lack
LATER_COLUMNS = ("gradient_norm", "waited_seconds", "micro_batch_size", "fall_backs", *CARD_COLUMNS, WARMUP_EPOCHS)
ZERO_SHOT = "zero-shot"  # the initial model's name, where it was pretrained

TRAIN_PART = "train_"  # before the name of a term of the loss, in a column

Row = dict[str, object]  # a report as JSON and CSV hold it


class StopReason(StrEnum):
    """Why a trial ended.

    asha, median: the scheduler stopped it; epochs: it came to its own end; max_steps: to the end of the optimiser
    steps that every trial of the sweep has at most.
    """

    EPOCHS = "epochs"
    MAX_STEPS = "max_steps"
    PATIENCE = "patience"
    DIVERGED = "diverged"
    ASHA = "asha"
    MEDIAN = "median"
    ERROR = "error"

    @property
    def is_complete(self) -> bool:
        """Whether the trial has trained for as long as it was to."""
        return self in (StopReason.EPOCHS, StopReason.MAX_STEPS)

    @property
    def is_of_scheduler(self) -> bool:
        """Whether the scheduler stopped the trial as a poor one."""
        return self in (StopReason.ASHA, StopReason.MEDIAN)


@dataclass(frozen=True)
class Scores:
    """A model measured on the windows of a part of a task; None where a score is no finite number, or unknown.

    val_loss: mean loss a window. val_mae, val_mse, val_rmse: of the point forecast over observed points, and val_width
    of the 80 % interval, in the scale of the task. val_mase, val_wql, val_smape, val_coverage: of values in the units
    of the data; see `data.metrics.ForecastErrors`. A point forecast has no coverage and no width.
    val_data_mae, val_data_mse, val_data_rmse: of the point forecast over all observed points of all series, in the
    units of the data, so that large series weigh most; None in records from before they were measured.
    extra: a model's further scores by name, each a mean over windows.
    """

    val_loss: float | None = None
    val_mae: float | None = None
    val_mse: float | None = None
    val_rmse: float | None = None
    val_mase: float | None = None
    val_wql: float | None = None
    val_smape: float | None = None
    val_coverage: float | None = None
    val_width: float | None = None
    val_data_mae: float | None = None
    val_data_mse: float | None = None
    val_data_rmse: float | None = None
    extra: Mapping[str, float | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in MEASURES:
            object.__setattr__(self, name, finite(getattr(self, name)))
        object.__setattr__(self, "extra", {name: finite(value) for name, value in self.extra.items()})

    def __getitem__(self, name: str) -> float | None:
        """Return a score by its name; KeyError for one that these scores cannot have."""
        return getattr(self, name) if name in MEASURES else self.extra[name]

    @classmethod
    def of(cls, values: Mapping[str, object]) -> Scores:
        """Read scores by name, as `to_row` gives them; others are extra."""
        known = {name: finite(values.get(name)) for name in MEASURES}
        return cls(**known, extra={name: finite(value) for name, value in values.items() if name not in MEASURES})

    def to_row(self) -> dict[str, float | None]:
        """Return the scores by name."""
        return {**{name: self[name] for name in MEASURES}, **self.extra}


@dataclass(frozen=True)
class Report:
    """What a trial reports after an evaluation; a number that is not finite is None.

    epoch: 0 is the initial model; a fraction where a trial is evaluated several times an epoch.
    train_loss, gradient_norm, lr: mean loss, mean norm before clipping, and last learning rate since the report before;
    None at epoch 0. loss_parts: the mean of each term that the model's loss is made of, by name.
    seconds: of training and evaluation since then. waited_seconds: for a card that was too hot, not among them; None
    without a card.
    micro_batch_size: windows that go through the model at once. fall_backs: what was done beside it because memory ran
    out, and what the model does otherwise because the machine cannot do it. card: what the driver said of it meanwhile;
    all None without one.
    warmup_epochs: how long the trial's learning rate rises, in epochs; no trial is judged by others before that.
    best_epoch: the best of the epochs after 0, None while there is none.
    best_so_far: the metric at best_epoch, or of this report while there is none.
    stopped_by: why the trial ends here; None while it goes on.
    """

    epoch: float
    scores: Scores
    seconds: float = 0.0
    train_loss: float | None = None
    gradient_norm: float | None = None
    lr: float | None = None
    loss_parts: Mapping[str, float | None] = field(default_factory=dict)
    waited_seconds: float | None = None
    peak_memory_bytes: int = 0
    micro_batch_size: int | None = None
    fall_backs: str | None = None
    card: CardUse = field(default_factory=CardUse)
    warmup_epochs: float = 0.0
    best_epoch: float | None = None
    best_so_far: float | None = None
    stopped_by: StopReason | None = None

    def __post_init__(self) -> None:
        for name in ("train_loss", "gradient_norm", "lr", "best_so_far"):
            object.__setattr__(self, name, finite(getattr(self, name)))
        object.__setattr__(self, "loss_parts", {name: finite(value) for name, value in self.loss_parts.items()})

    @property
    def is_trained(self) -> bool:
        """Whether it is of a model after some training, not of the initial one."""
        return self.epoch > 0

    @property
    def is_best(self) -> bool:
        """Whether this epoch is the trial's best so far."""
        return self.is_trained and self.best_epoch == self.epoch

    def to_row(self) -> Row:
        """Return the report by column, the terms of a model's loss and its further scores last."""
        values: Row = {
            **{name: self.scores[name] for name in MEASURES},
            "epoch": whole(self.epoch),
            "train_loss": self.train_loss,
            "gradient_norm": self.gradient_norm,
            "lr": self.lr,
            "seconds": self.seconds,
            "waited_seconds": self.waited_seconds,
            "peak_memory_bytes": self.peak_memory_bytes,
            "micro_batch_size": self.micro_batch_size,
            "fall_backs": self.fall_backs,
            **asdict(self.card),
            WARMUP_EPOCHS: self.warmup_epochs,
            "best_epoch": None if self.best_epoch is None else whole(self.best_epoch),
            "best_so_far": self.best_so_far,
            "stopped_by": None if self.stopped_by is None else str(self.stopped_by),
        }
        parts = {f"{TRAIN_PART}{name}": value for name, value in self.loss_parts.items()}
        return {**{name: values[name] for name in COLUMNS}, **parts, **self.scores.extra}

    @classmethod
    def from_row(cls, row: Mapping[str, object]) -> Report:
        """Read what `to_row` gave, whatever else it holds; raises KeyError, TypeError or ValueError."""
        epoch, best_epoch, stopped_by = finite(row["epoch"]), finite(row["best_epoch"]), row["stopped_by"]
        if epoch is None or epoch < 0:
            raise ValueError(f"a report is of an epoch from 0 on, got {row['epoch']!r:.60}")
        return cls(
            epoch=whole(epoch),
            scores=Scores.of({name: value for name, value in row.items() if name.startswith("val_")}),
            seconds=finite(row["seconds"]) or 0.0,
            train_loss=finite(row["train_loss"]),
            gradient_norm=finite(row.get("gradient_norm")),
            lr=finite(row["lr"]),
            loss_parts={
                name.removeprefix(TRAIN_PART): finite(value)
                for name, value in row.items()
                if name.startswith(TRAIN_PART) and name not in COLUMNS
            },
            waited_seconds=finite(row.get("waited_seconds")),
            micro_batch_size=None if (size := finite(row.get("micro_batch_size"))) is None else int(size),
            fall_backs=None if (fall_backs := row.get("fall_backs")) is None else str(fall_backs),
            card=CardUse(**{name: finite(row.get(name)) for name in CARD_COLUMNS}),
            peak_memory_bytes=int(finite(row["peak_memory_bytes"]) or 0),
            warmup_epochs=finite(row.get(WARMUP_EPOCHS)) or 0.0,
            best_epoch=None if best_epoch is None else whole(best_epoch),
            best_so_far=finite(row["best_so_far"]),
            stopped_by=None if stopped_by is None else StopReason(str(stopped_by)),
        )


def best_report(reports: Iterable[Report], metric: str) -> Report | None:
    """Return the first of the best reports after epoch 0; None where none has a number in the metric."""
    scored = [
        (value, report) for report in reports if report.is_trained and (value := report.scores[metric]) is not None
    ]
    return min(scored, key=lambda pair: pair[0])[1] if scored else None


def finite(value: object) -> float | None:
    """Return a number, or None where it is missing or not finite; TypeError for anything else."""
    if value is None:
        return None
    number = _number(value)
    return number if math.isfinite(number) else None


def whole(epoch: float) -> float:
    """Return an epoch as a whole number where it is one, so that it is written as one."""
    return int(epoch) if float(epoch).is_integer() else float(epoch)


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"a report holds numbers, got {value!r:.60}")
    try:
        float(value)
    except OverflowError:  # a whole number of hundreds of digits
        return math.inf
    return value
