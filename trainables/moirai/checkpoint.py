"""A Moirai checkpoint in uni2ts's format, config.json beside model.safetensors, read and written without uni2ts.

Importing uni2ts takes longer than a small trial: it brings jax, hydra and sympy with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from trainables.checkpoints.model_files import read_checkpoint_config, read_checkpoint_weights, write_checkpoint
from trainables.checkpoints.pretrained import load_pretrained
from trainables.moirai.hyper import MOIRAI
from trainables.moirai.mixture import Mixture

HEAD_WIDTH = 64  # uni2ts gives a model so many dimensions a head, and what is left over to all of them
ROTATED = 4  # a head's dimensions are rotated in pairs, in one half of them


class MoiraiConfig(BaseModel):
    """What uni2ts writes as config.json, within what a machine can hold; the published large model is 1024 wide."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    distr_output: dict[str, Any]
    d_model: int = Field(ge=HEAD_WIDTH, le=16384)
    num_layers: int = Field(ge=1, le=256)
    patch_sizes: tuple[Annotated[int, Field(ge=1, le=4096)], ...] = Field(min_length=1, max_length=64)
    max_seq_len: int = Field(ge=1, le=1_000_000)
    attn_dropout_p: float = Field(ge=0, lt=1)
    dropout_p: float = Field(ge=0, lt=1)
    scaling: bool = True

    @property
    def heads(self) -> int:
        return self.d_model // HEAD_WIDTH

    @property
    def head_width(self) -> int:
        return self.d_model // self.heads

    @property
    def hidden(self) -> int:
        """The width inside of a feed-forward layer: two thirds of four times the model's, in steps of eight."""
        return (int(4 * self.d_model * 2 / 3) + 7) // 8 * 8

    @property
    def widest(self) -> int:
        return max(self.patch_sizes)

    def check_heads(self) -> None:
        """Reject a width that does not divide into heads; ValueError."""
        if self.d_model % self.heads or self.head_width % ROTATED:
            raise ValueError(
                f"d_model must be a multiple of {ROTATED} times its {self.heads} heads, got {self.d_model}"
            )


@dataclass(frozen=True)
class MoiraiWeights:
    """A checkpoint: its configuration, and its tensors under uni2ts's names.

    The patch embedding, `in_proj`, and each head, `param_proj.proj…`, hold a slice for every patch size, padded with
    zeros to the widest: (patch_sizes, d_model, widest) and (patch_sizes, dim * widest, d_model).
    """

    config: MoiraiConfig
    tensors: Mapping[str, Tensor]

    @property
    def mixture(self) -> Mixture:
        return Mixture.of(self.config.distr_output)

    def save_pretrained(self, folder: Path) -> None:
        """Write config.json and model.safetensors, which uni2ts's `MoiraiModule.from_pretrained` loads."""
        write_checkpoint(folder, self.config, self.tensors)


def read_moirai_config(pretrained: str) -> MoiraiConfig:
    """Read the configuration of a Moirai, from a bundled name, a local folder or the Hub; raises CheckpointError."""
    return read_checkpoint_config(pretrained, MoiraiConfig, MOIRAI)


def load_moirai(pretrained: str) -> MoiraiWeights:
    """Load a Moirai from a bundled name, a local folder or the Hub; raises CheckpointError."""
    config = read_moirai_config(pretrained)
    shapes = load_pretrained(pretrained, lambda _: moirai_shapes(config), MOIRAI)
    return MoiraiWeights(config, read_checkpoint_weights(pretrained, shapes, MOIRAI))


def moirai_shapes(config: MoiraiConfig) -> dict[str, tuple[int, ...]]:
    """Return the shapes of a checkpoint's tensors; ValueError for a distribution or a width that there is not."""
    config.check_heads()
    width, sizes, widest = config.d_model, len(config.patch_sizes), config.widest
    shapes: dict[str, tuple[int, ...]] = {
        "mask_encoding.weight": (1, width),
        "in_proj.weight": (sizes, width, widest),
        "in_proj.bias": (sizes, width),
        "encoder.norm.weight": (width,),
    }
    layer: dict[str, tuple[int, ...]] = {
        **{f"self_attn.{name}_proj.weight": (width, width) for name in ("q", "k", "v", "out")},
        **{f"self_attn.{name}_norm.weight": (config.head_width,) for name in ("q", "k")},
        "self_attn.var_attn_bias.emb.weight": (2, config.heads),
        **{f"ffn.{name}.weight": (config.hidden, width) for name in ("fc1", "fc_gate")},
        "ffn.fc2.weight": (width, config.hidden),
        "norm1.weight": (width,),
        "norm2.weight": (width,),
    }
    for number in range(config.num_layers):
        shapes |= {f"encoder.layers.{number}.{name}": shape for name, shape in layer.items()}
    for path, dim in Mixture.of(config.distr_output).arguments().items():
        shapes[f"param_proj.proj.{path}.weight"] = (sizes, dim * widest, width)
        shapes[f"param_proj.proj.{path}.bias"] = (sizes, dim * widest)
    return shapes
