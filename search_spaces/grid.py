"""The grid: every configuration of the paths of a space, if their domains can be listed."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping

from search_spaces.branch import Branch
from search_spaces.domain import Domain
from search_spaces.mistakes import SpaceError

MAX_GRID = 100_000


def list_grid(source: str, paths: Mapping[str, Branch], parameters: Mapping[str, Domain]) -> list[dict[str, object]]:
    """List every configuration, path by path; within a path the last domain varies fastest.

    source: the space's name, for messages. parameters: every domain by its scoped name.
    Raises SpaceError if a domain is infinite, or if there are more than MAX_GRID configurations.
    """
    _check_finite(source, parameters)
    _check_size(source, paths)
    return [
        {**path.fixed, **dict(zip(path.search, values, strict=True))}
        for path in paths.values()
        for values in itertools.product(*(domain.grid() for domain in path.search.values()))
    ]


def _check_finite(source: str, parameters: Mapping[str, Domain]) -> None:
    infinite = {name: domain for name, domain in parameters.items() if not domain.is_finite}
    if infinite:
        names = ", ".join(f"{name} ({domain.to_text()})" for name, domain in infinite.items())
        plain = next(iter(infinite)).rpartition("/")[2]
        raise SpaceError(
            f"{source}: a grid needs domains that can be listed, and these cannot: {names}; "
            f"give each one value or a choice, such as --set {plain}=choice:A,B"
        )


def _check_size(source: str, paths: Mapping[str, Branch]) -> None:
    size = sum(math.prod(domain.size for domain in path.search.values()) for path in paths.values())
    if size > MAX_GRID:
        raise SpaceError(
            f"{source}: a grid may have {MAX_GRID} configurations at most, got {size}; "
            f"give an int a step, such as --set epochs=int:5:20:5, or fix a parameter"
        )
