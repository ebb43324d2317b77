"""Time-LLM (Jin et al. 2023, arXiv:2310.01728): a frozen language model, reprogrammed to forecast time series."""

from trainables.time_llm.modeling import TimeLLM, TimeLlmConfig
from trainables.time_llm.trainable import TimeLlm

__all__ = ["TimeLLM", "TimeLlm", "TimeLlmConfig"]
