"""Time-LLM (Jin et al. 2023, arXiv:2310.01728): a frozen language model, reprogrammed to forecast time series."""

from typing import TYPE_CHECKING

from trainables.lazy import lazy_names

if TYPE_CHECKING:
    from trainables.time_llm.modeling import TimeLLM, TimeLlmConfig
    from trainables.time_llm.trainable import TimeLlm

__all__ = ["TimeLLM", "TimeLlm", "TimeLlmConfig"]
__getattr__ = lazy_names(
    __name__,
    {
        "TimeLLM": "modeling",
        "TimeLlm": "trainable",
        "TimeLlmConfig": "modeling",
    },
)
