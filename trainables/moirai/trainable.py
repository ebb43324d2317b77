"""Moirai as a trainable: at one patch size, with its own negative log-likelihood."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from data.panel import Panel
from data.task.task import ForecastTask, Part
from data.task.windows import Batch
from trainables.base import QUANTILE_LEVELS, Forecast, FrozenPart, Validation
from trainables.device.recompute import recompute
from trainables.errors import HyperError
from trainables.moirai.checkpoint import load_moirai, read_moirai_config
from trainables.moirai.hyper import MoiraiHyper
from trainables.moirai.mixture import Prediction
from trainables.moirai.network import FixedPatchMoirai, Standardised
from trainables.moirai.workload import moirai_workload
from trainables.parameters import AdamW, freeze, frozen_weights_hash
from trainables.sweep_trainable import SweepTrainable
from trainables.workload import Workload

# For each unit of time, the smallest of the published patch sizes (8 to 128) in the range that uni2ts allows for it
# (uni2ts 2.0, transform/patch.py, DefaultPatchSizeConstraints). Keys are pandas aliases without number and anchor.
PATCH_SIZE_OF_FREQ = {
    **dict.fromkeys(["S"], 64),
    **dict.fromkeys(["T", "MIN", "H"], 32),
    **dict.fromkeys(["D", "B", "W"], 16),
    **dict.fromkeys(["M", "ME", "MS", "Q", "QE", "QS", "Y", "YE", "YS", "A"], 8),
}
DEFAULT_PATCH_SIZE = 32


STRATEGIES: dict[str, Callable[[str], bool]] = {
    "full": lambda name: True,
    "freeze_ffn": lambda name: "ffn" not in name,
    "head_only": lambda name: "param_proj" in name,
}


def decays(name: str, parameter: nn.Parameter) -> bool:
    """uni2ts decays the weights of its linear layers; biases, norms and embeddings are spared."""
    spared = ("norm", "mask_encoding", "attn_bias")
    return name.endswith("weight") and not any(part in name for part in spared)


class Moirai(SweepTrainable[MoiraiHyper]):
    """Univariate Moirai at one patch size; the loss is its own negative log-likelihood of the prediction tokens.

    Source: uni2ts 2.0 model/moirai/finetune.py (strategies, decay split, betas, eps).
    """

    optimizer = AdamW(betas=(0.9, 0.98), eps=1e-6, decays=decays)
    inference = {"strategy": "full"}  # noqa: RUF012

    module: FixedPatchMoirai

    @classmethod
    def recognises(cls, config: Mapping[str, object]) -> bool:
        return "distr_output" in config and "patch_sizes" in config

    def check(self, hyper: MoiraiHyper, task: ForecastTask) -> None:
        """Reject a patch size below 1; `build` rejects what depends on the weights."""
        if hyper.patch_size != "auto" and hyper.patch_size < 1:
            raise HyperError(f"patch_size must be at least 1, got {hyper.patch_size}; try auto")

    @classmethod
    def workload(cls, hyper: MoiraiHyper, task: ForecastTask) -> Workload:
        config = read_moirai_config(hyper.pretrained)
        patch_size = resolve_patch_size(hyper.patch_size, task.panel, config.patch_sizes)
        trains = STRATEGIES[hyper.strategy]
        return moirai_workload(config, task.spec, patch_size, draws=hyper.num_samples, trains=trains)

    def build(self, hyper: MoiraiHyper, task: ForecastTask) -> nn.Module:
        weights = load_moirai(hyper.pretrained)
        patch_size = resolve_patch_size(hyper.patch_size, task.panel, weights.config.patch_sizes)
        self.prediction_length = task.prediction_length
        self.prediction_tokens = math.ceil(task.prediction_length / patch_size)
        self.num_samples = hyper.num_samples
        tokens = math.ceil(task.context_length / patch_size) + self.prediction_tokens
        if tokens > weights.config.max_seq_len:
            raise HyperError(
                f"context and prediction must fit into {weights.config.max_seq_len} tokens of {patch_size} points, "
                f"got {tokens}; shorten --context-length or take a larger patch_size"
            )
        self.module = FixedPatchMoirai(weights, patch_size)
        freeze(self.module, trains=STRATEGIES[hyper.strategy], strategy=hyper.strategy)
        return self.module

    def loss(self, batch: Batch) -> Tensor:
        """Mean negative log-likelihood of each window's observed points, (batch,), in the units of the series."""
        standardised = self.module.standardise(batch.context)
        return self._loss(batch, standardised, self._predict(batch, standardised))

    def forecast(self, batch: Batch) -> Forecast:
        standardised = self.module.standardise(batch.context)
        return self._forecast(standardised, self._predict(batch, standardised))

    def forecast_apart(self, batch: Batch, seed: int) -> Forecast:
        standardised = self.module.standardise(batch.context)
        return self._forecast(standardised, self._predict(batch, standardised), seed)

    def validate(self, batch: Batch) -> Validation:
        standardised = self.module.standardise(batch.context)
        prediction = self._predict(batch, standardised)
        loss = self._loss(batch, standardised, prediction)
        return Validation(loss, self._forecast(standardised, prediction))

    def save_pretrained(self, folder: Path) -> None:
        """Write config.json and model.safetensors, which `MoiraiModule.from_pretrained` loads."""
        self.module.write_back().save_pretrained(folder)

    def frozen_part(self, hyper: MoiraiHyper, part: Part) -> FrozenPart | None:
        """With head_only, all before the head is frozen; dropout in it would make its output change."""
        if hyper.strategy != "head_only" or any(isinstance(m, nn.Dropout) and m.p > 0 for m in self.module.modules()):
            return None
        name = f"encoder of {hyper.initial_model} {frozen_weights_hash(self.module)}"
        return FrozenPart(name, self.prediction_states, "the encoder's states")

    def save_memory(self) -> bool:
        recompute(self.module.encoder.layers)
        return True

    def prediction_states(self, batch: Batch) -> Tensor:
        """Return the encoder's output at the prediction tokens, (batch, prediction_tokens, d_model)."""
        return self.module.encode(self.module.standardise(batch.context).values, self.prediction_tokens)

    def _predict(self, batch: Batch, standardised: Standardised) -> Prediction:
        states = batch.features
        if states is None:
            states = self.module.encode(standardised.values, self.prediction_tokens)
        # densities need float32's range, whatever the products before them ran in
        with torch.autocast(states.device.type, enabled=False):
            return self.module.predict(states.to(torch.promote_types(states.dtype, torch.float32)))

    def _loss(self, batch: Batch, standardised: Standardised, prediction: Prediction) -> Tensor:
        padding = -self.prediction_length % self.module.patch_size
        target = F.pad(batch.target, (0, padding), value=float("nan"))
        observed = ~torch.isnan(target)
        scaled = (torch.where(observed, target, 0.0) - standardised.loc) / standardised.scale
        density = prediction.log_prob(scaled.unflatten(-1, (-1, self.module.patch_size))).flatten(1)
        density = density - standardised.scale.log()
        return -torch.where(observed, density, 0.0).sum(1) / observed.sum(1).clamp_min(1)

    def _forecast(self, standardised: Standardised, prediction: Prediction, seed: int | None = None) -> Forecast:
        estimated = prediction.quantiles(QUANTILE_LEVELS, self.num_samples, seed).flatten(1, 2)  # (batch, step, level)
        quantiles = estimated[:, : self.prediction_length].transpose(1, 2)
        quantiles = quantiles * standardised.scale[:, None] + standardised.loc[:, None]
        return Forecast(quantiles[:, QUANTILE_LEVELS.index(0.5)], quantiles)


def resolve_patch_size(wanted: int | str, panel: Panel, offered: tuple[int, ...] | list[int]) -> int:
    """Turn auto into the patch size for the panel's frequency; HyperError if the checkpoint does not have it."""
    if wanted == "auto":
        unit = (panel.freq or "").lstrip("0123456789").split("-")[0].upper()
        wanted = PATCH_SIZE_OF_FREQ.get(unit, DEFAULT_PATCH_SIZE)
    if wanted not in offered:
        raise HyperError(
            f"patch_size must be one that the checkpoint has ({', '.join(map(str, offered))}), got {wanted}; "
            "choose one with --set patch_size=N"
        )
    return int(wanted)
