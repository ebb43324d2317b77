"""Time-MoE as a trainable: trained on whole sequences with its own objective, forecasting each context by itself."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from data.files import check_readable
from data.missing import fill_forward
from data.normalization import context_normalization, series_normalization
from data.task.sequences import SequenceGather, sequence_windows
from data.task.task import ForecastTask, Part
from data.task.windows import Batch
from trainables.base import Forecast, FrozenPart, Validation
from trainables.checkpoints.pretrained import load_pretrained
from trainables.checkpoints.quiet import quiet_transformers
from trainables.checkpoints.weights import check_numbers, reject_beyond, reject_misfits, wrapper_prefix
from trainables.errors import HyperError
from trainables.parameters import AdamW, freeze, frozen_weights_hash
from trainables.sweep_trainable import SweepTrainable
from trainables.time_moe.attention import check_attention, implementation_of, why_not_flash
from trainables.time_moe.config import TimeMoeConfig
from trainables.time_moe.hyper import TIME_MOE, TimeMoeHyper
from trainables.time_moe.losses import HUBER_DELTA
from trainables.time_moe.modeling import TimeMoeForPrediction
from trainables.time_moe.workload import time_moe_workload
from trainables.workload import Workload

logger = logging.getLogger(__name__)


STRATEGIES: dict[str, Callable[[str], bool]] = {
    "full": lambda name: True,
    "freeze_experts": lambda name: ".experts." not in name,
    "heads_only": lambda name: name.startswith("lm_heads."),
}
WEIGHT_FILES = ("*.safetensors", "*.bin")


def decays(name: str, parameter: nn.Parameter) -> bool:
    """All but biases; the norms' weights too, as in the published training."""
    return not name.endswith("bias")


class TimeMoe(SweepTrainable[TimeMoeHyper]):
    """Time-MoE fine-tuned as its authors do: every horizon's Huber loss from every step, and the router's balance.

    Training windows are cut from each series' train rows by max_length and stride; the task's own windows, of
    context and prediction, are what validation forecasts. val_loss is the Huber loss of that forecast, in deviations
    of the context, so it compares with val_mae and not with train_loss.
    Source: Shi et al. 2024, arXiv:2409.16040 (objective; AdamW betas; weight decay on all but biases).
    """

    optimizer = AdamW(betas=(0.9, 0.95), decays=decays)
    loss_parts = ("heads", "balance")
    inference = {"strategy": "full", "norm": "none"}  # noqa: RUF012

    module: TimeMoeForPrediction

    @classmethod
    def recognises(cls, config: Mapping[str, object]) -> bool:
        return config.get("model_type") == "time_moe"

    def check(self, hyper: TimeMoeHyper, task: ForecastTask) -> None:
        check_attention(hyper)

    def fall_backs(self, hyper: TimeMoeHyper) -> dict[str, str]:
        """Say where attention auto is sdpa, and why."""
        reason = why_not_flash(hyper) if hyper.attention == "auto" else None
        if reason is None:
            return {}
        return {f"attention sdpa: {reason}": f"attention auto is sdpa here, not flash attention: {reason}"}

    @classmethod
    def workload(cls, hyper: TimeMoeHyper, task: ForecastTask) -> Workload:
        config = read_time_moe_config(hyper.pretrained)
        return time_moe_workload(config, hyper, task.spec, trains=STRATEGIES[hyper.strategy])

    def build(self, hyper: TimeMoeHyper, task: ForecastTask) -> nn.Module:
        self.check(hyper, task)
        self.module = load_time_moe(hyper.pretrained, implementation_of(hyper))
        longest = self.module.config.max_position_embeddings
        self._check_length("context_length + prediction_length", task.context_length + task.prediction_length, longest)
        self._check_length("max_length", hyper.max_length, longest)
        freeze(self.module, trains=STRATEGIES[hyper.strategy], strategy=hyper.strategy)
        if hyper.gradient_checkpointing:
            self.module.activation_checkpointing_enable()
        self.prediction_length = task.prediction_length
        self.norm = hyper.norm
        self.series_normalization = _series_normalization(task) if hyper.norm == "series" else None
        return self.module

    @staticmethod
    def _check_length(what: str, length: int, longest: int) -> None:
        if length > longest:
            raise HyperError(f"{what} must be at most {longest}, the positions of the model, got {length}; shorten it")

    def save_memory(self) -> bool:
        self.module.activation_checkpointing_enable()
        return True

    def training_windows(self, hyper: TimeMoeHyper, task: ForecastTask, device: torch.device) -> SequenceGather:
        return sequence_windows(
            task.panel,
            task.split.train_end,
            max_length=hyper.max_length,
            stride=hyper.stride or hyper.max_length,
            normalization=hyper.normalization,
            device=device,
        )

    def loss(self, batch: Batch) -> Tensor:
        """The objective of a micro-batch, (batch,): its masked mean, the same for each of its windows.

        batch.context, batch.target: (batch, max_length), inputs and labels; a NaN label does not count.
        """
        return self.loss_and_parts(batch)[0]

    def loss_and_parts(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Give the loss and its two terms: the heads' Huber loss, and the router's balance with its weight in the loss.

        A router that does not learn has no balance in the loss where the decoder's states are kept.
        """
        labels = batch.target
        observed, windows = ~labels.isnan(), len(labels)
        if batch.features is not None:
            heads = self.module.loss_of(batch.features, labels.nan_to_num(), observed)
            return heads.expand(windows), {"heads": heads.expand(windows)}
        decoded = self.module.model(fill_forward(batch.context))
        heads = self.module.loss_of(decoded.last_hidden_state, labels.nan_to_num(), observed)
        balance = self.module.auxiliary_loss(decoded.router_logits, None)
        return (heads + balance).expand(windows), {"heads": heads.expand(windows), "balance": balance.expand(windows)}

    def forecast(self, batch: Batch) -> Forecast:
        mean, deviation = self._normalization(batch)
        context = fill_forward((batch.context - mean) / deviation)
        points = self.module.generate(context, max_new_tokens=self.prediction_length)[:, context.shape[1] :]
        return Forecast(points * deviation + mean)

    def validate(self, batch: Batch) -> Validation:
        forecast = self.forecast(batch)
        return Validation(self.point_loss(forecast.point, batch), forecast)

    def point_loss(self, point: Tensor, batch: Batch) -> Tensor:
        """Huber loss over observed points, in deviations of the context, (batch,)."""
        _, deviation = context_normalization(batch.context)
        observed = ~batch.target.isnan()
        target = torch.where(observed, batch.target, point)
        errors = F.huber_loss(point / deviation, target / deviation, reduction="none", delta=HUBER_DELTA)
        return errors.sum(1) / observed.sum(1).clamp_min(1)

    def save_pretrained(self, folder: Path) -> None:
        """Write config.json and model.safetensors, which the published code loads as well as ours."""
        with quiet_transformers():
            self.module.save_pretrained(folder)

    def frozen_part(self, hyper: TimeMoeHyper, part: Part) -> FrozenPart | None:
        """With heads_only, the decoder's states at every training step; its router's balance is then constant.

        Nothing of a forecast: it feeds its own points back.
        """
        if part != "train" or hyper.strategy != "heads_only" or self.module.config.attention_dropout > 0:
            return None
        windows = f"{hyper.max_length} {hyper.stride} {hyper.normalization}"
        name = f"decoder of {hyper.pretrained} {windows} {frozen_weights_hash(self.module)}"
        return FrozenPart(name, self.states, "the decoder's states")

    def states(self, batch: Batch) -> Tensor:
        """Return the decoder's states, (batch, max_length, hidden)."""
        states: Tensor = self.module.model(fill_forward(batch.context)).last_hidden_state
        return states

    def _normalization(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Mean and deviation to normalise with, each (batch, 1) or a scalar."""
        if self.norm == "context":
            return context_normalization(batch.context)
        if self.series_normalization is None:
            return batch.context.new_zeros(()), batch.context.new_ones(())
        mean, deviation = (m.to(batch.context)[batch.series, None] for m in self.series_normalization)
        return mean, deviation


def read_time_moe_config(pretrained: str) -> TimeMoeConfig:
    """Read a configuration from a bundled name, a folder or the Hub; raises CheckpointError."""

    def read(source: str) -> TimeMoeConfig:
        with quiet_transformers():
            config: TimeMoeConfig = TimeMoeConfig.from_pretrained(source)
            return config

    return load_pretrained(pretrained, read, TIME_MOE)


def load_time_moe(pretrained: str, attention: str = "sdpa") -> TimeMoeForPrediction:
    """Load a TimeMoeForPrediction in float32 from a bundled name, a folder or the Hub; raises CheckpointError."""

    def load(source: str, **renaming: Any) -> Any:
        with quiet_transformers():
            return TimeMoeForPrediction.from_pretrained(
                source,
                dtype=torch.float32,
                attn_implementation=attention,
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # reported, not ignored
                **renaming,
            )

    def load_fitting(source: str) -> Any:
        if Path(source).is_dir():
            with quiet_transformers(), torch.device("meta"):
                skeleton = TimeMoeForPrediction(TimeMoeConfig.from_pretrained(source))
            files = [file for pattern in WEIGHT_FILES for file in Path(source).glob(pattern)]
            for file in files:
                check_readable(file)
            reject_beyond(skeleton, files)
        model, report = load(source)
        if prefix := wrapper_prefix(report["unexpected_keys"], report["missing_keys"]):
            logger.warning("%s: all names begin with %s, which is left out", source, prefix)
            model, report = load(source, key_mapping={f"^{re.escape(prefix)}": ""})
        reject_misfits(
            missing=report["missing_keys"],
            unexpected=report["unexpected_keys"],
            misshapen=sorted(report["mismatched_keys"]),
        )
        check_numbers(model.state_dict())
        return model

    model: TimeMoeForPrediction = load_pretrained(pretrained, load_fitting, TIME_MOE)
    return model


def _series_normalization(task: ForecastTask) -> tuple[Tensor, Tensor]:
    """Normalization of each series' train rows in the units of the task's batches, each (n_series,) float64."""
    if task.spec.scale == "standard":
        return torch.zeros(len(task.panel)), torch.ones(len(task.panel))
    mean, std = series_normalization(task.panel, task.normalization_end)
    return torch.from_numpy(np.nan_to_num(mean)), torch.from_numpy(np.nan_to_num(std, nan=1.0))
