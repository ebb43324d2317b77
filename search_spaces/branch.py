"""Branches: what each value of the deciding parameter fixes and searches, and the paths through a space."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from search_spaces.domain import Domain, Scalar, scalar_text


@dataclass(frozen=True)
class Branch:
    """Fixed values and searched domains that belong together.

    name: '' for the unconditional space; otherwise the value of the deciding parameter, such as 'full'.
    """

    name: str
    fixed: Mapping[str, object] = field(default_factory=dict)
    search: Mapping[str, Domain] = field(default_factory=dict)


def branch_name(value: Scalar) -> str:
    """Return the name of the branch that a value of the deciding parameter leads to."""
    return value if isinstance(value, str) else scalar_text(value)


Conditional: TypeAlias = Mapping[str, Mapping[str, Branch]]
"""The deciding parameter, at most one, and the branch of each of its values."""


def complete_paths(
    fixed: Mapping[str, object], search: Mapping[str, Domain], conditional: Conditional
) -> dict[str, Branch]:
    """Return every path by its name: what all paths share, the deciding value, and what its branch adds."""
    for decider, branches in conditional.items():
        rest = {name: domain for name, domain in search.items() if name != decider}
        return {
            name: Branch(name, {**fixed, decider: value, **branches[name].fixed}, {**rest, **branches[name].search})
            for value in search[decider].values
            if (name := branch_name(value)) in branches
        }
    return {"": Branch("", fixed, search)}
