"""Where a sweep's time went, as a table."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table

from tune.records.timeline import read_timeline, time_spent
from tune.sweep import Sweep


def print_timeline(console: Console, sweep: Sweep) -> None:
    """A line an activity: its seconds, its share of the clock, how often it was; together the whole clock."""
    found = time_spent(read_timeline(sweep.folder.timeline))
    if not found.wall:
        console.print(f"{sweep.spec.name}: no timeline on record", soft_wrap=True)
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=f"{sweep.spec.name}: time", title_justify="left")
    table.add_column("activity")
    for name in ("seconds", "share", "times"):
        table.add_column(name, justify="right")
    for heading, seconds in found.seconds.items():
        times = found.counts[heading]
        if seconds or times:
            table.add_row(heading, f"{seconds:.1f}", f"{seconds / found.wall:.1%}", str(times or ""))
    table.add_section()
    table.add_row("together", f"{found.wall:.1f}", "", "")
    console.print(table)
    lines = [f"training and evaluation: {found.own / found.wall:.0%} of the clock"]
    if (middle := found.middle_hand_over) is not None:
        lines.append(f"from one trial to the next: {middle:.2f} s, the longest {max(found.hand_overs):.2f} s")
    for line in lines:
        console.print(line)
