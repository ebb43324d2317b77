"""A trial of an earlier sweep that a searcher learns from."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class EarlierTrial(BaseModel):
    """source: the sweep and the trial, like 'night1 t0011'. value: its best of the metric, after epoch 0.

    stopped_at: the epoch at which the scheduler stopped it; None where it came to its own end.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: str
    hyper: dict[str, object]
    value: float
    stopped_at: float | None = None
