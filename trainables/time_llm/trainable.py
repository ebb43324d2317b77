"""Time-LLM as a trainable: everything but the language model trains, on windows whose prompts are made once a sweep."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from data.missing import fill_gaps
from data.portable import file_name
from data.task.task import ForecastTask, Part
from data.task.windows import Batch
from trainables.base import Forecast, FrozenPart, Validation
from trainables.errors import HyperError
from trainables.scratch import ScratchTrainable
from trainables.time_llm.backbone import check_4bit, fetch_backbone, load_tokenizer, read_backbone_config
from trainables.time_llm.hyper import TimeLlmHyper
from trainables.time_llm.modeling import MODEL_TYPE, TimeLLM, TimeLlmConfig
from trainables.time_llm.prompts import ETT, tokenize, write_prompts
from trainables.time_llm.workload import workload
from trainables.workload import Workload

PREVIEWED_WINDOWS = 256
PUBLISHED_EVAL_BATCH = 16  # small enough for any memory: scores must not depend on what fits


class TimeLlm(ScratchTrainable[TimeLlmHyper, TimeLlmConfig]):
    """Time-LLM, trained on the mean squared error of scaled values; its language model stays as it is.

    Source: Jin et al. 2023, arXiv:2310.01728.
    """

    module: TimeLLM

    @classmethod
    def recognises(cls, config: Mapping[str, object]) -> bool:
        return config.get("model_type") == MODEL_TYPE

    def check(self, hyper: TimeLlmHyper, task: ForecastTask) -> None:
        if hyper.load_in_4bit:
            check_4bit()
        if hyper.precision == "fp16":
            raise HyperError("precision fp16 is not for Time-LLM, whose prototypes overflow it; use bf16 or fp32")
        if hyper.pretrained is None and hyper.llm is None:
            raise HyperError("llm must name a language model: a folder, a Hub id like openai-community/gpt2")

    def preview(self, hyper: TimeLlmHyper, task: ForecastTask) -> int:
        """Check sizes and fetch the weights; loading them would take memory that the trials need."""
        if hyper.pretrained is not None:
            return super().preview(hyper, task)
        config = self.configure(hyper, task)
        llm = read_backbone_config(config.llm, config.llm_layers)
        config.check_sizes(llm.hidden_size)
        config.check_positions(self._longest_prompt(config, task), llm)
        fetch_backbone(config.llm)
        return len(task.train)

    @staticmethod
    def _longest_prompt(config: TimeLlmConfig, task: ForecastTask) -> int:
        """Tokens of the longest prompt of some windows: all are alike but for their numbers."""
        first = torch.arange(min(len(task.train), PREVIEWED_WINDOWS))
        context = fill_gaps(task.gather("train").batch(first).context)
        texts = write_prompts(context[..., None], config.description, config.prediction_length)
        return tokenize(texts, load_tokenizer(config.llm)).shape[1]

    def configure(self, hyper: TimeLlmHyper, task: ForecastTask) -> TimeLlmConfig:
        sizes = {name: getattr(hyper, name) for name in hyper.structure if name != "description"}
        return TimeLlmConfig(
            **sizes,
            description=describe(task) if hyper.description is None else hyper.description,
            llm_storage=hyper.llm_storage,
            context_length=task.context_length,
            prediction_length=task.prediction_length,
            dropout=hyper.dropout,
        )

    def make(self, config: TimeLlmConfig) -> TimeLLM:
        return TimeLLM.from_config(config)

    def load(self, pretrained: str, hyper: TimeLlmHyper) -> tuple[TimeLLM, TimeLlmConfig]:
        module = TimeLLM.from_pretrained(pretrained, dropout=hyper.dropout)
        return module, module.config

    def build(self, hyper: TimeLlmHyper, task: ForecastTask) -> nn.Module:
        module = super().build(hyper, task)
        if self.module.config.prompt == "published":
            self.eval_batch_size = PUBLISHED_EVAL_BATCH
        return module

    def save_memory(self) -> bool:
        return self.module.recompute_llm()

    def loss(self, batch: Batch) -> Tensor:
        """Mean squared error of each window's observed points, (batch,)."""
        return self.point_loss(self._points(batch), batch)

    def forecast(self, batch: Batch) -> Forecast:
        return Forecast(self._points(batch))

    def forecast_apart(self, batch: Batch, seed: int) -> Forecast:
        """One window after the other where padding is attended to; else as they are."""
        if self.module.config.prompt == "masked":
            return self.forecast(batch)
        contexts = batch.context.split(1)
        return Forecast(torch.cat([self._points(replace(batch, context=one, features=None)) for one in contexts]))

    def validate(self, batch: Batch) -> Validation:
        points = self._points(batch)
        return Validation(self.point_loss(points, batch), Forecast(points))

    def point_loss(self, point: Tensor, batch: Batch) -> Tensor:
        observed = ~batch.target.isnan()
        errors = torch.where(observed, point - batch.target, 0.0)
        return errors.square().sum(1) / observed.sum(1).clamp_min(1)

    def about(self) -> list[str]:
        config = self.module.config
        modes = {
            "masked": "each window's forecast is its own, whatever else is in the batch",
            "published": "as in the paper's code, padding is attended to, so a forecast depends on what else is in its "
            "batch; scores are of batches of 16 windows in order",
        }
        return [
            f"A Time-LLM around the first {config.llm_layers} layers of `{file_name(config.llm)}` "
            f"({config.llm_storage}), which is not in this folder: it is loaded by that name, and must have the hash "
            "in config.json.",
            f"Prompts are `{config.prompt}`: {modes[config.prompt]}.",
            "`from trainables.time_llm import TimeLLM; TimeLLM.from_pretrained(folder)` loads it; it takes series as "
            "(batch, steps, channels).",
        ]

    def save_pretrained(self, folder: Path) -> None:
        """Write config.json and model.safetensors, without the language model."""
        self.module.save_pretrained(folder)

    def frozen_part(self, hyper: TimeLlmHyper, part: Part) -> FrozenPart | None:
        """The prompts: text of each window, the same in every trial."""
        config = self.module.config
        tokenizer = self.module.backbone.tokenizer_hash
        name = f"prompts of {config.llm} {tokenizer} {config.prediction_length} {config.description}"
        return FrozenPart(name, self.prompt_tokens, "prompts")

    def prompt_tokens(self, batch: Batch) -> Tensor:
        """Return the tokens of each window's prompt, (batch, longest) int32, -1 where there is none."""
        return self.module.prompt_tokens(fill_gaps(batch.context)[..., None])

    @classmethod
    def workload(cls, hyper: TimeLlmHyper, task: ForecastTask) -> Workload | None:
        if hyper.pretrained is not None:
            return None
        return workload(cls().configure(hyper, task), training_precision=hyper.precision)

    def _points(self, batch: Batch) -> Tensor:
        """Forecast (batch, prediction_length); a missing value of a context is the one before it, or the first."""
        context = fill_gaps(batch.context)
        points: Tensor = self.module(context[..., None], batch.features)[..., 0]
        return points[:, : self.prediction_length]


def describe(task: ForecastTask) -> str:
    """Describe the data to the language model: the published words for ETT, else the data's own facts."""
    if re.match(r"ett[hm]\d", task.panel.name, re.IGNORECASE):
        return ETT
    every = f", a value every {task.panel.freq}" if task.panel.freq else ""
    return f"{task.panel.name}: {len(task.panel)} time series{every}."
