"""The last rows of a file's series: what is most recent is what comes next is forecast from."""

from __future__ import annotations

import numpy as np

from data.errors import DataError
from data.frequencies import stamps
from data.panel import Panel


def last_rows(panel: Panel, most: int) -> Panel:
    """Keep the last `most` rows of each series, and say in the notes how many were left out.

    A series without a value in them is left out too; raises DataError where that is all.
    """
    dropped = {i: _dropped(panel, i, most) for i in range(len(panel))}
    if not any(dropped.values()):
        return panel
    kept = {i: panel.in_units(i)[rows:] for i, rows in dropped.items()}
    known = [i for i, values in kept.items() if not np.isnan(values).all()]
    if not known:
        raise DataError(
            f"--max-rows-per-file {most}: no series has a value in its last {most} rows; take more, or leave it out"
        )
    rest = sum(dropped.values())
    notes = [f"the last {most} rows of each series taken, as --max-rows-per-file says; {rest} earlier ones left out"]
    if len(known) < len(panel):
        notes.append(f"{len(panel) - len(known)} series without a value in these rows left out")
    return Panel.from_series(
        panel.name,
        {panel.ids[i]: kept[i] for i in known},
        starts=[_start(panel, i, dropped[i]) for i in known],
        freq=panel.freq,
        notes=[*panel.notes, *notes],
    )


def _dropped(panel: Panel, i: int, most: int) -> int:
    """Return how many of a series' first rows go: one more where the month of the new start lacks the day of all."""
    rows = max(0, int(panel.lengths[i]) - most)
    first, start = panel.starts[i], _start(panel, i, rows)
    if not rows or first is None or start is None or panel.freq is None:
        return rows
    again, expected = (stamps(begin, panel.freq, at, 2)[1] for begin, at in ((start, 0), (first, rows)))
    return rows if again == expected else rows + 1


def _start(panel: Panel, i: int, dropped: int) -> str | None:
    """Return when a series begins without its first rows; None where no time is known."""
    first = panel.starts[i]
    if first is None or not dropped:
        return first
    return None if panel.freq is None else str(stamps(first, panel.freq, dropped, 1)[0].isoformat())
