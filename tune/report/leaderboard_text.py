"""A leaderboard as text: its columns and cells, the verdict as a sentence, and all of it as Markdown."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence

from tune.format import difference_text, duration, memory, number
from tune.leaderboard.leaderboard import Leaderboard
from tune.leaderboard.ranking import Line, leaderboard_lines
from tune.leaderboard.standing import Standing, varying
from tune.records.baselines import unbeaten_sentence
from tune.verdict.sentences import answer_of

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
COSTS = ("time", "memory")


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


def row_of(line: Line, board: Leaderboard) -> dict[str, str]:
    """A line's cells by their columns; those that it does not have are left out or empty."""
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


def score_columns(board: Leaderboard) -> list[str]:
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


def hyperparameter_columns(board: Leaderboard) -> list[str]:
    """The common ones that trials have, then a model's own where they differ."""
    have = {key for s in board.standings for key in s.hyper}
    common = [key for key in TITLES if key in have]
    own = [key for key in varying(board.standings) if key not in TITLES and key not in HIDDEN]
    return [TITLES.get(key, key) for key in [*common, *own]]


def leaderboard_markdown(board: Leaderboard) -> str:
    """Return the table, the verdict, and what must be known beside it."""
    answer = answer_of(board)
    further = () if answer is None else answer.further
    table = leaderboard_table(board, [*score_columns(board), *hyperparameter_columns(board), *COSTS])
    return "\n".join([*table, "", verdict_sentence(board), *(f"\n{each}" for each in further)])


def leaderboard_table(board: Leaderboard, columns: Sequence[str], *, trials_alone: bool = False) -> list[str]:
    """Return the lines of a Markdown table. trials_alone: without the initial model, baselines and blends."""
    lines = [line for line in leaderboard_lines(board) if not trials_alone or is_of_trial(line)]
    cells = [row_of(line, board) for line in lines]
    rows = [columns, *([row.get(name, "") for name in columns] for row in cells)]
    text = ["| " + " | ".join(map(_markdown_cell, row)) + " |" for row in rows]
    return [text[0], "|" + "---|" * len(columns), *text[1:]]


def is_of_trial(line: Line) -> bool:
    return line.standing is not None and not line.standing.parts


def _markdown_cell(text: str) -> str:
    """A cell that is neither two nor a tag."""
    return html.escape(text, quote=False).replace("|", "\\|").replace("\n", " ")
