"""The order in which a leaderboard lists its trials, the initial model and the baselines."""

from __future__ import annotations

import math
from dataclasses import dataclass

from trainables.trial.report import Scores
from tune.leaderboard.leaderboard import Leaderboard
from tune.leaderboard.standing import Standing
from tune.records.baselines import Baseline


@dataclass(frozen=True)
class Line:
    """A line of the leaderboard: a trial or a blend has a standing, a baseline itself, the initial model neither."""

    name: str
    scores: Scores
    standing: Standing | None = None
    baseline: Baseline | None = None

    @property
    def is_initial(self) -> bool:
        return self.standing is None and self.baseline is None


def leaderboard_lines(board: Leaderboard) -> list[Line]:
    """Give the trials in order, the initial model and the baselines each before the first trial not better.

    An initial model without a value in the metric comes first, a baseline without one at the end.
    """
    lines = [
        Line(board.initial_name, board.initial),
        *(Line(b.name, b.scores, baseline=b) for b in board.baselines),
        *(Line(s.trial_id, s.scores, standing=s) for s in (*board.standings, *board.blends)),
    ]
    return sorted(lines, key=lambda line: _place(line, board.metric))  # what ties stays in the order above


def _place(line: Line, metric: str) -> tuple[int, float]:
    value = line.scores[metric]
    if value is not None:
        return 0, value
    return (0, -math.inf) if line.is_initial else (1 if line.standing else 2, 0.0)
