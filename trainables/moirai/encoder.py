"""Moirai's encoder for windows of one series: uni2ts's parameters under its names, in fewer operations.

Source: uni2ts 2.0, module/transformer.py, attention.py, ffn.py, norm.py and position/.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainables.moirai.checkpoint import MoiraiConfig
from trainables.rms_norm import rms_normalise
from trainables.rotary import rotate

NORM_EPS, ROTARY_BASE = 1e-5, 10_000.0


class RmsNorm(nn.Module):
    """Root mean square normalisation over the last dimension, in float32 at least, whatever is around it."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, values: Tensor) -> Tensor:
        """Normalise (…, width)."""
        return rms_normalise(values, self.weight, NORM_EPS)


class Attention(nn.Module):
    """Self-attention with normalised queries and keys, half of whose dimensions are rotated by the token's place.

    uni2ts also adds a bias that distinguishes tokens of one series from those of another (`var_attn_bias`). With one
    series it is one number for all, which softmax takes off again: it has neither effect nor gradient, and is not here.
    """

    def __init__(self, config: MoiraiConfig) -> None:
        super().__init__()
        width = config.d_model
        self.heads, self.dropout_p = config.heads, config.attn_dropout_p
        self.q_proj, self.k_proj, self.v_proj, self.out_proj = (nn.Linear(width, width, bias=False) for _ in range(4))
        self.q_norm, self.k_norm = RmsNorm(config.head_width), RmsNorm(config.head_width)

    def forward(self, states: Tensor, factors: Tensor, outputs: int) -> Tensor:
        """Map (batch, token, d_model) to that of the last `outputs` tokens. factors: see `rotary_factors`."""
        queries = rotate(self.q_norm(self._heads(self.q_proj(states[:, -outputs:]))), factors[-outputs:])
        keys = rotate(self.k_norm(self._heads(self.k_proj(states))), factors)
        values = self._heads(self.v_proj(states))
        queries, keys, values = (each.to(values.dtype).transpose(1, 2) for each in (queries, keys, values))
        dropout_p = self.dropout_p if self.training else 0.0
        mixed = F.scaled_dot_product_attention(queries, keys, values, dropout_p=dropout_p)
        projected: Tensor = self.out_proj(mixed.transpose(1, 2).flatten(2))
        return projected

    def _heads(self, states: Tensor) -> Tensor:
        split: Tensor = states.unflatten(-1, (self.heads, -1))
        return split


def rotary_factors(tokens: int, head_width: int, device: torch.device) -> Tensor:
    """Return by what the pairs of a head's dimensions are multiplied, (token, 1, head_width / 2) complex64.

    The first half of the pairs is rotated by place * base ** (-2 pair / width), of half the head's width; the rest is
    left as it is.
    """
    half = head_width // 2
    frequencies = torch.zeros(half, device=device)
    frequencies[: half // 2] = ROTARY_BASE ** (-torch.arange(0, half, 2, device=device, dtype=torch.float32) / half)
    angles = torch.arange(tokens, device=device, dtype=torch.float32)[:, None] * frequencies
    factors: Tensor = torch.polar(torch.ones_like(angles), angles)[:, None]
    return factors


class FeedForward(nn.Module):
    """Two projections, one gating the other, and one back."""

    def __init__(self, config: MoiraiConfig) -> None:
        super().__init__()
        self.fc1, self.fc_gate = (nn.Linear(config.d_model, config.hidden, bias=False) for _ in range(2))
        self.fc2 = nn.Linear(config.hidden, config.d_model, bias=False)
        self.dropout = nn.Dropout(config.dropout_p)

    def forward(self, states: Tensor) -> Tensor:
        """Map (batch, token, d_model) to the same shape."""
        inside = F.silu(self.fc_gate(states)) * self.fc1(states)
        outside: Tensor = self.dropout(self.fc2(self.dropout(inside)))
        return outside


class Layer(nn.Module):
    """Attention and feed-forward, each of normalised states and added to them."""

    def __init__(self, config: MoiraiConfig) -> None:
        super().__init__()
        self.self_attn, self.ffn = Attention(config), FeedForward(config)
        self.norm1, self.norm2 = RmsNorm(config.d_model), RmsNorm(config.d_model)
        self.dropout = nn.Dropout(config.dropout_p)

    def forward(self, states: Tensor, factors: Tensor, outputs: int) -> Tensor:
        """Map (batch, token, d_model) to that of the last `outputs` tokens."""
        attended = self.dropout(self.self_attn(self.norm1(states), factors, outputs))
        states = states[:, -outputs:] + attended
        result: Tensor = states + self.ffn(self.norm2(states))
        return result


class Encoder(nn.Module):
    """The layers, and a last normalisation."""

    def __init__(self, config: MoiraiConfig) -> None:
        super().__init__()
        self.head_width = config.head_width
        self.layers = nn.ModuleList([Layer(config) for _ in range(config.num_layers)])
        self.norm = RmsNorm(config.d_model)

    def forward(self, tokens: Tensor, outputs: int) -> Tensor:
        """Map (batch, token, d_model) to the states of the last `outputs` tokens, (batch, outputs, d_model).

        The last layer works on these alone: what it makes of the others reaches nothing.
        """
        factors = rotary_factors(tokens.shape[1], self.head_width, tokens.device)
        last = len(self.layers) - 1
        for number, layer in enumerate(self.layers):
            tokens = layer(tokens, factors, outputs if number == last else tokens.shape[1])
        normalised: Tensor = self.norm(tokens)
        return normalised
