"""A trial epoch by epoch, as a table."""

from __future__ import annotations

from collections.abc import Callable

from rich.console import Console
from rich.table import Table
from rich.text import Text

from trainables.trial.report import Report
from tune.cli.live.sparkline import BETTER, WORSE
from tune.format import duration, measured_memory, number, score_text
from tune.records.trial_record import TrialRecord

Cell = Callable[[Report], str]


def _shown(report: Report, initial: float | None, metric: str) -> Text:
    value = report.scores[metric]
    style = "" if value is None or initial is None or not report.is_trained else BETTER if value < initial else WORSE
    return Text(score_text(value), style=style)


def _measured(value: float | None, unit: str) -> str:
    return "" if value is None else f"{value:.0f}{unit}"


def print_epochs(console: Console, record: TrialRecord, metric: str) -> None:
    """Print a line an epoch, the best one marked, columns without a value left out; and how the trial ended."""
    console.print(", ".join(f"{name} {number(value)}" for name, value in record.hyper.items()), soft_wrap=True)
    best, further = record.best(metric), [name for name in ("val_mae", "val_mase", "val_wql") if name != metric]
    initial = record.initial.scores[metric] if record.initial else None
    columns: dict[str, Cell] = {
        "train loss": lambda r: number(r.train_loss) if r.train_loss is not None else "",
        **{
            f"train {name}": lambda r, name=name: number(part) if (part := r.loss_parts.get(name)) is not None else ""  # type: ignore[misc]
            for name in dict.fromkeys(name for report in record.reports for name in report.loss_parts)
        },
        **{name: lambda r, name=name: score_text(r.scores[name]) for name in further},  # type: ignore[misc]
        **{
            name: lambda r, name=name: score_text(r.scores.extra.get(name))  # type: ignore[misc]
            for name in dict.fromkeys(name for report in record.reports for name in report.scores.extra)
        },
        "lr": lambda r: number(r.lr) if r.lr is not None else "",
        "gradient": lambda r: number(r.gradient_norm) if r.gradient_norm is not None else "",
        "time": lambda r: duration(r.seconds),
        "waited": lambda r: duration(r.waited_seconds) if r.waited_seconds else "",
        "memory": lambda r: measured_memory(r.peak_memory_bytes) if r.peak_memory_bytes else "",
        "GPU": lambda r: _measured(r.card.gpu_utilisation, " %"),
        "heat": lambda r: _measured(r.card.gpu_temperature, " °C"),
        "power": lambda r: _measured(r.card.gpu_power, " W"),
        "fall-backs": lambda r: r.fall_backs or "",
    }
    columns = {title: cell for title, cell in columns.items() if any(cell(report) for report in record.reports)}
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("epoch", metric, *columns, ""):
        table.add_column(title, justify="right" if title else "left")
    for report in record.reports:
        mark = "best" if report is best else "initial model" if not report.is_trained else ""
        table.add_row(
            number(report.epoch),
            _shown(report, initial, metric),
            *(cell(report) for cell in columns.values()),
            mark,
        )
    console.print(table)
    if record.stopped_by is not None:
        console.print(f"{record.trial_id} ended ({record.stopped_by})")
    if record.error is not None:
        console.print(record.error.strip().splitlines()[-1], soft_wrap=True)
