"""The parts of Time-LLM that train: patches to vectors, reprogramming by word prototypes, a linear head.

Attribute names are those of the published checkpoints.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

ATTENTION_DROPOUT = 0.1
KERNEL = 3


def count_patches(context_length: int, patch_len: int, stride: int) -> int:
    """Patches of a context whose last value is repeated `stride` times at its end."""
    return (context_length - patch_len) // stride + 2


class TokenEmbedding(nn.Module):
    """A convolution over the patch axis, which it takes as a ring; (rows, patches, patch_len) to (…, d_model)."""

    def __init__(self, patch_len: int, d_model: int) -> None:
        super().__init__()
        self.tokenConv = nn.Conv1d(patch_len, d_model, KERNEL, padding=KERNEL // 2, padding_mode="circular", bias=False)
        nn.init.kaiming_normal_(self.tokenConv.weight, mode="fan_in", nonlinearity="leaky_relu")

    def forward(self, patches: Tensor) -> Tensor:
        vectors: Tensor = self.tokenConv(patches.transpose(1, 2))
        return vectors.transpose(1, 2)


class PatchEmbedding(nn.Module):
    """Rows of a series to vectors of their patches; (rows, steps) to (rows, patches, d_model)."""

    def __init__(self, patch_len: int, stride: int, d_model: int, dropout: float) -> None:
        super().__init__()
        self.patch_len, self.stride = patch_len, stride
        self.value_embedding = TokenEmbedding(patch_len, d_model)
        self.dropout = nn.Dropout(dropout)

    def forward(self, rows: Tensor) -> Tensor:
        padded = F.pad(rows[:, None], (0, self.stride), mode="replicate")[:, 0]
        embedded: Tensor = self.dropout(self.value_embedding(padded.unfold(1, self.patch_len, self.stride)))
        return embedded


class ReprogrammingLayer(nn.Module):
    """Patches attend to word prototypes: they become vectors that the language model reads."""

    def __init__(self, d_model: int, n_heads: int, d_keys: int, d_llm: int) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.query_projection = nn.Linear(d_model, n_heads * d_keys)
        self.key_projection = nn.Linear(d_llm, n_heads * d_keys)
        self.value_projection = nn.Linear(d_llm, n_heads * d_keys)
        self.out_projection = nn.Linear(n_heads * d_keys, d_llm)
        self.dropout = nn.Dropout(ATTENTION_DROPOUT)

    def forward(self, patches: Tensor, prototypes: Tensor) -> Tensor:
        """Give (rows, patches, d_llm) of patches (rows, patches, d_model) and prototypes (prototypes, d_llm)."""
        queries = self.query_projection(patches).unflatten(-1, (self.n_heads, -1))
        keys = self.key_projection(prototypes).unflatten(-1, (self.n_heads, -1))
        values = self.value_projection(prototypes).unflatten(-1, (self.n_heads, -1))
        scores = torch.einsum("blhe,she->bhls", queries, keys) / math.sqrt(queries.shape[-1])
        weights = self.dropout(torch.softmax(scores, dim=-1))
        mixed = torch.einsum("bhls,she->blhe", weights, values).flatten(2)
        reprogrammed: Tensor = self.out_projection(mixed)
        return reprogrammed


class FlattenHead(nn.Module):
    """All patches' vectors to the forecast; (batch, channels, d_ff, patches) to (batch, channels, prediction)."""

    def __init__(self, width: int, prediction_length: int, dropout: float) -> None:
        super().__init__()
        self.linear = nn.Linear(width, prediction_length)
        self.dropout = nn.Dropout(dropout)

    def forward(self, states: Tensor) -> Tensor:
        forecast: Tensor = self.dropout(self.linear(states.flatten(-2)))
        return forecast
