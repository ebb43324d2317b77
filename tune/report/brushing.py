"""What the page's script works with: its text, and the trials' places on the axes of the parallel coordinates."""

from __future__ import annotations

import base64
import hashlib
import json
from functools import cache
from pathlib import Path

from markupsafe import Markup

from tune.leaderboard.leaderboard import Leaderboard
from tune.report.charts.parallel_coordinates import Parallel, axis_ends
from tune.report.charts.plot_style import NARROW, WIDE

SCRIPT = Path(__file__).with_name("page.js")


@cache
def brushing_script() -> Markup:
    """Return the script, as it is between its tags."""
    return Markup(SCRIPT.read_text(encoding="utf-8"))


def content_hash(script: str) -> str:
    """Return what a content security policy knows a script by."""
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def brushing_data(leaderboard: Leaderboard) -> Markup:
    """Return the axes, where they are in both pictures, and each trial's places on them, as JSON for the script."""
    parallel = Parallel.of(leaderboard)
    assert parallel is not None  # else there is no picture to brush
    content = {
        "axes": [
            {"name": a.name, "low": a.low, "high": a.high, "log": a.is_log, "choices": list(a.choices)}
            for a in parallel.axes
        ],
        "trials": {name: [None if p is None else round(p, 4) for p in row] for name, row in parallel.positions.items()},
        "wide": axis_ends(parallel, WIDE),
        "narrow": axis_ends(parallel, NARROW),
    }
    text = json.dumps(content, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c"))  # no name may end the element
