"""The student: a patch transformer that forecasts one series at a time, and its checkpoints."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from data.missing import fill_forward
from trainables.base import QUANTILE_LEVELS
from trainables.checkpoints.model_files import read_checkpoint_config, read_checkpoint_weights, write_checkpoint
from trainables.checkpoints.weights import shapes_of
from trainables.errors import CheckpointError, HyperError
from trainables.hyper import MOST_LAYERS, MOST_UNITS
from trainables.moirai_distill.hyper import STUDENT

MODEL_TYPE = "moirai_student"
LEAST_VARIANCE = 1e-5  # as Moirai's own scaler; a constant context stays finite
POSITION_DEVIATION = 0.02


class StudentConfig(BaseModel):
    """All that a student is but its weights; config.json of a checkpoint.

    Lengths are in rows. d_ff: None = 4 * d_model. quantile_heads: a forecast for each of QUANTILE_LEVELS.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    model_type: Literal["moirai_student"] = "moirai_student"
    context_length: int = Field(ge=1)
    prediction_length: int = Field(ge=1)
    patch_len: int = Field(default=16, ge=1)
    d_model: int = Field(default=128, ge=1, le=MOST_UNITS)
    n_layers: int = Field(default=4, ge=1, le=MOST_LAYERS)
    n_heads: int = Field(default=8, ge=1, le=MOST_UNITS)
    d_ff: int | None = Field(default=None, ge=1, le=MOST_UNITS)
    dropout: float = Field(default=0.1, ge=0, lt=1)
    quantile_heads: bool = False

    @property
    def patches(self) -> int:
        """Tokens of a context, the first one filled up where the context is no whole number of patches."""
        return -(-self.context_length // self.patch_len)

    @property
    def levels(self) -> int:
        return len(QUANTILE_LEVELS) if self.quantile_heads else 1

    @property
    def width(self) -> int:
        """Units of a layer's feed-forward part."""
        return 4 * self.d_model if self.d_ff is None else self.d_ff

    def check_sizes(self) -> None:
        """Reject sizes that do not go together: HyperError."""
        if self.d_model % self.n_heads:
            raise HyperError(
                f"d_model must be a multiple of n_heads, got {self.d_model} and {self.n_heads}; "
                f"take {self.d_model // self.n_heads * self.n_heads or self.n_heads} for d_model, or other heads"
            )
        if self.patch_len > self.context_length:
            raise HyperError(
                f"patch_len must be at most the context's {self.context_length} rows, got {self.patch_len}; lower it "
                "or raise --context-length"
            )


@dataclass(frozen=True)
class Normalised:
    """Contexts as the student sees them.

    values: (batch, context_length), without mean and in deviations; a missing point is the one before it, or 0.
    mean, deviation: (batch, 1), of the observed points, without gradient.
    """

    values: Tensor
    mean: Tensor
    deviation: Tensor


class Student(nn.Module):
    """Patches of a normalised context through an encoder with pre-norm, then one linear layer to all steps.

    Source of the architecture: Nie et al. 2023, arXiv:2211.14730 (PatchTST), here with patches that do not overlap.

    >>> student = Student(StudentConfig(context_length=48, prediction_length=12, d_model=16, n_layers=1, n_heads=2))
    >>> student(torch.zeros(3, 48)).shape
    torch.Size([3, 12])
    """

    def __init__(self, config: StudentConfig) -> None:
        """Raises HyperError for sizes that do not go together."""
        super().__init__()
        config.check_sizes()
        self.config = config
        self.embedding = nn.Linear(config.patch_len, config.d_model)
        self.positions = nn.Parameter(POSITION_DEVIATION * torch.randn(config.patches, config.d_model))
        self.dropout = nn.Dropout(config.dropout)
        # a row of layers and no nn.TransformerEncoder, which starts all its layers with the same weights
        self.encoder = nn.Sequential(*(_layer(config) for _ in range(config.n_layers)), nn.LayerNorm(config.d_model))
        self.head = nn.Linear(config.patches * config.d_model, config.levels * config.prediction_length)

    def forward(self, context: Tensor) -> Tensor:
        """Forecast in the units of the context, (batch, context_length), NaN = missing.

        Returns (batch, prediction_length), or (batch, level, prediction_length) with quantile heads, whose levels
        ascend: outside training they are sorted, so that they never cross.
        """
        normalised = normalise(context)
        patches = self._patches(normalised.values)  # (batch, patches, patch_len)
        states: Tensor = self.encoder(self.dropout(self.embedding(patches) + self.positions))
        steps = self.head(states.flatten(1)).unflatten(1, (self.config.levels, -1))
        forecast: Tensor = steps * normalised.deviation[:, None] + normalised.mean[:, None]
        if not self.config.quantile_heads:
            return forecast[:, 0]
        return forecast if self.training else forecast.sort(dim=1).values

    def _patches(self, values: Tensor) -> Tensor:
        """Cut (batch, context_length) into whole patches, the first value repeated at the left."""
        missing = -self.config.context_length % self.config.patch_len
        padded = F.pad(values[:, None], (missing, 0), mode="replicate")[:, 0]
        patches: Tensor = padded.unflatten(1, (-1, self.config.patch_len))
        return patches

    # --- files

    def save_pretrained(self, folder: str | Path) -> None:
        """Write config.json and model.safetensors."""
        write_checkpoint(folder, self.config, self.state_dict())

    @classmethod
    def from_pretrained(cls, pretrained: str | Path, *, dropout: float | None = None) -> Student:
        """Load what `save_pretrained` wrote, from a folder or the Hub, to forecast with; raises CheckpointError.

        dropout: for training on, instead of the one that it was trained with.
        """
        config = read_checkpoint_config(pretrained, StudentConfig, STUDENT)
        if dropout is not None:
            config = config.model_copy(update={"dropout": dropout})
        try:
            with torch.device("meta"):
                shapes = shapes_of(cls(config).state_dict())
        except HyperError as error:
            raise CheckpointError(f"{pretrained}: {error}") from error
        tensors = read_checkpoint_weights(pretrained, shapes, STUDENT)
        model = cls(config)
        model.load_state_dict(tensors)
        return model.eval()


def normalise(context: Tensor) -> Normalised:
    """Take the mean off each context and divide by its population deviation; (batch, context_length)."""
    with torch.no_grad():
        observed = ~context.isnan()
        count = observed.sum(1, keepdim=True).clamp_min(1)
        mean = context.nansum(1, keepdim=True) / count
        variance = (context - mean).square().nansum(1, keepdim=True) / count
        deviation = torch.sqrt(variance + LEAST_VARIANCE)
    return Normalised(fill_forward((context - mean) / deviation), mean, deviation)


def _layer(config: StudentConfig) -> nn.Module:
    return nn.TransformerEncoderLayer(
        config.d_model,
        config.n_heads,
        dim_feedforward=config.width,
        dropout=config.dropout,
        activation="gelu",
        batch_first=True,
        norm_first=True,
    )
