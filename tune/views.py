"""Draws what the commands print: the plan, the leaderboard, the list of sweeps, the spaces."""

from __future__ import annotations

from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from search_spaces.space import SearchSpace
from tune.format import duration, memory, number
from tune.leaderboard import BEATS_ZERO_SHOT, Leaderboard, Standing
from tune.sweep import Sweep

FIVE = ("strategy", "lr", "epochs", "warmup_steps", "weight_decay", "batch_size")
COLUMNS = (
    "rank",
    "trial",
    "val_loss",
    "gain",
    "val_mae",
    "val_mse",
    "best epoch",
    "ended by",
    *FIVE,
    "time",
    "memory",
)


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


def leaderboard_rows(board: Leaderboard) -> list[list[str]]:
    """The leaderboard as text, zero-shot where it would rank."""
    rows = [_standing_row(standing) for standing in board.standings]
    start_scores = {name: number(board.zero_shot[name]) for name in ("val_loss", "val_mae", "val_mse")}
    zero_shot = [{"trial": "zero-shot", **start_scores}.get(name, "") for name in COLUMNS]
    start = board.zero_shot[board.metric]
    place = sum(s.rank is not None and start is not None and getattr(s, board.metric) < start for s in board.standings)
    return [*rows[:place], zero_shot, *rows[place:]]


def _standing_row(s: Standing) -> list[str]:
    ended = s.stopped_by or s.status
    return [
        "" if s.rank is None else str(s.rank),
        s.trial_id,
        number(s.val_loss),
        "" if s.gain is None else f"{s.gain:+.4f}",
        number(s.val_mae),
        number(s.val_mse),
        f"{number(s.best_epoch)} of {number(s.epochs_run)}",
        ended,
        *(number(s.config.get(key)) for key in FIVE),
        duration(s.seconds),
        memory(s.peak_memory_bytes),
    ]


def print_leaderboard(console: Console, board: Leaderboard) -> None:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for name in _shown(board):
        table.add_column(name, justify="left" if name in ("trial", "ended by", "strategy") else "right", no_wrap=True)
    indexes = [COLUMNS.index(name) for name in _shown(board)]
    for row in leaderboard_rows(board):
        style = "bold cyan" if row[1] == "zero-shot" else "green" if row[0] == "1" and board.beats_zero_shot else None
        table.add_row(*(row[i] for i in indexes), style=style)
    console.print(table)
    _print_test(console, board)
    console.print(verdict_sentence(board), style="green" if board.beats_zero_shot else "yellow", highlight=False)


def _shown(board: Leaderboard) -> list[str]:
    """Leave out hyperparameters that no trial has."""
    have = {key for s in board.standings for key in s.config}
    return [name for name in COLUMNS if name not in FIVE or name in have]


def _print_test(console: Console, board: Leaderboard) -> None:
    if not board.test:
        return
    parts = [
        f"{name} loss {number(t['test_loss'])} mae {number(t['test_mae'])} mse {number(t['test_mse'])}"
        for name, t in board.test.items()
    ]
    console.print("test, scored once after the search:", style="dim")
    for part in parts:
        console.print(f"  {part}", highlight=False)


def leaderboard_markdown(board: Leaderboard) -> str:
    shown = _shown(board)
    indexes = [COLUMNS.index(name) for name in shown]
    lines = ["| " + " | ".join(shown) + " |", "|" + "---|" * len(shown)]
    lines += ["| " + " | ".join(row[i] for i in indexes) + " |" for row in leaderboard_rows(board)]
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
    facts |= {f"searched {key}": domain.to_text() for key, domain in space.parameters().items()}
    facts |= {
        f"first {i}": ", ".join(f"{k} {number(v)}" for k, v in point.items())
        for i, point in enumerate(space.first, start=1)
    }
    return facts | {"trials": str(space.trials)}
