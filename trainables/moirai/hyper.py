"""Moirai's hyperparameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field

from trainables.checkpoints.pretrained import Family
from trainables.hyper import Hyper

MOIRAI = Family("Moirai", "Salesforce/moirai-1.1-R-small", "moirai-tiny (--set pretrained=moirai-tiny)")


class MoiraiHyper(Hyper):
    """pretrained: a folder, a Hub id, or the name of a bundled model; patch_size: auto goes by the data's frequency.

    num_samples: draws that a point's quantiles are estimated from. As they are spread evenly, 25 are nearer to the
    quantiles than uni2ts's 100 independent ones, see docs/benchmarks.md.
    """

    checkpoints: ClassVar[Mapping[str, Family]] = {"pretrained": MOIRAI}

    pretrained: str
    strategy: Literal["full", "freeze_ffn", "head_only"]
    patch_size: Literal["auto"] | int = "auto"
    num_samples: int = Field(default=25, ge=1)

    @property
    def initial_model(self) -> str:
        return f"{self.pretrained} patch_size={self.patch_size} num_samples={self.num_samples}"
