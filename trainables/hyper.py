"""One trial's hyperparameters, checked: what every model shares."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Hyper(BaseModel):
    """The values of one trial; a model adds its own fields in a subclass.

    lr is the nominal learning rate, reached after the warm-up. batch_size is the effective batch: memory decides
    only into how many micro-batches it is cut. patience counts epochs without a better validation.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    lr: float = Field(gt=0, le=1)
    epochs: int = Field(ge=1)
    batch_size: int = Field(ge=1)
    warmup_steps: int = Field(default=0, ge=0)
    warmup_fraction: float | None = Field(default=None, ge=0, lt=1)
    weight_decay: float = Field(default=0.1, ge=0)
    schedule: Literal["constant", "cosine", "linear"] = "constant"
    min_lr_ratio: float = Field(default=0.0, ge=0, le=1)
    gradient_clip: float = Field(default=1.0, gt=0)
    patience: int = Field(default=3, ge=1)
    evals_per_epoch: int = Field(default=1, ge=1)
    precision: Literal["fp32", "bf16"] = "fp32"
    micro_batch_size: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _one_warmup(self) -> Hyper:
        if self.warmup_fraction is not None and self.warmup_steps:
            raise ValueError("give warmup_steps or warmup_fraction, not both; set warmup_steps=0 to go by the fraction")
        return self

    def warmup_of(self, total_steps: int) -> int:
        """Return the warm-up in optimiser steps for a run of total_steps."""
        if self.warmup_fraction is None:
            return self.warmup_steps
        return round(self.warmup_fraction * total_steps)
