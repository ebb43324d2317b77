"""Moirai (Woo et al. 2024, arXiv:2402.02592), fine-tuned as uni2ts does it, with a warm-up that works."""

from typing import TYPE_CHECKING

from trainables.lazy import lazy_names

if TYPE_CHECKING:
    from trainables.moirai.hyper import MoiraiHyper
    from trainables.moirai.trainable import Moirai

__all__ = ["Moirai", "MoiraiHyper"]
__getattr__ = lazy_names(
    __name__,
    {
        "Moirai": "trainable",
        "MoiraiHyper": "hyper",
    },
)
