"""Pretrains the bundled models on series made from a seed: `python -m trainables.pretraining moirai-tiny`."""

from __future__ import annotations

import logging
import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from data.samples.synthetic import make_corpus
from trainables.moirai.checkpoint import MoiraiConfig, MoiraiWeights
from trainables.moirai.distributions import PACKAGE
from trainables.moirai.network import FixedPatchMoirai

logger = logging.getLogger(__name__)

STEPS = {"moirai-tiny": 15_000, "time-moe-tiny": 3_000}  # what the bundled weights were trained for
PATCH_SIZES = (8, 16, 32, 64)
PATCH_SHARE = (0.15, 0.25, 0.45, 0.15)  # of the steps: most users' data are hourly
# The published models' predictive distribution: Student's t, a narrow normal, negative binomial, log-normal.
PUBLISHED_MIXTURE = {
    "_target_": f"{PACKAGE}.mixture.MixtureOutput",
    "components": [
        {"_target_": f"{PACKAGE}.student_t.StudentTOutput"},
        {"_target_": f"{PACKAGE}.normal.NormalFixedScaleOutput", "scale": 1e-3},
        {"_target_": f"{PACKAGE}.negative_binomial.NegativeBinomialOutput"},
        {"_target_": f"{PACKAGE}.log_normal.LogNormalOutput"},
    ],
}
TINY = MoiraiConfig(
    distr_output=PUBLISHED_MIXTURE,
    d_model=96,
    num_layers=3,
    patch_sizes=PATCH_SIZES,
    max_seq_len=512,
    attn_dropout_p=0.0,
    dropout_p=0.0,
)
BATCH_SIZE = 64
PEAK_LR = 1e-3


def make_moirai_tiny(steps: int, seed: int = 0) -> MoiraiWeights:
    """Return a Moirai of 0.65 M parameters, pretrained for `steps` steps on the synthetic corpus."""
    torch.manual_seed(seed)
    weights = untrained(TINY)
    corpus = make_corpus()
    table = torch.from_numpy(np.stack([corpus.series(i) for i in range(len(corpus))]))  # (series, length)
    networks = {size: FixedPatchMoirai(weights, size) for size in PATCH_SIZES}
    for network in networks.values():
        network.encoder, network.mask_encoding = networks[8].encoder, networks[8].mask_encoding
    parameters = list({id(p): p for n in networks.values() for p in n.parameters()}.values())
    optimizer = torch.optim.AdamW(parameters, lr=PEAK_LR, betas=(0.9, 0.98), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, PEAK_LR, total_steps=steps, pct_start=0.05)
    rng = np.random.default_rng(seed)
    running = 0.0
    for step in range(steps):
        network = networks[int(rng.choice(PATCH_SIZES, p=PATCH_SHARE))]
        loss = _loss(network, *_windows(table, rng, network.patch_size))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        schedule.step()
        running = 0.99 * running + 0.01 * loss.item() if step else loss.item()
        if step % 250 == 0:
            logger.info("step %d of %d: loss %.4f", step, steps, running)
    for network in networks.values():
        network.weights = weights
        weights = network.write_back()
    return weights


def untrained(config: MoiraiConfig) -> MoiraiWeights:
    """Return the weights that uni2ts gives a model before any training."""
    from uni2ts.distribution import (
        LogNormalOutput,
        MixtureOutput,
        NegativeBinomialOutput,
        NormalFixedScaleOutput,
        StudentTOutput,
    )
    from uni2ts.model.moirai import MoiraiModule

    components = [StudentTOutput(), NormalFixedScaleOutput(1e-3), NegativeBinomialOutput(), LogNormalOutput()]
    options = config.model_dump(exclude={"distr_output"})
    module = MoiraiModule(distr_output=MixtureOutput(components), **options)
    return MoiraiWeights(config, module.state_dict())


def _windows(table: Tensor, rng: np.random.Generator, patch_size: int) -> tuple[Tensor, Tensor]:
    """Draw BATCH_SIZE windows of one random shape: context 2 to 64 patches up to 512 points, prediction to 96."""
    context = patch_size * int(rng.integers(2, max(3, min(64, 512 // patch_size) + 1)))
    prediction = int(rng.integers(8, 97))
    rows = torch.from_numpy(rng.integers(0, len(table), BATCH_SIZE))
    starts = torch.from_numpy(rng.integers(0, table.shape[1] - context - prediction, BATCH_SIZE))
    windows = table[rows[:, None], starts[:, None] + torch.arange(context + prediction)]
    return windows[:, :context], windows[:, context:]


def _loss(network: FixedPatchMoirai, context: Tensor, target: Tensor) -> Tensor:
    """Mean negative log-likelihood of standardised targets, so that every series weighs the same."""
    tokens = math.ceil(target.shape[1] / network.patch_size)
    seen = network.standardise(context)
    prediction = network.predict(network.encode(seen.values, tokens))
    padded = F.pad(target, (0, -target.shape[1] % network.patch_size))
    density = prediction.log_prob(((padded - seen.loc) / seen.scale).unflatten(-1, (-1, network.patch_size)))
    return -density.flatten(1)[:, : target.shape[1]].mean()
