"""How much better than the naive forecast each model is, over series."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from data.metrics import skill_score
from trainables.trial.window_errors import WindowErrors

ERROR = "val_mae"


def skill_scores(models: Mapping[str, WindowErrors], naive: WindowErrors) -> dict[str, float]:
    """Return the skill score of each model that was measured on the naive forecast's windows, by MAE over series."""
    baseline = _by_series(naive)
    found = {}
    for name, errors in models.items():
        own = _by_series(errors) if errors.is_of_same_windows(naive) else None
        if own is not None and baseline is not None and np.isfinite(score := skill_score(own, baseline)):
            found[name] = score
    return found


def _by_series(errors: WindowErrors) -> NDArray[np.float64] | None:
    """Return the sum of each series' shares, in which a ratio is that of its mean errors."""
    shares = errors.of(ERROR)
    if shares is None:
        return None
    sums = np.bincount(errors.series, weights=shares)[np.unique(errors.series)]
    return sums.astype(np.float64)
