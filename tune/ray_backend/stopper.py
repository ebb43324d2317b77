"""Ends the search when its time budget is used up."""

from __future__ import annotations

from ray.tune import Stopper

from tune.ray_backend.clock import SearchClock


class TimeBudgetStopper(Stopper):
    """Ends all trials by our own clock; Ray's starts before the first worker does, seconds before the first trial."""

    def __init__(self, clock: SearchClock) -> None:
        self.clock = clock

    def __call__(self, trial_id: str, result: dict[str, object]) -> bool:
        return False

    def stop_all(self) -> bool:
        return self.clock.is_over
