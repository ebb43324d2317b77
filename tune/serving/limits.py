"""How much a request may bring, and what is said of one that brings more."""

from __future__ import annotations

from dataclasses import dataclass

from data.errors import UserError

MIB = 2**20


@dataclass(frozen=True)
class Limits:
    """Of the server: max_batch series a forward pass, which waits max_wait milliseconds for others; of a request: MiB
    of its body, series, values of each; of the queue: series that wait."""

    max_batch: int = 64
    max_wait: float = 5.0
    max_body: int = 16
    max_series: int = 1000
    max_values: int = 100_000
    max_waiting: int = 10_000

    def __post_init__(self) -> None:
        """Raises UserError for limits that nothing could keep."""
        for name, value in vars(self).items():
            least, most = (0, 60_000) if name == "max_wait" else (1, 10**9)
            if not least <= value <= most:  # NaN is neither
                raise UserError(f"--{name.replace('_', '-')} must be from {least} to {most}, got {value:g}")

    @property
    def body_bytes(self) -> int:
        return self.max_body * MIB
