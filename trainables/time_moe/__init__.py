"""Time-MoE (Shi et al. 2024, arXiv:2409.16040): the published model on current transformers, and its fine-tuning."""

from typing import TYPE_CHECKING

from trainables.lazy import lazy_names

if TYPE_CHECKING:
    from trainables.time_moe.config import TimeMoeConfig
    from trainables.time_moe.modeling import TimeMoeForPrediction
    from trainables.time_moe.trainable import TimeMoe

__all__ = ["TimeMoe", "TimeMoeConfig", "TimeMoeForPrediction"]
__getattr__ = lazy_names(
    __name__,
    {
        "TimeMoe": "trainable",
        "TimeMoeConfig": "config",
        "TimeMoeForPrediction": "modeling",
    },
)
