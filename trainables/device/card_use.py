"""How much a trial used its card, as the driver says it; needs no torch, so that reports are read without it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from statistics import fmean


@dataclass(frozen=True)
class CardReading:
    """A card at one moment, all processes on it together; None where the driver does not say.

    memory_bytes: in use. utilisation: percent of the last moments in which something ran. temperature: of the chip, in
    degrees Celsius. power: in watts. is_slowed: whether it lowers its clocks because of heat.
    """

    memory_bytes: int | None = None
    utilisation: float | None = None
    temperature: float | None = None
    power: float | None = None
    is_slowed: bool | None = None


@dataclass(frozen=True)
class CardUse:
    """A stretch of work on a card: the most memory and heat, the mean load and power, and how much of it slowed down.

    The names are those of a report's columns; units as in CardReading, gpu_slowed is a share from 0 to 1.
    """

    gpu_used_bytes: float | None = None
    gpu_utilisation: float | None = None
    gpu_temperature: float | None = None
    gpu_power: float | None = None
    gpu_slowed: float | None = None

    @classmethod
    def of(cls, readings: Sequence[CardReading]) -> CardUse:
        def known(name: str) -> list[float]:
            return [float(value) for reading in readings if (value := getattr(reading, name)) is not None]

        return cls(
            gpu_used_bytes=max(known("memory_bytes"), default=None),
            gpu_utilisation=_mean(known("utilisation")),
            gpu_temperature=max(known("temperature"), default=None),
            gpu_power=_mean(known("power")),
            gpu_slowed=_mean(known("is_slowed")),
        )


CARD_COLUMNS = tuple(field.name for field in fields(CardUse))


def _mean(values: Sequence[float]) -> float | None:
    return fmean(values) if values else None
