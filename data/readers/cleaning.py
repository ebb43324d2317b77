"""Cleaning: series with too few good values are left out, and what is missing in the others is interpolated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from data.errors import DataError
from data.panel import Panel

NAMED = 5  # how many files or series a note names before it counts the rest


@dataclass(frozen=True)
class Cleaned:
    """A panel without a missing value, how many were interpolated, and the ids of the series that were left out."""

    panel: Panel
    interpolated: int
    left_out: tuple[str, ...]


def clean_series(panel: Panel, *, min_rows: int, source: str) -> Cleaned:
    """Interpolate every series that has min_rows observed values, one at least, and leave out the others.

    source: the file, for the message. The panel's own notes stay.
    Raises DataError if no series has so many.
    """
    needed = max(1, min_rows)
    good = [int(np.isfinite(panel.series(i)).sum()) for i in range(len(panel))]
    kept = [i for i, count in enumerate(good) if count >= needed]
    if not kept:
        raise DataError(
            f"{source}: a series needs {needed} good values, and the most that one has is {max(good, default=0)}; "
            f"bring longer series, or shorten --context-length or --prediction-length"
        )
    interpolated = sum(int(panel.lengths[i]) - good[i] for i in kept)
    series = {panel.ids[i]: interpolate(panel.in_units(i)) for i in kept}
    starts = [panel.starts[i] for i in kept]
    whole = Panel.from_series(panel.name, series, starts=starts, freq=panel.freq, notes=panel.notes)
    return Cleaned(whole, interpolated, tuple(name for name in panel.ids if name not in series))


def clean_panel(panel: Panel, *, min_rows: int, source: str) -> Panel:
    """Clean the panel of one file, and say in its notes what that changed; raises DataError as `clean_series` does."""
    cleaned = clean_series(panel, min_rows=min_rows, source=source)
    notes = list(panel.notes)
    if cleaned.interpolated:
        notes.append(f"{cleaned.interpolated} missing or infinite values interpolated")
    if cleaned.left_out:
        notes.append(left_out_note(cleaned.left_out, min_rows))
    return replace(cleaned.panel, notes=tuple(notes))


def interpolate(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Fill each value that is not finite on the line between its neighbours, at the ends with the nearest one; (rows,).

    At least one value must be finite.
    """
    good = np.isfinite(values)
    if good.all():
        return values
    rows = np.arange(len(values))
    return np.interp(rows, rows[good], values[good])


def left_out_note(names: Sequence[str], min_rows: int) -> str:
    """Say which series had too few values."""
    return f"{len(names)} series with fewer than {max(1, min_rows)} good values left out: {named(names)}"


def named(texts: Sequence[str]) -> str:
    """Write some of the texts, and how many more there are."""
    more = len(texts) - NAMED
    return ", ".join(texts[:NAMED]) + (f" and {more} more" if more > 0 else "")
