"""Time-MoE's hyperparameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field, field_validator

from trainables.checkpoints.pretrained import Family
from trainables.hyper import Hyper

TIME_MOE = Family("Time-MoE", "Maple728/TimeMoE-50M", "time-moe-tiny (--set pretrained=time-moe-tiny)")


class TimeMoeHyper(Hyper):
    """pretrained: a folder, a Hub id, or the name of a bundled model.

    max_length: steps of a training window; stride: rows from one to the next, max_length where it is not given.
    normalization: of each training sequence as a whole. norm: of what is forecast from, undone afterwards: by the
    window's own context, by its series' training rows, or not at all.
    attention: flash_attention_2 is flash; auto is flash where the machine and the precision allow it, else sdpa.
    """

    checkpoints: ClassVar[Mapping[str, Family]] = {"pretrained": TIME_MOE}

    pretrained: str
    strategy: Literal["full", "freeze_experts", "heads_only"]
    max_length: int = Field(default=1024, ge=2)
    stride: int | None = Field(default=None, ge=1)
    normalization: Literal["zero", "max", "none"] = "zero"
    norm: Literal["context", "series", "none"] = "context"
    attention: Literal["auto", "eager", "sdpa", "flash"] = "sdpa"
    gradient_checkpointing: bool = False

    @field_validator("attention", mode="before")
    @classmethod
    def _name_of_transformers(cls, name: object) -> object:
        return "flash" if name == "flash_attention_2" else name

    @property
    def initial_model(self) -> str:
        return f"{self.pretrained} norm={self.norm}"
