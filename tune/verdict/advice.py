"""What to try next, read from the curves of all trials: at most three lines, each with the option that does it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice, pairwise
from statistics import median

from search_spaces.domain import Domain
from search_spaces.space import SearchSpace
from trainables.trial.report import StopReason
from tune.format import short_number
from tune.leaderboard.leaderboard import Leaderboard
from tune.leaderboard.standing import Standing
from tune.records.trial_record import TrialRecord, of_search
from tune.records.verdict import Decision

MOST = 3
MANY = 0.5  # of the trials whose curve can be judged
LEAST_TRIALS = 2  # with a shape, before something is said of it
LEAST_TO_COMPARE = 4  # trials, before one of them is called low or high
FLAT = 0.002  # of the initial model's value: a curve that stays within it has not moved
SWING = 0.02  # a step back of so much is no noise of training
LEAST_VALUES = {"oscillates": 4, "is_flat": 2, "rises_from_the_first": 3}  # that a curve needs to show a shape
EDGE = 0.05  # of a range, from its end
DOMINATED = 0.8  # of the trials: with more than these of one strategy there is nothing left to concentrate on


@dataclass(frozen=True)
class Advice:
    """kind: what was seen, in a word. text: that, in a sentence. options: of `foretune sweep`, for the next one."""

    kind: str
    text: str
    options: str

    def to_dict(self) -> dict[str, object]:
        return dict(vars(self))


def advise(board: Leaderboard, records: Sequence[TrialRecord], space: SearchSpace) -> list[Advice]:
    """Return the first three things that the trials say of the search; none of a healthy one."""
    curves = [curve for record in of_search(records) if (curve := _Curve.of(record, board.metric)) is not None]
    return list(islice(_all(board, curves, space), MOST))


@dataclass(frozen=True)
class _Curve:
    """A trial's metric: values[0] is the initial model's, the rest after it, finite ones alone."""

    record: TrialRecord
    values: tuple[float, ...]

    @classmethod
    def of(cls, record: TrialRecord, metric: str) -> _Curve | None:
        initial = None if record.initial is None else record.initial.scores[metric]
        trained = [value for report in record.trained if (value := report.scores[metric]) is not None]
        return None if initial is None or not trained else cls(record, (initial, *trained))

    @property
    def hyper(self) -> Mapping[str, object]:
        return self.record.hyper

    @property
    def scale(self) -> float:
        """What differences are measured by: the metric's size, or how far the curve ranges where it is near 0."""
        return max(abs(self.values[0]), max(self.values) - min(self.values))

    @property
    def steps(self) -> list[float]:
        return [b - a for a, b in pairwise(self.values[1:])]

    @property
    def oscillates(self) -> bool:
        """Whether it goes back and forth: two real steps back at least, with a step forward after each but the last."""
        turns = [s for s in self.steps if abs(s) > SWING * self.scale]
        back = sum(s > 0 for s in turns)
        changes = sum((a > 0) != (b > 0) for a, b in pairwise(turns))
        return back >= 2 and changes >= 2

    @property
    def is_flat(self) -> bool:
        return max(abs(v - self.values[0]) for v in self.values) < FLAT * self.scale

    @property
    def rises_from_the_first(self) -> bool:
        """Whether the first evaluation is the best, and the last well above it."""
        first, last = self.values[1], self.values[-1]
        return len(self.values) > 2 and first == min(self.values[1:]) and last - first > SWING * self.scale

    @property
    def ended_in_warmup(self) -> bool:
        """Whether patience or the scheduler ended it while its learning rate was still rising."""
        stopped = self.record.stopped_by
        if stopped is not StopReason.PATIENCE and (stopped is None or not stopped.is_of_scheduler):
            return False
        nominal, rates = _number(self.hyper.get("lr")), [r.lr for r in self.record.trained if r.lr is not None]
        warms_up = bool(self.hyper.get("warmup_steps") or self.hyper.get("warmup_fraction"))
        if not warms_up or nominal is None or not rates:
            return False
        return rates[-1] < 0.95 * nominal and rates == sorted(rates)


def _all(board: Leaderboard, curves: Sequence[_Curve], space: SearchSpace) -> Iterator[Advice]:
    """What there is to say, the most urgent first."""
    yield from _test_disagrees(board)
    yield from _ended_in_warmup(curves)
    oscillating = _having(curves, "oscillates")
    if oscillating:
        yield _slower(oscillating, curves)
    flat = _having(curves, "is_flat")
    if flat:
        yield _faster(flat, curves, space)
    rising = [] if oscillating else _having(curves, "rises_from_the_first")
    if rising:
        yield _shorter(rising, curves)
    yield from _edges(board, space)
    yield from _lower(board)
    yield from _dominating(board)


def _having(curves: Sequence[_Curve], shape: str) -> list[_Curve]:
    """Return the curves of a shape where they are many of those that are long enough to have one."""
    judged = [c for c in curves if len(c.values) >= LEAST_VALUES[shape]]
    found = [c for c in judged if getattr(c, shape)]
    return found if len(found) >= max(LEAST_TRIALS, MANY * len(judged)) else []


def _test_disagrees(board: Leaderboard) -> Iterator[Advice]:
    decided = board.decided
    if decided is not None and decided.test is not None and not decided.test.agrees:
        what = "no gain on test" if decided.decision is not Decision.KEEP else "a gain on test that validation lacks"
        yield Advice(
            "disagreement",
            f"Validation and test disagree ({what}): validation is too short, or of another time than test.",
            "--split ratio:6:2:2",
        )


def _ended_in_warmup(curves: Sequence[_Curve]) -> Iterator[Advice]:
    ends = ((c, c.record.stopped_by) for c in curves)
    stopped = [c for c, end in ends if end not in (None, StopReason.ERROR) and not end.is_complete]
    found = [c for c in stopped if c.ended_in_warmup]
    if len(found) >= max(LEAST_TRIALS, MANY * len(stopped)):
        epochs = math.ceil(max(c.record.reports[-1].epoch for c in found)) + 1
        yield Advice(
            "warm-up",
            f"{len(found)} of {len(stopped)} stopped trials were still warming up when they were judged.",
            f"--set patience={epochs}",
        )


def _slower(found: Sequence[_Curve], curves: Sequence[_Curve]) -> Advice:
    rates = _rates(found)
    options = f"--set lr={_range(min(rates) / 5, max(rates) / 2)}" if rates else "--set gradient_clip=0.5"
    warmups = [w for c in found if (w := _number(c.hyper.get("warmup_steps"))) is not None]
    if warmups and "warmup_fraction" not in found[0].hyper:
        options += f" --set warmup_steps={max(10, round(2 * median(warmups)))}"
    return Advice(
        "oscillation", f"{len(found)} of {len(curves)} trials go up and down: their rates are too high.", options
    )


def _faster(found: Sequence[_Curve], curves: Sequence[_Curve], space: SearchSpace) -> Advice:
    rates = _rates(found)
    options = f"--set lr={_range(2 * min(rates), 5 * max(rates))}" if rates else ""
    strategies = {str(c.hyper.get("strategy")) for c in found}
    more = " with a strategy that trains more" if strategies and not strategies & {"full", "None"} else ""
    if more and "full" in _strategies(space):
        options += " --set strategy=full"
    return Advice("flat", f"{len(found)} of {len(curves)} trials hardly moved: try higher rates{more}.", options)


def _shorter(found: Sequence[_Curve], curves: Sequence[_Curve]) -> Advice:
    text = f"{len(found)} of {len(curves)} trials were best at their first evaluation and got worse after it."
    return Advice("overfitting", text, "--evals-per-epoch 4 --set epochs=int:1:3 --set weight_decay=uniform:0.1:0.4")


def _edges(board: Leaderboard, space: SearchSpace) -> Iterator[Advice]:
    """The winner on the edge of a range says that there may be better beyond it."""
    best = board.best
    if best is None or not board.beats_initial or space.is_points:
        return
    for name, domain in _domains(best, space).items():
        value = _number(best.hyper.get(name))
        if name not in ("lr", "weight_decay", "epochs") or value is None or domain.kind == "choice":
            continue
        if (side := _edge(domain, value)) is None:
            continue
        wider = _wider(domain, side)
        if wider != domain:
            yield Advice(
                "edge",
                f"The best, {best.trial_id}, has {name} {short_number(value)}, the {side} end of what was searched.",
                f"--set {name}={_text(wider)}",
            )


def _lower(board: Leaderboard) -> Iterator[Advice]:
    """None beat the initial model, and the one closest to it has one of the lower rates."""
    rates = {s.trial_id: rate for s in board.standings if s.rank and (rate := _number(s.hyper.get("lr"))) is not None}
    if board.beats_initial or board.best is None or board.best.trial_id not in rates or len(rates) < LEAST_TO_COMPARE:
        return
    own, lowest = rates[board.best.trial_id], min(rates.values())
    if own <= sorted(rates.values())[len(rates) // 3]:
        text = (
            f"No trial beat {board.initial_model.model}, and the closest has one of the lowest rates: try lower ones."
        )
        yield Advice("rate", text, f"--set lr={_range(lowest / 20, lowest)}")


def _edge(domain: Domain, value: float) -> str | None:
    """Return which end of a range a value is at, in its own scale."""
    low, high = float(domain.low), float(domain.high)
    if not low < high:
        return None
    if domain.kind in ("log", "logint"):
        low, high, value = (math.log(max(x, 1e-300)) for x in (low, high, value))
    place = (value - low) / (high - low)
    return "low" if place <= EDGE else "high" if place >= 1 - EDGE else None


def _wider(domain: Domain, side: str) -> Domain:
    """Return the range, wider on one side: by a factor of five where it is logarithmic, else by half of its width."""
    is_log, is_whole = domain.kind in ("log", "logint"), domain.kind in ("int", "logint")
    step = (domain.high - domain.low) / 2
    low = domain.low / 5 if is_log else max(0.0, domain.low - step)
    high = min(1.0, domain.high * 5) if domain.kind == "log" else domain.high * 5 if is_log else domain.high + step
    if is_whole:
        low, high = max(1, math.floor(low)), math.ceil(high)
    return replace(domain, low=float(f"{low:.3g}")) if side == "low" else replace(domain, high=float(f"{high:.3g}"))


def _dominating(board: Leaderboard) -> Iterator[Advice]:
    """One strategy whose trials alone cannot be distinguished from the best."""
    ranked = [s for s in board.standings if s.rank is not None and "strategy" in s.hyper]
    top = set() if board.decided is None else set(board.decided.confidence_set)
    names = {s.trial_id: str(s.hyper["strategy"]) for s in ranked}
    counts = {name: list(names.values()).count(name) for name in names.values()}
    best = {names[trial_id] for trial_id in top if trial_id in names}
    others = [count for name, count in counts.items() if name not in best]
    if len(best) == 1 and others and max(others) >= LEAST_TRIALS:
        (name,) = best
        if counts[name] >= LEAST_TRIALS and counts[name] < DOMINATED * len(names):
            text = f"Only {name} trials are among the best: spend the next budget on them."
            yield Advice("strategy", text, f"--set strategy={name}")


def _domains(standing: Standing, space: SearchSpace) -> Mapping[str, Domain]:
    try:
        return space.paths()[space.path_name(standing.hyper)].search
    except (KeyError, AssertionError):
        return {}  # of a space that was changed since


def _strategies(space: SearchSpace) -> set[str]:
    domain = space.parameters().get("strategy")
    return set() if domain is None else {str(value) for value in domain.values}


def _rates(curves: Sequence[_Curve]) -> list[float]:
    return [rate for c in curves if (rate := _number(c.hyper.get("lr"))) is not None]


def _range(low: float, high: float) -> str:
    return f"log:{short_number(low, 2)}:{short_number(min(high, 1.0), 2)}"


def _text(domain: Domain) -> str:
    """Return a range as --set takes it, 5e-7 and not 5e-07."""
    step = f":{domain.step}" if domain.step != 1 else ""
    return f"{domain.kind}:{short_number(domain.low)}:{short_number(domain.high)}{step}"


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None
