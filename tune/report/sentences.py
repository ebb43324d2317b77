"""What a sweep's page says in sentences: the verdict, how far the sweep is, and how a trial ended."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from tune.format import count_text, difference_text, long_duration, score_text, short_number
from tune.leaderboard.leaderboard import Leaderboard
from tune.leaderboard.standing import Standing
from tune.records.baselines import unbeaten_sentence
from tune.verdict.sentences import answer_of


@dataclass(frozen=True)
class Verdict:
    """kind: better, keep, doubt or open; lead is the answer in two or three words, text its numbers.

    further: what must be known beside it.
    gain: of the best trial over the initial model (the strongest, where there are several).
    """

    kind: str
    lead: str
    text: str
    gain: float | None = None
    further: tuple[str, ...] = ()


def verdict_of(board: Leaderboard) -> Verdict:
    """Say what the sweep found, or has found so far; and, where it is so, that the best trial beats no baseline."""
    if (answer := answer_of(board)) is not None and board.decided is not None and board.decided.difference:
        kind = "doubt" if answer.is_contradicted else "better" if answer.is_good else "keep"
        return Verdict(kind, answer.lead, answer.text, board.decided.difference.difference, answer.further)
    metric, best, words = board.metric, board.best, board.initial_model
    initial = board.initial[metric]
    if best is None:
        return _no_verdict(board)
    value = best.scores[metric]
    assert value is not None  # the best trial is a ranked one
    came_to = f"{score_text(value)} at epoch {short_number(best.best_epoch)}"
    more = unbeaten_sentence("It" if board.beats_initial else best.trial_id, board.unbeaten_baselines, score_text)
    if initial is None:
        text = f"{best.trial_id} reached {metric} {came_to}, but there is no {words.name} {metric} to hold it against."
        return Verdict("open", "Undecided", f"{text}{more}")
    so_far = " so far" if _is_running(board) else ""
    if board.beats_initial:
        text = f"{best.trial_id} reached {metric} {came_to}, {_distance(initial, value)} better than {words.own}"
        lead = f"{words.when_beaten.capitalize()}{so_far}"
        return Verdict("better", lead, f"{text} at {score_text(initial)}.{more}", initial - value)
    whose = "its" if words.is_pretrained else f"{words.model}'s"
    text = f"nothing beat {whose} {metric} of {score_text(initial)}; the best trial, {best.trial_id}, came to {came_to}"
    lead = f"{words.when_unbeaten.capitalize()}{so_far}"
    return Verdict("keep", lead, f"{text}, {_worse(initial, value)}.{more}", initial - value)


def _no_verdict(board: Leaderboard) -> Verdict:
    value = board.initial[board.metric]
    initial = (
        f"{board.initial_model.model} has {board.metric} {score_text(value)}"
        if value is not None
        else f"{board.initial_model.model}'s {board.metric} is not known"
    )
    failed = sum(s.status == "failed" for s in board.standings)
    if failed and failed == len(board.standings):
        return Verdict("open", "No result", f"{count_text(failed, 'trial')} failed and none was validated; {initial}.")
    return Verdict("open", "Undecided", f"no trial has been validated after an epoch of training; {initial}.")


def _is_running(board: Leaderboard) -> bool:
    return any(s.status == "running" for s in board.standings)


def progress_of(board: Leaderboard, planned: int, *, is_running: bool = False) -> str:
    """Say how many trials there are and how they ended, and how long they trained."""
    if not board.standings:
        return f"No trial is on record; {count_text(planned, 'trial')} planned."
    words = Counter(ending_of(s) for s in board.standings)
    ended = ", ".join(f"{count} {word}" for word, count in words.most_common())
    seconds = long_duration(sum(s.seconds for s in board.standings))
    lead = "The sweep is still running: " if is_running or _is_running(board) else ""
    of_all = f"{len(board.standings)} of {count_text(planned, 'trial')} planned"
    return f"{lead}{of_all}: {ended}. Trained for {seconds} in all."


def ending_of(standing: Standing) -> str:
    """Say in a word or three how a trial ended: completed, diverged, stopped by asha."""
    if standing.status == "stopped" and standing.stopped_by:
        return f"stopped by {standing.stopped_by}" if standing.stopped_by != "diverged" else "diverged"
    return standing.status


def _distance(initial: float, value: float) -> str:
    """A percentage has a meaning only where both are above zero: a likelihood may not be."""
    share = f" ({abs(initial - value) / initial * 100:.1f} %)" if initial > 0 and value > 0 else ""
    return f"{difference_text(abs(initial - value))}{share}"


def _worse(initial: float, value: float) -> str:
    return "no better and no worse" if value == initial else f"{_distance(initial, value)} worse"
