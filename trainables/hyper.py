"""One trial's hyperparameters, checked: what every model shares. Needs no torch, so that a space is checked at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from trainables.checkpoints.pretrained import Family

ONECYCLE_RISE = 0.3  # of all steps
MOST = 10**9  # of anything that is counted: what is more was mistyped
# Sizes that no real model comes near: a configuration beyond them is damaged or hostile, and is not built even as a
# skeleton. The product of two of them still fits into 63 bits.
MOST_LAYERS, MOST_UNITS = 256, 1_000_000
# What a model that only forecasts has for the hyperparameters without a default.
ONLY_FORECASTS = {"lr": 1e-5, "epochs": 1, "batch_size": 1}


def _kinds(annotation: object) -> set[object]:
    """Return the types in an annotation: those of a union, and of the values of a Literal."""
    inside = get_args(annotation)
    if get_origin(annotation) is Literal:
        return {type(value) for value in inside}
    return set().union(*map(_kinds, inside)) if inside else {annotation}


class Hyper(BaseModel):
    """The values of one trial; a model adds its own fields in a subclass.

    lr is the nominal learning rate, reached after the warm-up. batch_size is the effective batch: memory decides
    only into how many micro-batches it is cut. patience counts epochs without a better validation.
    onecycle rises for warmup_steps or warmup_fraction of the steps, 0.3 of them where neither is given.
    The schedule ends at min_learning_rate or, where that is not given, at lr * min_lr_ratio.
    structure: the fields that are sizes of the model; a checkpoint sets them.
    shared_by_all_trials: the fields that must have one value in all trials of a sweep.
    checkpoints: the fields that name a model's files, and what messages say of each.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
    structure: ClassVar[tuple[str, ...]] = ()
    shared_by_all_trials: ClassVar[tuple[str, ...]] = ()
    checkpoints: ClassVar[Mapping[str, Family]] = {}

    lr: float = Field(gt=0, le=1)
    epochs: int = Field(ge=1, le=MOST)
    batch_size: int = Field(ge=1, le=MOST)
    warmup_steps: int = Field(default=0, ge=0, le=MOST)
    warmup_fraction: float | None = Field(default=None, ge=0, lt=1)
    weight_decay: float = Field(default=0.1, ge=0)
    schedule: Literal["constant", "cosine", "linear", "onecycle"] = "constant"
    min_lr_ratio: float = Field(default=0.0, ge=0, le=1)
    min_learning_rate: float | None = Field(default=None, ge=0)
    gradient_clip: float = Field(default=1.0, gt=0)
    patience: int = Field(default=3, ge=1, le=MOST)
    evals_per_epoch: int = Field(default=1, ge=1, le=MOST)
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    micro_batch_size: int | None = Field(default=None, ge=1, le=MOST)

    @field_validator("*", mode="before")
    @classmethod
    def _no_number_is_true_or_false(cls, value: object, info: ValidationInfo) -> object:
        """Reject true and false for a number, which Python takes for 1 and 0."""
        if isinstance(value, bool):
            kinds = _kinds(cls.model_fields[str(info.field_name)].annotation)
            if kinds & {int, float} and bool not in kinds:
                raise ValueError(f"must be a number, got {str(value).lower()}")
        return value

    @model_validator(mode="after")
    def _one_warmup(self) -> Hyper:
        if self.warmup_fraction is not None and self.warmup_steps:
            raise ValueError("give warmup_steps or warmup_fraction, not both; set warmup_steps=0 to go by the fraction")
        return self

    @model_validator(mode="after")
    def _floor_below_peak(self) -> Hyper:
        if self.min_learning_rate is not None and self.min_learning_rate > self.lr:
            raise ValueError(
                f"min_learning_rate must be at most lr, got {self.min_learning_rate} and lr {self.lr}; lower it"
            )
        if self.min_learning_rate is not None and self.min_lr_ratio:
            raise ValueError("give min_learning_rate or min_lr_ratio, not both")
        return self

    @property
    def initial_model(self) -> str:
        """Name the model before any training: trials with the same name share one evaluation of epoch 0."""
        return "initial"

    @property
    def floor_ratio(self) -> float:
        """The lowest learning rate of the schedule over the nominal one."""
        return self.min_lr_ratio if self.min_learning_rate is None else self.min_learning_rate / self.lr

    def warmup_of(self, total_steps: int) -> int:
        """Return the warm-up in optimiser steps for a run of total_steps."""
        if self.schedule == "onecycle" and self.warmup_fraction is None and not self.warmup_steps:
            return round(ONECYCLE_RISE * total_steps)
        if self.warmup_fraction is None:
            return self.warmup_steps
        return round(self.warmup_fraction * total_steps)


class ScratchHyper(Hyper):
    """init_seed: of the untrained weights, the same for all trials of one size, so that they start from one model.

    pretrained: a checkpoint of the model to continue from, which then sets all sizes.
    """

    init_seed: int = Field(default=0, ge=0)
    pretrained: str | None = None

    @property
    def initial_model(self) -> str:
        sizes = " ".join(f"{name}={getattr(self, name)}" for name in self.structure)
        return self.pretrained or f"untrained {self.init_seed} {sizes}"
