"""A Moirai checkpoint in uni2ts's format, loaded with uni2ts's own module: config.json beside model.safetensors."""

from __future__ import annotations

import importlib
import sys
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import BaseModel, ConfigDict, Field

from trainables.model_files import read_checkpoint_config, read_checkpoint_weights
from trainables.moirai.hyper import MOIRAI
from trainables.pretrained import load_pretrained
from trainables.weights import shapes_of

DISTRIBUTIONS = "uni2ts.distribution"


class MoiraiConfig(BaseModel):
    """What uni2ts writes as config.json, within what a machine can hold; the published large model is 1024 wide."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    distr_output: dict[str, Any]
    d_model: int = Field(ge=1, le=16384)
    num_layers: int = Field(ge=1, le=256)
    patch_sizes: tuple[Annotated[int, Field(ge=1, le=4096)], ...] = Field(min_length=1, max_length=64)
    max_seq_len: int = Field(ge=1, le=1_000_000)
    attn_dropout_p: float = Field(ge=0, lt=1)
    dropout_p: float = Field(ge=0, lt=1)
    scaling: bool = True


def load_moirai(pretrained: str) -> Any:
    """Load a MoiraiModule from a bundled name, a local folder or the Hub; raises CheckpointError."""
    config = read_checkpoint_config(pretrained, MoiraiConfig, MOIRAI)
    with torch.device("meta"):
        skeleton = load_pretrained(pretrained, lambda _: make_module(config), MOIRAI)
    tensors = read_checkpoint_weights(pretrained, shapes_of(skeleton.state_dict()), MOIRAI)
    module = make_module(config)
    module.load_state_dict(tensors)
    return module.eval()


def make_module(config: MoiraiConfig) -> Any:
    """Make an untrained MoiraiModule; ValueError or TypeError for a distribution that uni2ts does not have."""
    options = config.model_dump(exclude={"distr_output"})
    return import_moirai_module()(distr_output=_distribution(config.distr_output), **options)


def import_moirai_module() -> Any:
    """Import uni2ts's MoiraiModule class without lightning and gluonts, which its package pulls in.

    `uni2ts.model.moirai` imports its training and forecasting code too: four fifths of a start-up of 20 s, which
    every worker would pay. An empty module for that package is in place only while its `module` is imported.
    """
    package = "uni2ts.model.moirai"
    if package in sys.modules:
        return importlib.import_module(f"{package}.module").MoiraiModule
    parent = importlib.import_module("uni2ts.model")
    stand_in = types.ModuleType(package)
    stand_in.__path__ = [str(Path(parent.__path__[0]) / "moirai")]
    sys.modules[package] = stand_in
    try:
        return importlib.import_module(f"{package}.module").MoiraiModule
    finally:
        del sys.modules[package]


def _distribution(config: Mapping[str, Any]) -> Any:
    """Make a distribution from its `_target_`, a class of uni2ts, and its arguments.

    uni2ts's own decoder calls whatever can be reached from its package by dots, and so from its modules' imports.
    """
    known = importlib.import_module(DISTRIBUTIONS)
    target = str(config.get("_target_"))
    classes = [c for c in vars(known).values() if isinstance(c, type) and issubclass(c, known.DistributionOutput)]
    made = next((c for c in classes if target == f"{c.__module__}.{c.__name__}"), None)
    if made is None:
        raise ValueError(f"distr_output must be a distribution of {DISTRIBUTIONS}, got {target!r}")
    return made(**{key: _decoded(value) for key, value in config.items() if key != "_target_"})


def _decoded(value: Any) -> Any:
    if isinstance(value, Mapping) and "_target_" in value:
        return _distribution(value)
    return [_decoded(part) for part in value] if isinstance(value, list) else value
