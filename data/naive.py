"""The forecast without a model: what was seen a season ago, to compare every model with."""

from __future__ import annotations

import torch

from data.missing import fill_forward

_BUSINESS_DAYS_A_WEEK = 5
_HOUR = 3600.0
_DAY, _WEEK = 24 * _HOUR, 7 * 24 * _HOUR


def season_length(freq: str | None) -> int:
    """Return the rows of a season: a day below a day's step, a week of daily rows, a year of longer ones; else 1.

    A week has five business days.

    freq: a pandas frequency alias, None where it is not known.
    """
    import pandas as pd  # half a second, and the command line does without it

    if freq is None:
        return 1
    offset = pd.tseries.frequencies.to_offset(freq)
    if isinstance(offset, (pd.offsets.BusinessDay, pd.offsets.CustomBusinessDay)):
        return max(1, round(_BUSINESS_DAYS_A_WEEK / offset.n))
    first = pd.Timestamp("2001-01-01") + offset  # on the grid
    step = ((first + 12 * offset) - first).total_seconds() / 12  # a month has no length of its own
    season = next((season for longest, season in ((_DAY / 2, _DAY), (_DAY, _WEEK)) if step <= longest), 365 * _DAY)
    return max(1, round(season / step))


def seasonal_naive(context: torch.Tensor, prediction_length: int, season: int) -> torch.Tensor:
    """Repeat the last season of each context, (batch, context_length), to (batch, prediction_length).

    A missing point is the one a season before it, and so on back; where a phase was never seen, the last value that
    was. A context shorter than a season repeats its last value.
    Source: Hyndman & Athanasopoulos 2021, Forecasting: Principles and Practice, 3rd ed., section 5.2.
    """
    batch, length = context.shape
    season = season if season <= length else 1
    padded = torch.nn.functional.pad(context, (-length % season, 0), value=float("nan"))
    seasons = padded.view(batch, -1, season).transpose(1, 2).reshape(batch * season, -1)  # a row a phase
    last = fill_forward(seasons)[:, -1].view(batch, season)
    seen = (~seasons.isnan()).any(1).view(batch, season)
    last = torch.where(seen, last, fill_forward(context)[:, -1:])
    repeats = -(-prediction_length // season)
    return last.repeat(1, repeats)[:, :prediction_length]
