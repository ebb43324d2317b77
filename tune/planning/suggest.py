"""What to begin with for series that nobody has looked at: lengths, space and time, by what they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from data.naive import season_length
from data.panel import Panel

PATCH = 32  # of Moirai's tokens; a context of whole tokens wastes none
MOST_CONTEXT, SEASONS_SEEN = 512, 4
LEAST_VALIDATION = 3  # forecasts that the validation tenth of the shortest series should hold
WINDOWS = 4000  # of training in an epoch, that a card or a few cores do in a minute or so


@dataclass(frozen=True)
class Suggestion:
    """Options of a sweep, and why: a sentence each."""

    options: dict[str, object]
    reasons: dict[str, str]


def suggest(panel: Panel, *, has_gpu: bool) -> Suggestion:
    """Suggest how to search for a fine-tune on these series."""
    season, shortest = season_length(panel.freq), int(panel.lengths.min())
    ahead = season if season > 1 else max(1, min(24, shortest // 20))
    while ahead > 1 and LEAST_VALIDATION * ahead > shortest // 10:
        ahead //= 2
    wanted = min(MOST_CONTEXT, max(2 * ahead, SEASONS_SEEN * season))
    wanted = max(1, min(wanted, shortest // 3))
    context = wanted // PATCH * PATCH or wanted
    rows = int(np.maximum(0.8 * panel.lengths - context - ahead, 0).sum())
    stride = max(1, round(rows / WINDOWS))
    if season > 1 and stride % season == 0:
        stride -= 1  # else every window begins at one hour
    of_season = f"a season of {season} rows" if season > 1 else "no season in its frequency"
    return Suggestion(
        options={
            "space": "moirai-small" if has_gpu else "quickstart",
            "context_length": context,
            "prediction_length": ahead,
            "train_stride": stride,
            "time_budget": "2h",
            "repeats": 3,
        },
        reasons={
            "space": "published weights, from the Hub"
            if has_gpu
            else "a tiny bundled model: no GPU was found. On one, moirai-small",
            "context_length": f"{of_season}; the shortest series has {shortest} rows",
            "prediction_length": "a season" if ahead == season else "so that validation holds some forecasts",
            "train_stride": f"about {rows // stride} training windows an epoch",
            "time_budget": "of the search; what is found is there at any time",
            "repeats": "the best three again with other seeds, so that luck is not taken for a gain",
        },
    )
