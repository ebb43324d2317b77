"""Pretrains the bundled time-moe-tiny on series made from a seed."""

from __future__ import annotations

import logging

import numpy as np
import torch
from torch import Tensor

from data.samples.synthetic import make_corpus
from trainables.time_moe.config import TimeMoeConfig
from trainables.time_moe.modeling import TimeMoeForPrediction

logger = logging.getLogger(__name__)

BATCH_SIZE = 32
STEPS_OF_WINDOW = 320
PEAK_LR = 2e-3
CLIP = 1.0


def make_time_moe_tiny(steps: int, seed: int = 0) -> TimeMoeForPrediction:
    """Return a Time-MoE of 0.37 M parameters, pretrained for `steps` steps with the published objective."""
    torch.manual_seed(seed)
    model = TimeMoeForPrediction(tiny_config())
    corpus = make_corpus()
    table = torch.from_numpy(np.stack([corpus.series(i) for i in range(len(corpus))]))  # (series, length)
    decayed = [p for name, p in model.named_parameters() if not name.endswith("bias")]
    spared = [p for name, p in model.named_parameters() if name.endswith("bias")]
    optimizer = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": 0.1}, {"params": spared, "weight_decay": 0.0}],
        lr=PEAK_LR,
        betas=(0.9, 0.95),
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, PEAK_LR, total_steps=steps, pct_start=0.05)
    rng = np.random.default_rng(seed)
    running = 0.0
    model.train()
    for step in range(steps):
        inputs, labels = _windows(table, rng)
        loss = model(inputs, labels=labels, loss_masks=torch.ones_like(labels)).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        optimizer.step()
        schedule.step()
        running = 0.99 * running + 0.01 * loss.item() if step else loss.item()
        if step % 250 == 0:
            logger.info("step %d of %d: loss %.4f", step, steps, running)
    return model


def tiny_config() -> TimeMoeConfig:
    """The published architecture in small: 4 layers of 64, 4 experts, the published horizons."""
    return TimeMoeConfig(
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_experts=4,
        num_experts_per_tok=2,
        dtype=torch.float32,
    )


def _windows(table: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Draw inputs and labels, each (BATCH_SIZE, STEPS_OF_WINDOW), normalised by a first part of random length.

    A forecast is made on a context normalised by itself, and goes on beyond it: so does a window here.
    """
    rows = torch.from_numpy(rng.integers(0, len(table), BATCH_SIZE))
    starts = torch.from_numpy(rng.integers(0, table.shape[1] - STEPS_OF_WINDOW - 1, BATCH_SIZE))
    windows = table[rows[:, None], starts[:, None] + torch.arange(STEPS_OF_WINDOW + 1)]
    seen = windows[:, : int(rng.integers(STEPS_OF_WINDOW // 2, STEPS_OF_WINDOW + 1))]
    deviation = seen.std(1, correction=0, keepdim=True)
    scaled = (windows - seen.mean(1, keepdim=True)) / torch.where(deviation > 0, deviation, 1.0)
    scaled = scaled.clamp(-20, 20)
    return scaled[:, :-1], scaled[:, 1:]
