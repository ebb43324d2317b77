"""A trial's curve in one line of text, beside the initial model's level."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

BARS = "▁▂▃▄▅▆▇█"
WIDTH = 16  # of the last points
BETTER, WORSE = "green", "yellow"


def sparkline(values: Sequence[float | None], initial: float | None, *, width: int = WIDTH) -> Text:
    """Draw the last points of a curve, a lower value as a lower bar: coloured by whether it beats the initial model.

    values: smaller is better, None where there is none. The scale has the initial model's level in it.

    >>> sparkline([1.0, 0.5, None, 0.0], 1.0).plain
    '█▅ ▁'
    """
    shown = list(values)[-width:]
    known = [value for value in (*shown, initial) if value is not None]
    line = Text()
    if not known:
        return line
    low, span = min(known), max(known) - min(known)
    for value in shown:
        if value is None:
            line.append(" ")
            continue
        level = round((value - low) / span * (len(BARS) - 1)) if span > 0 else 0
        style = None if initial is None else BETTER if value < initial else WORSE
        line.append(BARS[level], style=style)
    return line
