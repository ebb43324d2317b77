"""The layers of Time-MoE: pointwise embedding, rotary attention, mixtures of experts."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers.activations import ACT2FN
from transformers.cache_utils import Cache
from transformers.modeling_layers import GradientCheckpointingLayer
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from trainables.rms_norm import rms_normalise
from trainables.rotary import rotate
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
        if states.dtype == torch.float32:
            return rms_normalise(states, self.weight, self.eps)
        wide = states.float()
        normed = wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + self.eps)
        return self.weight * normed.to(states.dtype)


def rotary_factors(position_ids: Tensor, head_size: int, theta: float) -> Tensor:
    """By what each pair of a head's numbers is multiplied, (batch, steps, 1, head_size / 2) complex64.

    Source: Su et al. 2021, arXiv:2104.09864.
    """
    exponents = torch.arange(0, head_size, 2, device=position_ids.device).float() / head_size
    angles = position_ids[..., None, None].float() / theta**exponents
    factors: Tensor = torch.polar(torch.ones_like(angles), angles)
    return factors


def in_pairs(rows: Tensor, head_size: int) -> Tensor:
    """Put the rows of a projection that one angle turns beside each other; rows: (heads * head_size, …).

    The checkpoints pair a head's first half with its second. Queries and keys in another order, the same for both,
    give the same products.
    """
    paired: Tensor = rows.unflatten(0, (-1, 2, head_size // 2)).transpose(1, 2).flatten(0, 2)
    return paired


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
        self, states: Tensor, factors: Tensor, attention_mask: Tensor | None, cache: Cache | None
    ) -> tuple[Tensor, Tensor | None]:
        query = rotate(self._heads(states, self.q_proj, turned=True), factors).transpose(1, 2)
        key = rotate(self._heads(states, self.k_proj, turned=True), factors).transpose(1, 2)
        value = self._heads(states, self.v_proj, turned=False).transpose(1, 2)
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

    def _heads(self, states: Tensor, projection: nn.Linear, *, turned: bool) -> Tensor:
        """Project (batch, steps, hidden) to (batch, steps, heads, head_size)."""
        rows: tuple[Tensor, Tensor] = projection.weight, projection.bias
        if turned:
            rows = in_pairs(rows[0], self.head_size), in_pairs(rows[1], self.head_size)
        heads: Tensor = F.linear(states, *rows).unflatten(-1, (-1, self.head_size))
        return heads


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


class _Reorder(torch.autograd.Function):
    """Put rows in another order; the gradient comes back by the inverse order, without adding anything up."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, order: Tensor, inverse: Tensor) -> Tensor:
        ctx.save_for_backward(inverse)
        return rows.index_select(0, order)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (inverse,) = ctx.saved_tensors
        return gradient.index_select(0, inverse), None, None


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
        by_expert = chosen.flatten().argsort(stable=True)  # (batch * steps * top_k,), choices of one expert together
        counts = chosen.flatten().bincount(minlength=len(self.experts)).tolist()
        by_token = by_expert.argsort()
        copies = tokens[:, None].expand(-1, self.top_k, -1).flatten(0, 1)
        shares = _Reorder.apply(copies, by_expert, by_token).split(counts)
        mixed = torch.cat([expert(share) for expert, share in zip(self.experts, shares, strict=True)])
        in_order = _Reorder.apply(mixed, by_token, by_expert).unflatten(0, (-1, self.top_k))
        total = total + (in_order * weights[..., None]).sum(1).to(total.dtype)
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
        factors: Tensor,
        attention_mask: Tensor | None = None,
        past_key_values: Cache | None = None,
    ) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """Return states (batch, steps, hidden), router logits (None if dense), attention weights (eager alone)."""
        attended, weights = self.self_attn(self.input_layernorm(states), factors, attention_mask, past_key_values)
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
