"""`--set`: a space with some parameters fixed or searched differently, and its initial points adapted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeVar

from data.errors import near_names
from search_spaces.branch import Branch, branch_name
from search_spaces.domain import Domain, Scalar, parse_domain, show
from search_spaces.initial_points import values_of
from search_spaces.mistakes import Mistakes, SpaceError
from search_spaces.space import SearchSpace

_Value = TypeVar("_Value")


def override_space(space: SearchSpace, settings: Mapping[str, str]) -> SearchSpace:
    """Return the space with `--set KEY=VALUE` applied; its notes report what became of the initial points.

    A plain value fixes the parameter in every branch; for the deciding parameter, it selects the branch.
    A domain replaces the parameter's domain, or makes the parameter a searched one.
    Raises SpaceError with all mistakes.
    """
    mistakes = Mistakes(space.name)
    # The deciding parameter comes first: it says which branches are left for the others.
    for key in sorted(settings, key=lambda key: key != space.decider):
        try:
            space = _set(space, key.strip(), parse_domain(settings[key]))
        except SpaceError as error:
            mistakes.add(f"--set {key}={settings[key]}", str(error))
    mistakes.raise_if_any()
    return _settle(space)


def _set(space: SearchSpace, key: str, value: Domain | Scalar) -> SearchSpace:
    if not key:
        raise SpaceError("a parameter's name must come before the '='; write KEY=VALUE")
    if key == space.decider:
        return _narrow(space, key, value) if isinstance(value, Domain) else _decide(space, key, value)
    if not isinstance(value, Domain):
        return _fix(space, key, value)
    if space.is_points:
        raise SpaceError("a list of points searches nothing; give one value, or use a space that searches")
    return _search(space, key, value)


def _decide(space: SearchSpace, decider: str, value: Scalar) -> SearchSpace:
    """Make one branch the whole space."""
    branch = _branch(space, decider, value)
    space = _keep_points(space, f"{decider}={branch_name(value)}", lambda point: point[decider] == value)
    return replace(
        space,
        fixed={**space.fixed, decider: value, **branch.fixed},
        search={**_without(space.search, decider), **branch.search},
        conditional={},
        initial_points=tuple(_without(point, decider) for point in space.initial_points),
    )


def _narrow(space: SearchSpace, decider: str, domain: Domain) -> SearchSpace:
    """Keep the branches of some values."""
    if domain.kind != "choice":
        raise SpaceError(f"{decider} decides which branch holds, so it must be a value or a choice of them")
    branches = {branch_name(value): _branch(space, decider, value) for value in domain.values}
    space = _keep_points(space, f"{decider}={domain.to_text()}", lambda point: domain.contains(point[decider]))
    search = {**space.search, decider: domain}
    return replace(space, search=search, conditional={decider: branches})


def _branch(space: SearchSpace, decider: str, value: Scalar) -> Branch:
    branches = space.conditional[decider]
    if not space.search[decider].contains(value):
        name = branch_name(value)
        raise SpaceError(f"must be one of {', '.join(branches)}, got {show(value)}{near_names(name, branches)}")
    return branches[branch_name(value)]


def _fix(space: SearchSpace, key: str, value: Scalar) -> SearchSpace:
    """Fix a parameter in every branch."""
    return replace(
        space,
        fixed={**space.fixed, key: value},
        search=_without(space.search, key),
        conditional=_map_branches(
            space,
            lambda branch: Branch(branch.name, _without(branch.fixed, key), _without(branch.search, key)),
        ),
        initial_points=tuple(_without(point, key) for point in space.initial_points),
    )


def _search(space: SearchSpace, key: str, domain: Domain) -> SearchSpace:
    """Search a parameter where it is: in the branches that have it, or on every path."""
    space = _fill_points(space, key, domain)
    if not _in_branches(space, key):
        return replace(space, fixed=_without(space.fixed, key), search={**space.search, key: domain})
    conditional = _map_branches(
        space,
        lambda branch: (
            Branch(branch.name, _without(branch.fixed, key), {**branch.search, key: domain})
            if _holds(branch, key)
            else branch
        ),
    )
    return replace(space, conditional=conditional)


def _fill_points(space: SearchSpace, key: str, domain: Domain) -> SearchSpace:
    """Give the initial points a value for a parameter that was fixed so far, or is new."""
    paths = space.paths()
    in_branches = _in_branches(space, key)
    points, filled = [], 0
    for point in space.initial_points:
        path = paths[space.path_name(point)]
        if key in point:
            value = point[key]
        elif key in path.fixed:
            value = path.fixed[key]
        elif in_branches:  # this point's branch has no such parameter
            points.append(point)
            continue
        else:
            value, filled = domain.first_value(), filled + 1
        points.append({**point, key: value})
    if filled:
        note = f"{key}={domain.to_text()}: the initial points start at {show(domain.first_value())}"
        space = replace(space, notes=(*space.notes, note))
    moved = [{**point, key: domain.nearest(point[key])} if key in point else point for point in points]
    if changed := sum(
        domain.contains(m[key]) and m[key] != p[key] for m, p in zip(moved, points, strict=True) if key in p
    ):
        note = f"{key}={domain.to_text()}: moved {changed} of {len(points)} initial points into it"
        space = replace(space, notes=(*space.notes, note))
    space = _keep_points(
        replace(space, initial_points=tuple(moved)),
        f"{key}={domain.to_text()}",
        lambda point: key not in point or domain.contains(point[key]),
    )
    cast = ({**point, key: domain.cast(point[key])} if key in point else dict(point) for point in space.initial_points)
    return replace(space, initial_points=tuple(cast))


def _keep_points(space: SearchSpace, setting: str, fits: Callable[[Mapping[str, object]], bool]) -> SearchSpace:
    """Drop the initial points that do not fit, and add a note."""
    kept = tuple(point for point in space.initial_points if fits(point))
    if len(kept) == len(space.initial_points):
        return space
    dropped = len(space.initial_points) - len(kept)
    note = f"{setting}: left out {dropped} of {len(space.initial_points)} initial points, which it does not allow"
    return replace(space, initial_points=kept, notes=(*space.notes, note))


def _settle(space: SearchSpace) -> SearchSpace:
    """Merge the initial points that became equal; if nothing is left to search, they are the whole space."""
    points: list[Mapping[str, object]] = []
    for point in space.initial_points:
        if values_of(point) not in map(values_of, points):
            points.append(point)
    notes = list(space.notes)
    trials = space.trials
    if space.is_points:
        points = points or [{}]
        trials = len(points)
    if len(points) < len(space.initial_points):
        notes.append(f"merged {len(space.initial_points)} initial points that became equal into {len(points)}")
    if trials != space.trials:
        notes.append(f"nothing is searched: trials are {trials} instead of {space.trials}")
    return replace(space, initial_points=tuple(points), trials=trials, notes=tuple(notes))


def _in_branches(space: SearchSpace, key: str) -> bool:
    return any(_holds(b, key) for branches in space.conditional.values() for b in branches.values())


def _holds(branch: Branch, key: str) -> bool:
    return key in branch.fixed or key in branch.search


def _map_branches(space: SearchSpace, change: Callable[[Branch], Branch]) -> dict[str, dict[str, Branch]]:
    return {
        decider: {name: change(branch) for name, branch in branches.items()}
        for decider, branches in space.conditional.items()
    }


def _without(mapping: Mapping[str, _Value], key: str) -> dict[str, _Value]:
    return {name: value for name, value in mapping.items() if name != key}
