"""Time-MoE in the operations of its paper, one after the other: what the faster ones are compared with.

Attention with its weights written out, a product an expert over the tokens that chose it, norms and rotations in plain
arithmetic, as the published modelling code has them.
"""

from __future__ import annotations

import torch
from torch import Tensor

from trainables.time_moe.modeling import TimeMoeForPrediction
from trainables.time_moe.network import ExpertLayer, RMSNorm, TimeMoeAttention


def made_plain(model: TimeMoeForPrediction) -> TimeMoeForPrediction:
    """The same model, with plain operations from now on."""
    plain = {RMSNorm: PlainNorm, ExpertLayer: PlainExperts, TimeMoeAttention: PlainAttention}
    for module in model.modules():
        module.__class__ = plain.get(type(module), type(module))
    return model


class PlainNorm(RMSNorm):
    def forward(self, states: Tensor) -> Tensor:
        wide = states.float()
        return self.weight * (wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + self.eps)).to(states.dtype)


class PlainExperts(ExpertLayer):
    def forward(self, states: Tensor) -> tuple[Tensor, Tensor]:
        tokens = states.flatten(0, 1)
        logits = self.gate(tokens)
        weights, chosen = logits.float().softmax(-1).topk(self.top_k, dim=-1)
        total = self.shared_expert_gate(tokens).sigmoid() * self.shared_expert(tokens)
        for number, expert in enumerate(self.experts):
            token, choice = torch.where(chosen == number)
            total = total.index_add(0, token, expert(tokens[token]) * weights[token, choice, None])
        return total.view_as(states), logits


class PlainAttention(TimeMoeAttention):
    def forward(self, states, angles, attention_mask, cache):
        heads = (*states.shape[:2], -1, self.head_size)
        query, key, value = (p(states).view(heads).transpose(1, 2) for p in (self.q_proj, self.k_proj, self.v_proj))
        query, key = _turned(query), _turned(key)
        steps = states.shape[1]
        future = torch.full((steps, steps), torch.finfo(states.dtype).min, device=states.device).triu(1)
        weights = (query @ key.transpose(-1, -2) * self.head_size**-0.5 + future).softmax(-1)
        return self.o_proj((weights @ value).transpose(1, 2).flatten(2)), weights


def _turned(heads: Tensor) -> Tensor:
    """Each pair of a head, of its first half and its second, turned by step / 10,000 ** (pair / pairs)."""
    steps, size = heads.shape[-2:]
    pairs = torch.arange(0, size, 2, device=heads.device)
    angles = torch.arange(steps, device=heads.device)[:, None] / 10_000 ** (pairs / size)
    cos, sin = angles.cos().repeat(1, 2), angles.sin().repeat(1, 2)
    first, second = heads.chunk(2, dim=-1)
    return heads * cos + torch.cat([-second, first], dim=-1) * sin
