"""Draws what the commands print: the plan, the leaderboard, the list of sweeps, the spaces."""

from __future__ import annotations

from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from search_spaces.space import SearchSpace
from tune.format import domain_text, duration, memory, number
from tune.leaderboard import BEATS_ZERO_SHOT, Leaderboard, Standing
from tune.sweep import Sweep

HYPERPARAMETERS = {
    "strategy": "strategy",
    "lr": "lr",
    "epochs": "epochs",
    "warmup_steps": "warm-up",
    "weight_decay": "decay",
    "batch_size": "batch",
}
SCORES = ("#", "trial", "val_loss", "gain", "val_mae", "val_mse", "best epoch", "ended by", "time", "memory")
LEFT = ("trial", "ended by", "strategy")
WIDE = 125  # columns of text that the whole table needs; narrower terminals get it in two parts


def make_console() -> Console:
    """Where commands print, every bracket and colon as it is; what is piped is wide enough for a whole leaderboard."""
    width = None if Console().is_terminal else 160
    return Console(width=width, markup=False, highlight=False, emoji=False)


def print_facts(console: Console, facts: dict[str, str]) -> None:
    """Two columns: what, and in numbers."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for name, value in facts.items():
        table.add_row(name, value)
    console.print(table)


def verdict_sentence(board: Leaderboard) -> str:
    """One sentence with numbers: what the sweep found."""
    start, best = board.zero_shot[board.metric], board.best
    if best is None or start is None:
        return "No trial has trained for an epoch yet."
    value = getattr(best, board.metric)
    if board.verdict == BEATS_ZERO_SHOT:
        return (
            f"{best.trial_id} beats zero-shot: {board.metric} {number(value)} at epoch {number(best.best_epoch)}, "
            f"zero-shot {number(start)}."
        )
    return (
        f"Nothing beat zero-shot ({board.metric} {number(start)}; the best trial, {best.trial_id}, "
        f"reached {number(value)}): keep zero-shot."
    )


def leaderboard_rows(board: Leaderboard) -> list[dict[str, str]]:
    """The leaderboard as text, a dict a line, zero-shot where it would rank."""
    rows = [_standing_row(standing) for standing in board.standings]
    start = board.zero_shot[board.metric]
    place = sum(s.rank is not None and start is not None and getattr(s, board.metric) < start for s in board.standings)
    scores = {name: number(board.zero_shot[name]) for name in ("val_loss", "val_mae", "val_mse")}
    return [*rows[:place], {"trial": "zero-shot", **scores}, *rows[place:]]


def _standing_row(s: Standing) -> dict[str, str]:
    row = {
        "#": "" if s.rank is None else str(s.rank),
        "trial": s.trial_id,
        "val_loss": number(s.val_loss),
        "gain": "" if s.gain is None else f"{s.gain:+.4f}",
        "val_mae": number(s.val_mae),
        "val_mse": number(s.val_mse),
        "best epoch": "" if s.best_epoch is None else f"{number(s.best_epoch)} of {number(s.epochs_run)}",
        "ended by": s.stopped_by or s.status,
        "time": duration(s.seconds),
        "memory": memory(s.peak_memory_bytes),
    }
    return row | {title: number(s.config.get(key)) for key, title in HYPERPARAMETERS.items()}


def print_leaderboard(console: Console, board: Leaderboard) -> None:
    """The table, in two parts on a narrow terminal, the test scores if there are any, and the verdict."""
    hyperparameters = _hyperparameters(board)
    if console.width >= WIDE:
        _print_table(console, board, [*SCORES[:-2], *hyperparameters, *SCORES[-2:]])
    else:
        _print_table(console, board, list(SCORES[:-2]))
        _print_table(console, board, ["#", "trial", *hyperparameters, *SCORES[-2:]])
    _print_test(console, board)
    console.print(verdict_sentence(board), style="green" if board.beats_zero_shot else "yellow")


def _print_table(console: Console, board: Leaderboard, columns: list[str]) -> None:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold", padding=(0, 1, 0, 0))
    for name in columns:
        table.add_column(name, justify="left" if name in LEFT else "right", no_wrap=True)
    for row in leaderboard_rows(board):
        style = None
        if row["trial"] == "zero-shot":
            style = "bold cyan"
        elif row["#"] == "1" and board.beats_zero_shot:
            style = "green"
        table.add_row(*(row.get(name, "") for name in columns), style=style)
    console.print(table)


def _hyperparameters(board: Leaderboard) -> list[str]:
    """Leave out hyperparameters that no trial has."""
    have = {key for s in board.standings for key in s.config}
    return [title for key, title in HYPERPARAMETERS.items() if key in have]


def _print_test(console: Console, board: Leaderboard) -> None:
    if not board.test:
        return
    console.print("test, scored once after the search:", style="dim")
    for name, scores in board.test.items():
        told = ", ".join(f"{key} {number(value)}" for key, value in scores.items())
        console.print(f"  {name}: {told}")


def leaderboard_markdown(board: Leaderboard) -> str:
    columns = [*SCORES[:-2], *_hyperparameters(board), *SCORES[-2:]]
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    lines += ["| " + " | ".join(row.get(name, "") for name in columns) + " |" for row in leaderboard_rows(board)]
    return "\n".join([*lines, "", verdict_sentence(board)])


def print_status(console: Console, sweeps: list[Sweep]) -> None:
    """A line a sweep: how far it is, and how it stands against zero-shot."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("sweep", "state", "trials done", "metric", "zero-shot", "best", "trial", "search time"):
        table.add_column(name)
    for sweep in sweeps:
        board = sweep.leaderboard()
        best = board.best
        left = sweep.unfinished_trials()
        state = "running" if sweep.is_running else "finished" if left == 0 else "can be resumed"
        table.add_row(
            sweep.spec.name,
            state,
            f"{sweep.spec.trials - left} of {sweep.spec.trials}",
            board.metric,
            number(board.zero_shot[board.metric]),
            number(getattr(best, board.metric)) if best else "–",
            best.trial_id if best else "–",
            duration(sweep.seconds_used),
        )
    console.print(table)


def print_spaces(console: Console, spaces: list[SearchSpace]) -> None:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("space", "trainable", "trials", "what it is"):
        table.add_column(name)
    for space in spaces:
        table.add_row(space.name, space.trainable, str(space.trials), space.description)
    console.print(table)


def space_facts(space: SearchSpace) -> dict[str, Any]:
    facts = {"space": space.name, "what it is": space.description, "trainable": space.trainable}
    facts |= {f"fixed {key}": number(value) for key, value in space.fixed.items()}
    facts |= {f"searched {key}": domain_text(domain) for key, domain in space.parameters().items()}
    facts |= {
        f"first {i}": ", ".join(f"{k} {number(v)}" for k, v in point.items())
        for i, point in enumerate(space.first, start=1)
    }
    return facts | {"trials": str(space.trials)}
