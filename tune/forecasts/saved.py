"""Every forecast that an evaluation makes, as a table, a line a point."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from data.panel import Panel
from trainables.base import QUANTILE_LEVELS
from tune.forecasts.evaluation import Sink
from tune.forecasts.files import Tables, writer
from tune.forecasts.many import Block
from tune.forecasts.request import Assignment


@dataclass(frozen=True)
class _Shape:
    """What the tables of an evaluation's forecasts have in common."""

    panel: Panel
    levels: tuple[float, ...]
    steps: int
    series: NDArray[np.int64]


@contextmanager
def saving(path: Path, *, has_several: bool) -> Iterator[Sink]:
    """Give what writes forecasts to a file, which takes its name when all are in it.

    has_several: checkpoints; then a column names each, and quantiles are NaN for one that has none.
    """
    made: dict[str, Tables] = {}
    with writer(path) as add:

        def take(assignment: Assignment, block: Block) -> None:
            name, panel = assignment.checkpoint.name, assignment.data.panel
            if has_several and not block.quantiles.shape[1]:
                none = np.full((len(block.point), len(QUANTILE_LEVELS), block.point.shape[1]), np.nan)
                block = replace(block, quantiles=none)
            if name not in made:
                levels = QUANTILE_LEVELS if block.quantiles.shape[1] else ()
                steps = assignment.spec.prediction_length
                made[name] = Tables(_Shape(panel, levels, steps, np.arange(len(panel))))
            add(_named(made[name].of(block), name if has_several else None))

        yield take


def _named(table: pd.DataFrame, checkpoint: str | None) -> pd.DataFrame:
    if checkpoint is not None:
        table.insert(0, "checkpoint", checkpoint)
    return table
