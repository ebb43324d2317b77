"""A clock that tests set by hand, in place of a module's `time`."""

from __future__ import annotations


class HandClock:
    now = 1000.0

    def monotonic(self) -> float:
        return self.now
