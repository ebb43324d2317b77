"""What a new sweep takes over from earlier ones: their best configurations, and trials for its searcher."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, zip_longest
from statistics import geometric_mean

from data.portable import file_name
from search_spaces.branch import Branch
from search_spaces.domain import Domain
from search_spaces.initial_points import values_of
from search_spaces.library import list_spaces
from search_spaces.space import SearchSpace
from tune.format import count_text, short_number
from tune.leaderboard.leaderboard import Leaderboard
from tune.records.earlier_trial import EarlierTrial
from tune.records.spec import SweepError, SweepSpec, lists_points
from tune.records.trial_record import TrialRecord, of_search

MOST_POINTS = 3  # of each earlier sweep
# Of the learning rate by the number of parameters: Moirai's recommended pairs, small (13.8 M) to base (91.4 M), have
# 0.4 to 0.5 of the rate, in the mean 0.464, and (91.4 / 13.8) ** -0.4 is 0.469.
RATE_EXPONENT = -0.4

Hyper = Mapping[str, object]
Count = Callable[[Hyper], int | None]  # parameters of the model that hyperparameters build, None where it cannot be


@dataclass(frozen=True)
class EarlierSweep:
    """A sweep to start from, as it is on record."""

    spec: SweepSpec
    board: Leaderboard
    records: Sequence[TrialRecord]


def with_points_of(
    space: SearchSpace, trainable: str, searcher: str, earlier: Sequence[EarlierSweep], count: Count, *, strict: bool
) -> SearchSpace:
    """Return the space with the best configurations of earlier sweeps as its first points, translated, and a note each.

    A value outside of the space's range is the nearest inside it; of a parameter that the earlier sweep did not have,
    the space's own first point is taken. The learning rate is scaled where the model is another one: see `rate_scale`.
    count: parameters of a model. strict: raise SweepError where nothing can be taken over, instead of noting it.
    """
    if lists_points(searcher, space):
        raise SweepError(
            f"--start-from needs a space that is searched, and {space.name} is run as a list of points; leave it out"
        )
    recommended = recommended_rates(trainable)
    found: list[list[dict[str, object]]] = []
    notes: list[str] = []
    for sweep in earlier:
        name = sweep.spec.name
        if sweep.spec.trainable != trainable:
            models = file_name(sweep.spec.trainable), file_name(trainable)
            raise SweepError(f"--start-from {name} is a sweep of {models[0]}, and {space.name} is one of {models[1]}")
        found.append([])
        taken: list[str] = []
        for trial_id, hyper in _winners(sweep.board):
            if len(found[-1]) == MOST_POINTS:
                break
            point, scale = _translate(hyper, space, recommended, count)
            if point is not None and point not in chain(*found):
                found[-1].append(point)
                taken.append(f"{trial_id} with lr × {short_number(scale, 2)}" if scale != 1 else trial_id)
        if not found[-1]:
            none = f"none of its trials that beat {sweep.board.initial_model.own} fits {space.name}"
            if strict:
                raise SweepError(f"--start-from {name}: {none}; leave it out, or name another")
            notes.append(f"nothing is taken over from {name}: {none}")
            continue
        notes.append(f"tried first, from {name}: {', '.join(taken)}")
    points = [point for round_ in zip_longest(*found) for point in round_ if point is not None]
    own = [point for point in space.initial_points if values_of(point) not in points]
    return replace(space, initial_points=(*points, *own), notes=(*space.notes, *notes))


def trials_to_learn_from(spec: SweepSpec, earlier: Sequence[EarlierSweep]) -> list[EarlierTrial]:
    """Return the trials of earlier sweeps over the same windows and by the same metric that the new space holds."""
    space = spec.search_space()
    return [
        trial
        for sweep in earlier
        if _is_alike(sweep.spec, spec)
        for record in of_search(sweep.records)
        if _holds(space, record.hyper) and (trial := _ended(sweep.spec.name, record, spec.metric)) is not None
    ]


def rate_scale(old: Hyper, new: Hyper, recommended: Mapping[tuple[object, object], float], count: Count) -> float:
    """Return what a learning rate is multiplied by when it moves from one model to another.

    1 for the same initial model. Else the ratio of the rates that the shipped spaces recommend for the two with this
    strategy (the geometric mean of each one's points), or, where they recommend none, the ratio of the numbers of
    parameters to the power of -0.4; 1 where these are not known.
    """
    before, after = old.get("pretrained"), new.get("pretrained")
    if before == after:
        return 1.0
    strategy = old.get("strategy")
    rates = recommended.get((before, strategy)), recommended.get((after, strategy))
    if rates[0] is not None and rates[1] is not None:
        return rates[1] / rates[0]
    sizes = count(old), count(new)
    return (sizes[1] / sizes[0]) ** RATE_EXPONENT if sizes[0] and sizes[1] else 1.0


def recommended_rates(trainable: str) -> dict[tuple[object, object], float]:
    """Return the geometric mean of the rates that the shipped spaces of a model try first, by model and strategy."""
    rates: dict[tuple[object, object], set[float]] = {}
    for space in list_spaces():
        for point in space.initial_points if space.trainable == trainable else ():
            whole = {**space.fixed, **point}
            if isinstance(lr := whole.get("lr"), float):
                rates.setdefault((whole.get("pretrained"), whole.get("strategy")), set()).add(lr)
    return {key: geometric_mean(found) for key, found in rates.items()}


def learning_note(trials: Sequence[EarlierTrial], earlier: Sequence[EarlierSweep]) -> Iterator[str]:
    """Say what the searcher learns from, where sweeps were named to start from."""
    if trials:
        yield f"the searcher learns from {count_text(len(trials), 'earlier trial')}"
    elif earlier:
        yield "the searcher begins anew: other windows, ranges, metric or model than in the earlier sweeps"


def _winners(board: Leaderboard) -> Iterator[tuple[str, Hyper]]:
    """The trials that beat the model they started from, the best first."""
    return ((s.trial_id, s.hyper) for s in board.standings if s.rank is not None and s.gain is not None and s.gain > 0)


def _translate(
    hyper: Hyper, space: SearchSpace, recommended: Mapping[tuple[object, object], float], count: Count
) -> tuple[dict[str, object] | None, float]:
    """Return a configuration as a point of another space, None where none is like it, and what scaled its rate."""
    path = _path(hyper, space)
    if path is None:
        return None, 1.0
    own = next((point for point in space.initial_points if space.path_name(point) == path.name), {})
    point = {name: _value_in(domain, hyper.get(name), own.get(name)) for name, domain in path.search.items()}
    scale = rate_scale(hyper, {**path.fixed, **point}, recommended, count)
    lr = hyper.get("lr")
    if "lr" in point and isinstance(lr, int | float):
        point["lr"] = _value_in(path.search["lr"], float(f"{lr * scale:.3g}"), own.get("lr"))
    decided = {} if space.decider is None else {space.decider: hyper[space.decider]}
    return {**decided, **point}, scale


def _path(hyper: Hyper, space: SearchSpace) -> Branch | None:
    """Return the path that a configuration takes, which trains the same weights; None where there is none."""
    if space.decider is not None and not space.search[space.decider].contains(hyper.get(space.decider)):
        return None
    path = space.paths()[space.path_name(hyper)]
    strategy = path.fixed.get("strategy", hyper.get("strategy"))
    return path if strategy == hyper.get("strategy") else None


def _value_in(domain: Domain, value: object, otherwise: object) -> object:
    """Return the value of a domain that is nearest to a number, or the other one where there is none."""
    numbers = [n for n in domain.values if isinstance(n, int | float) and not isinstance(n, bool) and n > 0]
    if numbers and isinstance(value, int | float) and value > 0:
        wanted = math.log(value)
        value = min(numbers, key=lambda n: abs(math.log(n) - wanted))
    nearest = domain.nearest(value)
    if domain.contains(nearest):
        return domain.cast(nearest)
    return otherwise if domain.contains(otherwise) else domain.first_value()


def _is_alike(old: SweepSpec, new: SweepSpec) -> bool:
    """Whether a value of one sweep means the same in the other."""
    return (old.trainable, old.metric, old.data.content_hash, old.task) == (
        new.trainable, new.metric, new.data.content_hash, new.task
    )  # fmt: skip


def _ended(sweep: str, record: TrialRecord, metric: str) -> EarlierTrial | None:
    """Return what is to be learned from a trial; None where it failed, or has not ended."""
    best, ended = record.best(metric), record.stopped_by
    value = None if best is None else best.scores[metric]
    if ended is None or value is None or record.error is not None:
        return None
    stopped_at = record.trained[-1].epoch if ended.is_of_scheduler else None
    source = f"{sweep} {record.trial_id}"
    return EarlierTrial(source=source, hyper=dict(record.hyper), value=value, stopped_at=stopped_at)


def _holds(space: SearchSpace, hyper: Hyper) -> bool:
    """Whether a space could have proposed a configuration as it is."""
    if space.decider is not None and not space.search[space.decider].contains(hyper.get(space.decider)):
        return False
    path = space.paths()[space.path_name(hyper)]
    return (
        hyper.keys() == path.fixed.keys() | path.search.keys()
        and all(hyper[name] == value for name, value in path.fixed.items())
        and all(domain.contains(hyper[name]) for name, domain in path.search.items())
    )
