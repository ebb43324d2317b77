"""What the commands print of sweeps: the leaderboard, its verdict, the list of sweeps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.table import Table

from tune.format import duration, number
from tune.leaderboard.leaderboard import Leaderboard
from tune.leaderboard.ranking import Line, leaderboard_lines
from tune.records.scores_on_test import name_on_test, rows_on_test
from tune.report.leaderboard_text import (
    COSTS,
    SKILL,
    TOP_SET,
    hyperparameter_columns,
    is_of_trial,
    row_of,
    score_columns,
    verdict_sentence,
)
from tune.sweep import Sweep
from tune.verdict.advice import Advice
from tune.verdict.sentences import answer_of

if TYPE_CHECKING:  # torch: seconds
    from tune.comparing import Comparison

LESS_IMPORTANT = (
    "val_data_mse",
    "val_data_rmse",
    "val_mse",
    SKILL,
    "val_mase",
    "val_wql",
    "val_mae",
    "val_data_mae",
    TOP_SET,
)  # the first goes first on a narrow terminal
LEFT = ("trial", "ended by", "strategy")


def print_leaderboard(console: Console, board: Leaderboard, advised: Sequence[Advice] = ()) -> None:
    """The table, in two parts on a narrow terminal, the test scores if there are any, and the verdict."""
    hyperparameters, scores = hyperparameter_columns(board), score_columns(board)
    whole = _table(board, [*scores, *hyperparameters, *COSTS])
    if _width(console, whole) <= console.width:
        console.print(whole)
    else:
        console.print(_narrow(console, board, scores))
        console.print(_table(board, ["#", "trial", *hyperparameters, *COSTS], trials_alone=True))
    _print_test(console, board)
    for name, sentence in board.comparison.items():
        console.print(f"{name}: {sentence}", soft_wrap=True)
    for reason in board.damaged:
        console.print(f"damaged: {reason}", soft_wrap=True)
    answer = answer_of(board)
    is_good = board.beats_initial if answer is None else answer.is_good
    is_piped = not console.is_terminal  # whole lines for other programs, whole words for people
    console.print(verdict_sentence(board), style="green" if is_good else "yellow", soft_wrap=is_piped)
    for sentence in () if answer is None else answer.further:
        console.print(f"  {sentence}", soft_wrap=is_piped)
    for advice in advised:
        console.print(f"advice: {advice.text}", soft_wrap=is_piped)
        console.print(f"  foretune sweep … {advice.options}", soft_wrap=True, highlight=False)


def _narrow(console: Console, board: Leaderboard, columns: list[str]) -> Table:
    """The table, without the less important scores where there is no room for them; the files have them."""
    dropped = iter([name for name in LESS_IMPORTANT if name in columns and name != board.metric])
    table = _table(board, columns)
    while _width(console, table) > console.width and (name := next(dropped, None)) is not None:
        columns = [column for column in columns if column != name]
        table = _table(board, columns)
    return table


def _width(console: Console, table: Table) -> int:
    """Columns of text that a table needs to show every cell whole."""
    return console.measure(table, options=console.options.update(width=10_000)).maximum


def _table(board: Leaderboard, columns: list[str], *, trials_alone: bool = False) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold", padding=(0, 1, 0, 0))
    for name in columns:
        table.add_column(name, justify="left" if name in LEFT else "right", no_wrap=True)
    for line in leaderboard_lines(board):
        if trials_alone and not is_of_trial(line):
            continue
        row = row_of(line, board)
        table.add_row(*(row.get(name, "") for name in columns), style=_style(line, board))
    return table


def _style(line: Line, board: Leaderboard) -> str | None:
    if line.standing is not None:
        return "green" if line.standing == board.chosen else None
    return "bold cyan" if line.is_initial else "dim"


def _print_test(console: Console, board: Leaderboard) -> None:
    if not board.test:
        return
    console.print("test, scored once after the search:", style="dim")
    for name, row in rows_on_test(board.test).items():
        shown = map(name_on_test, board.score_names)
        values = ", ".join(f"{key} {number(row.get(key))}" for key in shown)
        console.print(f"  {name}: {values}")


def print_status(console: Console, sweeps: list[Sweep]) -> None:
    """A line a sweep: how far it is, and how it compares with its initial model."""
    starts = {sweep.spec.initial_name for sweep in sweeps}
    is_mixed = len(starts) > 1
    start_title = "initial model" if is_mixed else starts.pop()
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("sweep", "state", "trials done", "metric", start_title, "best", "trial", "search time"):
        table.add_column(name)
    for sweep in sweeps:
        board = sweep.leaderboard()
        best = board.best
        left = sweep.unfinished_trials()
        state = "running" if sweep.is_running else "finished" if left == 0 else "can be resumed"
        table.add_row(
            sweep.spec.name,
            state,
            f"{sweep.spec.planned_trials - left} of {sweep.spec.planned_trials}",
            board.metric,
            number(board.initial[board.metric]) + (f" ({board.initial_name})" if is_mixed else ""),
            number(best.scores[board.metric]) if best else "–",
            best.trial_id if best else "–",
            duration(sweep.seconds_used),
        )
    console.print(table)


def print_comparison(console: Console, found: Comparison) -> None:
    """A line a sweep, the best first: what it would use, by a measure that compares models."""
    test = name_on_test(found.metric)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold", padding=(0, 1, 0, 0))
    for name in ("sweep", "model", "uses", found.metric, "before", test, TOP_SET, "trials", "search time", "verdict"):
        table.add_column(name, justify="right" if name in (found.metric, "before", test, "trials") else "left")
    for entry in found.entries:
        table.add_row(
            entry.sweep,
            entry.model,
            entry.used,
            number(entry.value),
            number(entry.initial),
            number(entry.test),
            "yes" if entry.in_top_set else "",
            str(entry.trials),
            duration(entry.seconds),
            entry.verdict,
        )
    console.print(table)
