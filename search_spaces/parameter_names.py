"""The parameter names of a space, checked against those that its trainable has."""

from __future__ import annotations

from collections.abc import Iterable

from data.errors import near_names
from search_spaces.mistakes import Mistakes
from search_spaces.space import SearchSpace


def check_parameter_names(space: SearchSpace, known: Iterable[str]) -> None:
    """Raise SpaceError, with near names, for every parameter that the trainable does not have."""
    known = list(known)
    mistakes = Mistakes(space.name)
    for place, names in _places(space):
        for name in names:
            if name not in known:
                hint = near_names(name, known) or f"; it knows {', '.join(known)}"
                mistakes.add(place, f"{space.trainable!r} has no parameter {name!r}{hint}")
    mistakes.raise_if_any()


def _places(space: SearchSpace) -> list[tuple[str, Iterable[str]]]:
    """List the places that name parameters, each with its names."""
    places: list[tuple[str, Iterable[str]]] = [("fixed", space.fixed), ("search", space.search)]
    for decider, branches in space.conditional.items():
        for name, branch in branches.items():
            places.append((f"conditional.{decider}.{name}.fixed", branch.fixed))
            places.append((f"conditional.{decider}.{name}.search", branch.search))
    if space.is_points:
        places.append(("first", space.initial_points[0] if space.initial_points else ()))
    return places
