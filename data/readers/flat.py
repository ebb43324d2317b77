"""Series that do not move: constant ones, and those that hold one value for a long time as a stuck sensor does."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from data.panel import Panel
from data.readers.tabular.names import listed

LONG_SHARE = 0.25  # of a series' rows, that holding one value other than 0 is worth a note
LONG_ROWS = 100


def flat_notes(panel: Panel) -> list[str]:
    """Say which series are constant, and which hold one value other than 0 over many rows in a row."""
    constant, stuck = [], []
    for i, name in enumerate(panel.ids):
        values = panel.series(i)
        known = values[~np.isnan(values)]
        if len(known) > 1 and (known == known[0]).all():
            constant.append(name)
            continue
        first, rows = _longest_run(values, zero=-float(panel.centers[i]))
        if rows >= max(LONG_ROWS, LONG_SHARE * len(values)):
            stuck.append(f"{name!r} (rows {first} to {first + rows - 1})")
    notes = []
    if constant:
        notes.append(f"{len(constant)} series never change: {listed(constant)}")
    if stuck:
        more = f" and {len(stuck) - 3} more" if len(stuck) > 3 else ""
        shown = ", ".join(stuck[:3]) + more
        notes.append(f"{len(stuck)} series hold one value for long, as a stuck sensor does: {shown}")
    return notes


def _longest_run(values: NDArray[np.float32], zero: float) -> tuple[int, int]:
    """Return where the longest run of one value other than 0 begins, and its rows; (0, 0) where none is long."""
    changes = np.flatnonzero(np.r_[True, values[1:] != values[:-1]])  # NaN differs from everything
    lengths = np.diff(np.r_[changes, len(values)])
    if not len(lengths) or lengths.max() < LONG_ROWS:
        return 0, 0
    lengths = np.where(np.isclose(values[changes], zero), 0, lengths)
    longest = int(np.argmax(lengths))
    return int(changes[longest]), int(lengths[longest])
