"""The training objective: a Huber loss of every horizon's head at every step, and the router's balance."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

HUBER_DELTA = 2.0


def horizon_targets(values: Tensor, horizon: int) -> Tensor:
    """What the head of a horizon predicts at each step: (batch, steps) to (batch, steps, horizon).

    Step t gets values[t : t + horizon]; zeros past the end. `values` are labels, already one step ahead of the
    input, or a mask of them.
    """
    return F.pad(values, (0, horizon - 1)).unfold(-1, horizon, 1)


def horizon_loss(predictions: Tensor, labels: Tensor, loss_masks: Tensor | None) -> Tensor:
    """Mean Huber loss of one head, a scalar.

    predictions: (batch, steps, horizon); labels, loss_masks: (batch, steps). Without a mask, the zeros past the end of
    the labels count as real ones, as they do in the published training.
    """
    errors = F.huber_loss(
        predictions, horizon_targets(labels, predictions.shape[-1]), reduction="none", delta=HUBER_DELTA
    )
    if loss_masks is None:
        return errors.mean()
    counted = horizon_targets(loss_masks.to(errors.dtype), predictions.shape[-1])
    # a window without a single label gives no loss, not a division by zero
    return (errors * counted).sum() / counted.sum().clamp_min(1)


def router_balance(router_logits: list[Tensor], top_k: int, attention_mask: Tensor | None) -> Tensor:
    """How unevenly the experts are used, a scalar; top_k when they are used evenly.

    router_logits: one (batch * steps, experts) a layer; attention_mask: (batch, steps), 0 on padding.
    experts * sum over k, e of share[k, e] * probability[e], over the tokens of all layers together.
    Source: Fedus et al. 2021, arXiv:2101.03961, equation 4, for every one of the top_k choices.
    """
    probabilities = torch.cat(router_logits).float().softmax(-1)  # (layers * tokens, experts)
    experts = probabilities.shape[-1]
    chosen = F.one_hot(probabilities.topk(top_k, dim=-1).indices, experts).float()  # (layers * tokens, top_k, experts)
    if attention_mask is None:
        return experts * (chosen.mean(0) * probabilities.mean(0)).sum()
    counted = attention_mask.reshape(-1).to(probabilities.dtype).repeat(len(router_logits))
    total = counted.sum().clamp_min(1)
    shares = (chosen * counted[:, None, None]).sum(0) / total
    means = (probabilities * counted[:, None]).sum(0) / total
    return experts * (shares * means).sum()
