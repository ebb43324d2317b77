"""The verdict in words: one sentence with its figures, and what must be known beside it."""

from __future__ import annotations

from dataclasses import dataclass

from tune.format import count_text, difference_text, number
from tune.leaderboard.leaderboard import Leaderboard
from tune.records.baselines import unbeaten_sentence
from tune.records.scores_on_test import name_on_test
from tune.records.verdict import Decision, Interval, OnTest, Verdict


@dataclass(frozen=True)
class Answer:
    """lead: the answer in two or three words; text: its figures. further: what must be known beside it.

    is_good: whether a trained model is to be used, and test does not disagree. is_contradicted: test disagrees.
    """

    lead: str
    text: str
    further: tuple[str, ...] = ()
    is_good: bool = False
    is_contradicted: bool = False


def answer_of(board: Leaderboard) -> Answer | None:
    """Say what was decided; None while nothing is, or nothing could be compared."""
    verdict = board.decided
    if verdict is None or verdict.candidate is None or verdict.difference is None:
        return None
    lead, text = _lead(board, verdict), _text(board, verdict, verdict.difference)
    contradicted = verdict.test is not None and not verdict.test.agrees
    if contradicted and verdict.test is not None:
        lead, text = f"Test disagrees with “{lead.lower()}”", f"{_on_test(board, verdict, verdict.test)} {text}"
    return Answer(
        lead,
        text,
        tuple(_further(board, verdict, contradicted=contradicted)),
        is_good=verdict.decision is not Decision.KEEP and not contradicted,
        is_contradicted=contradicted,
    )


def _lead(board: Leaderboard, verdict: Verdict) -> str:
    match verdict.decision:
        case Decision.USE:
            return f"Use {verdict.candidate}"
        case Decision.BLEND:
            return f"Use {verdict.candidate}"
        case _:
            return board.initial_model.when_unbeaten.capitalize()


def _text(board: Leaderboard, verdict: Verdict, difference: Interval) -> str:
    words, metric = board.initial_model, verdict.metric
    repeated = f" {_repeats_text(verdict)}" if verdict.seeds else ""
    came_to = f"{metric} {number(verdict.value)}{repeated} against {words.name}'s {number(verdict.initial)}"
    distance = _distance(verdict, difference)
    asked = count_text(verdict.trials_compared, "candidate")
    if verdict.decision is not Decision.KEEP:
        series = _series_text(verdict)
        return (
            f"{came_to}, {distance}; p {_p_text(verdict.p_value)} after correcting for {asked}, on "
            f"{_windows_text(verdict)}{series}."
        )
    best = f"{verdict.candidate}, the best of {asked}, has {came_to}, {distance}"
    if difference.difference <= 0:
        return f"{best}; on {_windows_text(verdict)}."
    if verdict.p_value is not None and verdict.p_value > 1 - verdict.confidence:
        return f"{best}; picking the best of {asked} brings as much by chance (p {_p_text(verdict.p_value)}), on " + (
            f"{_windows_text(verdict)}."
        )
    return f"{best}, but none of them is better beyond chance and without a flaw; on {_windows_text(verdict)}."


def _distance(verdict: Verdict, difference: Interval) -> str:
    """0.0119 better (0.0030 to 0.0210 at 90 %), 3.1 % (0.8 to 5.5 %)."""
    sign = 1 if difference.difference >= 0 else -1
    low, high = sorted((sign * difference.low, sign * difference.high))
    word = "better" if sign > 0 else "worse"
    level = f"{verdict.confidence * 100:.3g} %"
    text = (
        f"{difference_text(abs(difference.difference))} {word} ({_signed(low)} to {_signed(high)} with {level} "
        "confidence)"
    )
    percent = verdict.percent
    if percent is None:
        return text
    low, high = sorted((sign * percent.low, sign * percent.high))
    return f"{text}, {abs(percent.difference):.1f} % ({low:.1f} to {high:.1f} %)"


def _repeats_text(verdict: Verdict) -> str:
    """± 0.0031 over 3 repeats."""
    spread = "" if verdict.spread is None else f"± {difference_text(verdict.spread)} "
    return f"{spread}over {count_text(verdict.seeds, 'repeat')}"


def _signed(value: float) -> str:
    return f"{'−' if value < 0 else ''}{difference_text(abs(value))}"


def _p_text(p_value: float | None) -> str:
    return "unknown" if p_value is None else "under 0.001" if p_value < 0.001 else f"{p_value:.3f}"


def _windows_text(verdict: Verdict) -> str:
    return f"{count_text(verdict.windows, 'window')} in about {count_text(verdict.blocks, 'independent block')}"


def _series_text(verdict: Verdict) -> str:
    better, worse = verdict.series_better, verdict.series_worse
    return f", better in {better} of {better + worse} series" if better + worse > 1 else ""


def _further(board: Leaderboard, verdict: Verdict, *, contradicted: bool) -> list[str]:
    further = []
    if verdict.test is not None and not contradicted:
        further.append(_on_test(board, verdict, verdict.test))
    for flaw in verdict.passed_over:
        further.append(
            f"{flaw.name} was passed over: better by {verdict.metric}, and by {flaw.metric} worse than "
            f"{board.initial_model.name} ({number(flaw.value)} against {number(flaw.initial)})."
        )
    if verdict.decision is not Decision.KEEP and verdict.best != verdict.candidate:
        further.append(
            f"{verdict.best} gains more on validation, but within a standard error, and {verdict.candidate} is "
            "closer to the start: that keeps more of its gain on other data."
        )
    if verdict.few_blocks:
        further.append(
            f"About {count_text(verdict.blocks, 'independent block')} of windows say little, so the intervals are "
            "wider; a longer validation part (--split) says more."
        )
    if verdict.note:
        further.append(verdict.note)
    if unbeaten := board.unbeaten_baselines:
        best = "" if board.best is None else board.best.trial_id
        further.append(unbeaten_sentence(best, unbeaten, number).strip())
    return further


def _on_test(board: Leaderboard, verdict: Verdict, test: OnTest) -> str:
    """Test agrees: test_loss 0.41 against 0.48."""
    name = name_on_test(verdict.metric)
    figures = f"{name} {number(test.value)} against {board.initial_model.name}'s {number(test.initial)}"
    if not test.agrees:
        what = "worse" if test.value >= test.initial else "better"
        return f"On the test part {verdict.candidate} is {what}: {figures}. On validation:"
    worse = f", though worse there by {' and '.join(test.worse_by)}" if test.worse_by else ""
    return f"Test agrees: {figures}{worse}."
