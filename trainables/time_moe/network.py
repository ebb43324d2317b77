"""The layers of Time-MoE: pointwise embedding, rotary attention, mixtures of experts."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers.activations import ACT2FN
from transformers.cache_utils import Cache
from transformers.modeling_layers import GradientCheckpointingLayer
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from trainables.time_moe.config import TimeMoeConfig


class InputEmbedding(nn.Module):
    """Each point by itself: SiLU(gate(x)) * emb(x), (batch, steps, input_size) to (batch, steps, hidden)."""

    def __init__(self, config: TimeMoeConfig) -> None:
        super().__init__()
        self.emb_layer = nn.Linear(config.input_size, config.hidden_size, bias=False)
        self.gate_layer = nn.Linear(config.input_size, config.hidden_size, bias=False)
        self.activation = ACT2FN[config.hidden_act]

    def forward(self, values: Tensor) -> Tensor:
        embedded: Tensor = self.activation(self.gate_layer(values)) * self.emb_layer(values)
        return embedded


class RMSNorm(nn.Module):
    """Root mean square norm, in float32 whatever comes in."""

    def __init__(self, size: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.eps = eps

    def forward(self, states: Tensor) -> Tensor:
        wide = states.float()
        normed = wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + self.eps)
        return self.weight * normed.to(states.dtype)


def rotary_angles(position_ids: Tensor, head_size: int, theta: float) -> tuple[Tensor, Tensor]:
    """Cosine and sine for each position, each (batch, 1, steps, head_size) float32.

    The first half of a head is paired with its second half. Source: Su et al. 2021, arXiv:2104.09864.
    """
    exponents = torch.arange(0, head_size, 2, device=position_ids.device).float() / head_size
    angles = position_ids[:, None, :, None].float() / theta**exponents  # (batch, 1, steps, head_size / 2)
    angles = torch.cat([angles, angles], dim=-1)
    return angles.cos(), angles.sin()


def rotate(heads: Tensor, angles: tuple[Tensor, Tensor]) -> Tensor:
    """Turn queries or keys, (batch, heads, steps, head_size), by their positions' angles."""
    cos, sin = angles
    first, second = heads.chunk(2, dim=-1)
    return heads * cos.to(heads.dtype) + torch.cat([-second, first], dim=-1) * sin.to(heads.dtype)


def eager_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    scaling: float,
    dropout: float = 0.0,
    **_: object,
) -> tuple[Tensor, Tensor]:
    """Attention in plain products: context (batch, steps, heads, head_size), weights (batch, heads, steps, keys)."""
    groups = query.shape[1] // key.shape[1]
    key, value = key.repeat_interleave(groups, dim=1), value.repeat_interleave(groups, dim=1)
    scores = query @ key.transpose(-1, -2) * scaling
    if attention_mask is not None:
        scores = scores + attention_mask
    weights = scores.float().softmax(-1).to(query.dtype)
    weights = F.dropout(weights, dropout, module.training)
    return (weights @ value).transpose(1, 2), weights


class TimeMoeAttention(nn.Module):
    """Causal self-attention with rotary positions; queries, keys and values have biases, the output has none."""

    is_causal = True

    def __init__(self, config: TimeMoeConfig, layer_idx: int) -> None:
        super().__init__()
        assert config.num_key_value_heads is not None
        self.config = config
        self.layer_idx = layer_idx
        self.head_size = config.hidden_size // config.num_attention_heads
        self.num_key_value_groups = config.num_attention_heads // config.num_key_value_heads
        key_size = config.num_key_value_heads * self.head_size
        self.q_proj = nn.Linear(config.hidden_size, config.hidden_size, bias=True)
        self.k_proj = nn.Linear(config.hidden_size, key_size, bias=True)
        self.v_proj = nn.Linear(config.hidden_size, key_size, bias=True)
        self.o_proj = nn.Linear(config.hidden_size, config.hidden_size, bias=False)

    def forward(
        self, states: Tensor, angles: tuple[Tensor, Tensor], attention_mask: Tensor | None, cache: Cache | None
    ) -> tuple[Tensor, Tensor | None]:
        heads = (*states.shape[:2], -1, self.head_size)
        query, key, value = (
            proj(states).view(heads).transpose(1, 2) for proj in (self.q_proj, self.k_proj, self.v_proj)
        )
        query, key = rotate(query, angles), rotate(key, angles)
        if cache is not None:
            key, value = cache.update(key, value, self.layer_idx)
        attend = ALL_ATTENTION_FUNCTIONS.get_interface(self.config._attn_implementation, eager_attention)
        context, weights = attend(
            self,
            query,
            key,
            value,
            attention_mask,
            scaling=self.head_size**-0.5,
            dropout=self.config.attention_dropout if self.training else 0.0,
        )
        return self.o_proj(context.reshape(*states.shape[:2], -1)), weights


class GatedMLP(nn.Module):
    """down(act(gate(x)) * up(x)), without biases: an expert, or the whole feed-forward layer of a dense model."""

    def __init__(self, config: TimeMoeConfig, inner_size: int) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(config.hidden_size, inner_size, bias=False)
        self.up_proj = nn.Linear(config.hidden_size, inner_size, bias=False)
        self.down_proj = nn.Linear(inner_size, config.hidden_size, bias=False)
        self.act_fn = ACT2FN[config.hidden_act]

    def forward(self, states: Tensor) -> Tensor:
        out: Tensor = self.down_proj(self.act_fn(self.gate_proj(states)) * self.up_proj(states))
        return out


class ExpertLayer(nn.Module):
    """Each token through its top experts and a shared one.

    The router's probabilities are over all experts and are not normalised again over the chosen ones. No expert is
    full, no token is dropped; an expert without tokens gets a zero gradient.
    """

    def __init__(self, config: TimeMoeConfig) -> None:
        super().__init__()
        self.top_k = config.num_experts_per_tok
        self.gate = nn.Linear(config.hidden_size, config.num_experts, bias=False)
        inner_size = config.intermediate_size // self.top_k
        self.experts = nn.ModuleList(GatedMLP(config, inner_size) for _ in range(config.num_experts))
        self.shared_expert = GatedMLP(config, config.intermediate_size)
        self.shared_expert_gate = nn.Linear(config.hidden_size, 1, bias=False)

    def forward(self, states: Tensor) -> tuple[Tensor, Tensor]:
        """(batch, steps, hidden) to the same, and the router's logits (batch * steps, experts)."""
        tokens = states.flatten(0, 1)
        logits = self.gate(tokens)
        weights, chosen = logits.float().softmax(-1).topk(self.top_k, dim=-1)
        weights = weights.to(tokens.dtype)
        total = self.shared_expert_gate(tokens).sigmoid() * self.shared_expert(tokens)
        for number, expert in enumerate(self.experts):
            token, choice = torch.where(chosen == number)
            share = expert(tokens[token]) * weights[token, choice, None]
            total = total.index_add(0, token, share.to(total.dtype))
        return total.view_as(states), logits


class DecoderLayer(GradientCheckpointingLayer):
    """Attention, then experts, each on normed states and added to them."""

    def __init__(self, config: TimeMoeConfig, layer_idx: int) -> None:
        super().__init__()
        self.self_attn = TimeMoeAttention(config, layer_idx)
        dense = config.use_dense
        self.ffn_layer = GatedMLP(config, config.intermediate_size) if dense else ExpertLayer(config)
        self.input_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.post_attention_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps)

    def forward(
        self,
        states: Tensor,
        angles: tuple[Tensor, Tensor],
        attention_mask: Tensor | None = None,
        past_key_values: Cache | None = None,
    ) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """Return states (batch, steps, hidden), router logits (None if dense), attention weights (eager alone)."""
        attended, weights = self.self_attn(self.input_layernorm(states), angles, attention_mask, past_key_values)
        states = states + attended
        mixed = self.ffn_layer(self.post_attention_layernorm(states))
        update, logits = mixed if isinstance(mixed, tuple) else (mixed, None)
        return states + update, logits, weights


class OutputHead(nn.Module):
    """Predicts the next `horizon` points from each step's state."""

    def __init__(self, config: TimeMoeConfig, horizon: int) -> None:
        super().__init__()
        self.out_layer = nn.Linear(config.hidden_size, horizon * config.input_size, bias=False)

    def forward(self, states: Tensor) -> Tensor:
        out: Tensor = self.out_layer(states)
        return out
