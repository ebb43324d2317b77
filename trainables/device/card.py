"""What the driver says of the card that a trial runs on: memory, load, heat, power; and waiting until it is cooler."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import torch

from trainables.device.card_use import CardReading, CardUse
from trainables.device.nvml import open_nvml

logger = logging.getLogger(__name__)

COOLER_BY = 5  # degrees below the limit at which work goes on
MILLIWATTS = 1000  # in a watt
WAIT_SECONDS = 1.0  # between two looks at a card that is too hot


@dataclass(frozen=True)
class Limits:
    """What the user allows a card. temperature: in degrees, above which work waits; power: in watts, above which it is
    said, and no more."""

    temperature: float | None = None
    power: float | None = None


class Card:
    """The card of one process."""

    def __init__(self, read: Callable[[], CardReading], limits: Limits) -> None:
        self._read, self.limits = read, limits
        self._readings: list[CardReading] = []
        self.waited_seconds = 0.0  # since the last summary
        self._is_warned = False

    def look(self) -> CardReading:
        """Read the card once."""
        reading = self._read()
        self._readings.append(reading)
        power, most = reading.power, self.limits.power
        if power is not None and most is not None and power > most and not self._is_warned:
            self._is_warned = True
            logger.warning("the GPU draws %.0f W, more than %.0f W (--max-gpu-power)", power, most)
        return reading

    def is_too_hot(self, reading: CardReading) -> bool:
        most = self.limits.temperature
        return most is not None and reading.temperature is not None and reading.temperature >= most

    def cool_down(self, waiting: Callable[[CardReading], None]) -> None:
        """Wait until the card is some degrees below its limit. waiting: called at each look."""
        most = self.limits.temperature
        assert most is not None  # it is too hot
        started = time.monotonic()
        reading = self._readings[-1]
        logger.warning("the GPU is %.0f °C hot (--max-gpu-temp %.0f): waiting", reading.temperature, most)
        while reading.temperature is not None and reading.temperature > most - COOLER_BY:
            waiting(reading)
            time.sleep(WAIT_SECONDS)
            reading = self._read()
        self.waited_seconds += time.monotonic() - started
        logger.warning("the GPU is %.0f °C: going on after %.0f s", reading.temperature, time.monotonic() - started)

    def summary(self) -> tuple[CardUse, float]:
        """Return what was read since the last summary, or now, and the seconds that work waited."""
        use = CardUse.of(self._readings or [self._read()])
        waited = self.waited_seconds
        self._readings, self.waited_seconds = [], 0.0
        return use, waited


def card_of(device: torch.device, limits: Limits) -> Card | None:
    """Return the card of a device; None for a CPU, or where the driver does not know it."""
    if device.type != "cuda" or (driver := open_nvml()) is None:  # open until the process ends
        return None
    try:
        handle = driver.nvmlDeviceGetHandleByUUID(f"GPU-{torch.cuda.get_device_properties(device).uuid}")
    except driver.NVMLError:
        return None
    return Card(lambda: read_card(driver, handle), limits)


def read_card(driver: Any, handle: Any) -> CardReading:
    """Ask NVML about a card; what it does not answer is None. Source: NVML API reference, device queries."""
    heat = (
        driver.nvmlClocksThrottleReasonSwThermalSlowdown
        | driver.nvmlClocksThrottleReasonHwThermalSlowdown
        | driver.nvmlClocksThrottleReasonHwSlowdown
    )
    questions: dict[str, Callable[[], Any]] = {
        "memory_bytes": lambda: int(driver.nvmlDeviceGetMemoryInfo(handle).used),
        "utilisation": lambda: float(driver.nvmlDeviceGetUtilizationRates(handle).gpu),
        "temperature": lambda: float(driver.nvmlDeviceGetTemperature(handle, driver.NVML_TEMPERATURE_GPU)),
        "power": lambda: driver.nvmlDeviceGetPowerUsage(handle) / MILLIWATTS,
        "is_slowed": lambda: bool(driver.nvmlDeviceGetCurrentClocksThrottleReasons(handle) & heat),
    }
    found: dict[str, Any] = {}
    for name, ask in questions.items():
        with suppress(driver.NVMLError):  # a laptop's card may not know its power
            found[name] = ask()
    return CardReading(**found)
