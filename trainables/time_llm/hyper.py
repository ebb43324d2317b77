"""Time-LLM's hyperparameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field

from trainables.checkpoints.pretrained import Family
from trainables.hyper import MOST_UNITS, ScratchHyper

Storage = Literal["float32", "bfloat16", "4bit"]  # of the language model's weights

TIME_LLM = Family("Time-LLM", "its folder", "nothing: Time-LLM is trained from a language model (--set llm=…)")


class TimeLlmHyper(ScratchHyper):
    """llm: the language model, a folder, a Hub id, or a packaged name; llm_layers: how many of its layers are used.

    prompt, description: see `TimeLlmConfig`; without a description one is made of the data's facts.
    """

    llm: str | None = None
    llm_layers: int = Field(default=6, ge=1)
    load_in_4bit: bool = False
    prompt: Literal["masked", "published"] = "masked"
    description: str | None = None
    patch_len: int = Field(default=16, ge=1)
    stride: int = Field(default=8, ge=1)
    d_model: int = Field(default=32, ge=1, le=MOST_UNITS)
    d_ff: int = Field(default=32, ge=1, le=MOST_UNITS)
    n_heads: int = Field(default=8, ge=1, le=MOST_UNITS)
    num_prototypes: int = Field(default=1000, ge=1, le=MOST_UNITS)
    dropout: float = Field(default=0.1, ge=0, lt=1)

    checkpoints: ClassVar[Mapping[str, Family]] = {"pretrained": TIME_LLM}
    structure = (
        "llm",
        "llm_layers",
        "prompt",
        "description",
        "patch_len",
        "stride",
        "d_model",
        "d_ff",
        "n_heads",
        "num_prototypes",
    )

    @property
    def initial_model(self) -> str:
        return f"{super().initial_model} {self.llm_storage}"

    @property
    def llm_storage(self) -> Storage:
        if self.load_in_4bit:
            return "4bit"
        return "float32" if self.precision in ("auto", "fp32") else "bfloat16"
