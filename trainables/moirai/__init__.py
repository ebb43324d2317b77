"""Moirai (Woo et al. 2024, arXiv:2402.02592), fine-tuned as uni2ts does it, with a warm-up that works."""

from trainables.moirai.trainable import Moirai, MoiraiHyper

__all__ = ["Moirai", "MoiraiHyper"]
