"""What the user types to serve a checkpoint."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ServedRequest:
    """What the user typed; None where it was left out."""

    checkpoint: str
    trust: str | None = None
    context_length: int | None = None
    prediction_length: int | None = None
    freq: str | None = None
    norm: str | None = None
    gpus: int | None = None
