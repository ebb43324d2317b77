"""What the language model reads of a window: its statistics as text, and the text as tokens.

Source: Jin et al. 2023, arXiv:2310.01728, section 3.2 (prompt as prefix).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

VARIANCE_EPS = 1e-5
TOP_LAGS = 5
LONGEST_PROMPT = 2048  # tokens
ETT = "The Electricity Transformer Temperature (ETT) is a crucial indicator in the electric power long-term deployment."


@dataclass(frozen=True)
class Normalised:
    """Series, (batch, steps, channels), with mean 0 and deviation 1 over time; mean, std: (batch, 1, channels)."""

    series: Tensor
    mean: Tensor
    std: Tensor


def normalise(series: Tensor) -> Normalised:
    """Take off each channel's mean over time and divide by its deviation; (batch, steps, channels)."""
    mean = series.mean(dim=1, keepdim=True).detach()
    std = torch.sqrt(torch.var(series, dim=1, keepdim=True, unbiased=False) + VARIANCE_EPS).detach()
    return Normalised((series - mean) / std, mean, std)


def as_rows(series: Tensor) -> Tensor:
    """Fold (batch, steps, channels) to (batch * channels, steps)."""
    batch, steps, channels = series.shape
    return series.permute(0, 2, 1).reshape(batch * channels, steps)


def top_lags(rows: Tensor, count: int = TOP_LAGS) -> Tensor:
    """Return the lags of the largest circular autocorrelation, (rows, count) int64; rows: (rows, steps).

    Lag 0 is the first. k and steps - k tie, and the rounding of the Fourier transform decides their order.
    """
    spectrum = torch.fft.rfft(rows, dim=-1)
    correlation = torch.fft.irfft(spectrum * torch.conj(spectrum), n=rows.shape[1], dim=-1)
    lags: Tensor = correlation.topk(min(count, rows.shape[1]), dim=-1).indices
    return lags


def prompt_texts(rows: Tensor, description: str, prediction_length: int) -> list[str]:
    """Write the prompt of each normalised row; rows: (rows, steps) float32, on the CPU.

    Numbers are the shortest decimals of the float32 values widened to double; the median is the lower of two.
    """
    steps = rows.shape[1]
    lowest, highest = rows.min(dim=1).values.tolist(), rows.max(dim=1).values.tolist()
    median = rows.median(dim=1).values.tolist()
    upward = (rows.diff(dim=1).sum(dim=1) > 0).tolist()
    lags = top_lags(rows).tolist()
    return [
        f"<|start_prompt|>Dataset description: {description}"
        f"Task description: forecast the next {prediction_length} steps given the previous {steps} steps information; "
        "Input statistics: "
        f"min value {lowest[i]}, max value {highest[i]}, median value {median[i]}, "
        f"the trend of input is {'upward' if upward[i] else 'downward'}, "
        f"top {TOP_LAGS} lags are : {lags[i]}<|<end_prompt>|>"
        for i in range(len(rows))
    ]


def write_prompts(series: Tensor, description: str, prediction_length: int) -> list[str]:
    """Write the prompt of each channel, sample after sample; series: (batch, context_length, channels)."""
    rows = as_rows(normalise(series.float().cpu()).series)  # on the CPU: the same text wherever the model lies
    return prompt_texts(rows, description, prediction_length)


def tokenize(texts: list[str], tokenizer: Any) -> Tensor:
    """Return the tokens of each text, (texts, longest) int32, -1 after the end of the shorter ones."""
    tokens = tokenizer(texts, truncation=True, max_length=LONGEST_PROMPT)["input_ids"]
    longest = max(map(len, tokens))
    padded = torch.full((len(tokens), longest), -1, dtype=torch.int32)
    for row, ids in zip(padded, tokens, strict=True):
        row[: len(ids)] = torch.tensor(ids, dtype=torch.int32)
    return padded
