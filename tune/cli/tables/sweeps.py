"""What the commands print of sweeps: the leaderboard, its verdict, the list of sweeps."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.table import Table

from tune.format import difference_text, duration, memory, number
from tune.leaderboard.leaderboard import Leaderboard
from tune.leaderboard.ranking import Line, leaderboard_lines
from tune.leaderboard.standing import Standing, varying
from tune.records.baselines import unbeaten_sentence
from tune.records.scores_on_test import name_on_test, rows_on_test
from tune.sweep import Sweep
from tune.verdict.advice import Advice
from tune.verdict.sentences import answer_of

if TYPE_CHECKING:  # torch: seconds
    from tune.comparing import Comparison

TITLES = {
    "strategy": "strategy",
    "lr": "lr",
    "epochs": "epochs",
    "warmup_steps": "warm-up",
    "weight_decay": "decay",
    "batch_size": "batch",
}
HIDDEN = ("patience",)  # it follows from the strategy
TOP_SET = "in top set"  # the model confidence set: indistinguishable from the best
REPEATS = "repeats"  # that a line is the mean of
ENDING = ("best epoch", "ended by")
SKILL = "skill"  # 1 - geometric mean over series of MAE over the naive forecast's
LESS_IMPORTANT = (
    "val_mse",
    SKILL,
    "val_mase",
    "val_wql",
    "val_mae",
    TOP_SET,
)  # the first goes first on a narrow terminal
COSTS = ("time", "memory")
LEFT = ("trial", "ended by", "strategy")


def verdict_sentence(board: Leaderboard) -> str:
    """What the sweep found, in a sentence with numbers; a second one where the best trial does not beat a baseline."""
    if (answer := answer_of(board)) is not None:
        return f"{answer.lead}: {answer.text}"
    initial, best, words = board.initial[board.metric], board.best, board.initial_model
    if best is None or initial is None:
        return "No trial has trained for an epoch yet."
    value = number(best.scores[board.metric])
    if board.beats_initial:
        return (
            f"{best.trial_id} {words.when_beaten}: {board.metric} {value} at epoch {number(best.best_epoch)}, "
            f"{words.name} {number(initial)}.{unbeaten_sentence('It', board.unbeaten_baselines, number)}"
        )
    advice = words.when_unbeaten if words.is_pretrained else f"there is {words.when_unbeaten}"
    return (
        f"Nothing beat {words.model} ({board.metric} {number(initial)}; the best trial, {best.trial_id}, "
        f"reached {value}): {advice}.{unbeaten_sentence(best.trial_id, board.unbeaten_baselines, number)}"
    )


def leaderboard_rows(board: Leaderboard) -> list[dict[str, str]]:
    """The leaderboard as text, a dict a line, zero-shot and the baselines where they would rank."""
    return [_row(line, board) for line in leaderboard_lines(board)]


def _row(line: Line, board: Leaderboard) -> dict[str, str]:
    skill = _skill(board).get(line.name)
    row = {SKILL: "" if skill is None else f"{skill:.3f}"}
    if line.standing is not None:
        is_top = line.standing.trial_id in _top_set(board)
        return {**_standing_row(line.standing, board.metric), **row, TOP_SET: "yes" if is_top else ""}
    return {**row, "trial": line.name, **{name: number(value) for name, value in line.scores.to_row().items()}}


def _standing_row(s: Standing, metric: str) -> dict[str, str]:
    row = {
        "#": "" if s.rank is None else str(s.rank),
        "trial": s.trial_id,
        "gain": "" if s.gain is None else f"{s.gain:+.4f}",
        "best epoch": "" if s.best_epoch is None else f"{number(s.best_epoch)} of {number(s.epochs_run)}",
        "ended by": s.stopped_by or s.status,
        "time": duration(s.seconds),
        "memory": memory(s.peak_memory_bytes) + (f" ({s.fall_backs})" if s.fall_backs else ""),
    }
    row |= {name: number(value) for name, value in s.scores.to_row().items()}
    if s.seeds:
        row[REPEATS] = str(s.seeds)
    if s.spread is not None:
        row[metric] += f" ± {difference_text(s.spread)}"
    if s.parts:
        return {name: text for name, text in row.items() if name not in COSTS}
    return row | {TITLES.get(key, key): number(value) for key, value in s.hyper.items()}


def print_leaderboard(console: Console, board: Leaderboard, advised: Sequence[Advice] = ()) -> None:
    """The table, in two parts on a narrow terminal, the test scores if there are any, and the verdict."""
    hyperparameters, scores = _hyperparameters(board), _scores(board)
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
        if trials_alone and (line.standing is None or line.standing.parts):
            continue
        row = _row(line, board)
        table.add_row(*(row.get(name, "") for name in columns), style=_style(line, board))
    return table


def _style(line: Line, board: Leaderboard) -> str | None:
    if line.standing is not None:
        return "green" if line.standing == board.chosen else None
    return "bold cyan" if line.is_initial else "dim"


def _scores(board: Leaderboard) -> list[str]:
    """The metric and the gain in it, the other scores, and how the trial ended."""
    others = [name for name in board.score_names if name != board.metric]
    top = [TOP_SET] if _top_set(board) else []
    repeats = [REPEATS] if board.is_repeated else []
    skill = [SKILL] if _skill(board) else []
    return ["#", "trial", *repeats, board.metric, "gain", *top, *others, *skill, *ENDING]


def _skill(board: Leaderboard) -> Mapping[str, float]:
    """Every model's skill against the naive forecast; none before the verdict."""
    return {} if board.decided is None else board.decided.skill


def _top_set(board: Leaderboard) -> Sequence[str]:
    """The trials that cannot be distinguished from the best one; none before the verdict."""
    return () if board.decided is None else board.decided.confidence_set


def _hyperparameters(board: Leaderboard) -> list[str]:
    """The common ones that trials have, then a model's own where they differ."""
    have = {key for s in board.standings for key in s.hyper}
    common = [key for key in TITLES if key in have]
    own = [key for key in varying(board.standings) if key not in TITLES and key not in HIDDEN]
    return [TITLES.get(key, key) for key in [*common, *own]]


def _print_test(console: Console, board: Leaderboard) -> None:
    if not board.test:
        return
    console.print("test, scored once after the search:", style="dim")
    for name, row in rows_on_test(board.test).items():
        shown = map(name_on_test, board.score_names)
        values = ", ".join(f"{key} {number(row.get(key))}" for key in shown)
        console.print(f"  {name}: {values}")


def leaderboard_markdown(board: Leaderboard) -> str:
    columns = [*_scores(board), *_hyperparameters(board), *COSTS]
    rows = [columns, *([row.get(name, "") for name in columns] for row in leaderboard_rows(board))]
    lines = ["| " + " | ".join(map(_markdown_cell, row)) + " |" for row in rows]
    lines.insert(1, "|" + "---|" * len(columns))
    answer = answer_of(board)
    further = () if answer is None else answer.further
    return "\n".join([*lines, "", verdict_sentence(board), *(f"\n{sentence}" for sentence in further)])


def _markdown_cell(text: str) -> str:
    """A cell that is neither two nor a tag."""
    return html.escape(text, quote=False).replace("|", "\\|").replace("\n", " ")


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
