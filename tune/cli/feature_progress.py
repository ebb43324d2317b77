"""How far a trial is with what all trials share, as a line: prompts, a teacher's forecasts, a frozen part's states."""

from __future__ import annotations

from trainables.trial.feature_progress import FeatureProgress
from tune.format import duration


def progress_text(progress: FeatureProgress) -> str:
    """prompts: 512 of 2048 windows, about 12s left, once for all trials."""
    left = duration(progress.seconds_left)
    return f"{progress.title}: {progress.done} of {progress.total} windows, about {left} left, once for all trials"
