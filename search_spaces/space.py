"""The search space: what is fixed, searched and tried first when one trainable is tuned."""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from search_spaces.branch import Branch, Conditional, branch_name, complete_paths
from search_spaces.domain import Domain, Scalar, distinct_key, is_scalar
from search_spaces.extremes import list_extremes
from search_spaces.grid import list_grid
from search_spaces.initial_points import name_of, values_of
from search_spaces.mistakes import Mistakes
from search_spaces.reader import read_fields


@dataclass(frozen=True)
class SearchSpace:
    """One space, checked when it was read.

    fixed, search: what holds on every path. conditional: the deciding parameter, at most one, and its branches.
    initial_points: the configurations tried first, without the fixed values; 'first' in files. Under 'name' one may
    have what its trial is called, which is no parameter. A space that searches nothing is a list of points: it has its
    initial points and no others.
    trials: the default number of trials. task: defaults of the forecast task.
    recommended_space: for a space of bundled data, the one to use with the user's own; '' if there is none.
    notes: what overriding left out or filled in.

    >>> from search_spaces.library import load_space
    >>> space = load_space("moirai-small-full")
    >>> space.search["lr"].to_text()
    'log:5e-07:5e-05'
    >>> config = space.sample(lambda name, domain: domain.first_value())
    >>> config["strategy"], config["lr"], config["epochs"]
    ('full', 5e-07, 2)
    """

    name: str
    description: str
    trainable: str
    fixed: Mapping[str, object]
    search: Mapping[str, Domain]
    conditional: Conditional
    initial_points: tuple[Mapping[str, object], ...]
    trials: int
    task: Mapping[str, object] = field(default_factory=dict)
    recommended_space: str = ""
    notes: tuple[str, ...] = ()

    @property
    def decider(self) -> str | None:
        """Return the deciding parameter, or None."""
        return next(iter(self.conditional), None)

    @property
    def is_conditional(self) -> bool:
        """Return whether one parameter decides which others are searched, and in which domains."""
        return bool(self.conditional)

    @property
    def is_points(self) -> bool:
        """Return whether the space searches nothing and is its initial points."""
        return not self.search

    @property
    def is_finite(self) -> bool:
        """Return whether `grid` can list the space."""
        return all(domain.is_finite for domain in self.parameters().values())

    def paths(self) -> dict[str, Branch]:
        """Return every path through the space, complete and with plain names; a single path is called ''."""
        return complete_paths(self.fixed, self.search, self.conditional)

    def path_name(self, config: Mapping[str, object]) -> str:
        """Return the name of the path that a configuration takes."""
        if self.decider is None:
            return ""
        return branch_name(self.search[self.decider].cast(config[self.decider]))

    def parameters(self) -> dict[str, Domain]:
        """Return the domain of every searched parameter by its scoped name ('full/lr' inside a branch).

        For a list of points, a choice of the values that occur.
        """
        if self.is_points:
            return {
                name: Domain("choice", values=tuple(_distinct(point[name] for point in self.initial_points)))
                for name in (values_of(self.initial_points[0]) if self.initial_points else ())
            }
        scoped = {
            f"{branch.name}/{name}": domain
            for branches in self.conditional.values()
            for branch in branches.values()
            for name, domain in branch.search.items()
        }
        return {**self.search, **scoped}

    def sample(self, suggest: Callable[[str, Domain], object]) -> dict[str, object]:
        """Call suggest(scoped_name, domain) for each parameter of one path; return the whole configuration.

        The keys returned are plain. The value suggested for the deciding parameter selects the path.
        """
        if self.is_points:
            return self._config({name: suggest(name, d) for name, d in self.parameters().items()})
        config = {name: suggest(name, domain) for name, domain in self.search.items()}
        if self.decider is not None:
            branch = self.conditional[self.decider][self.path_name(config)]
            config |= {name: suggest(f"{branch.name}/{name}", d) for name, d in branch.search.items()}
        return self._config(config)

    def enqueued(self) -> list[dict[str, object]]:
        """Return the initial points by the names that `sample` suggests."""
        return [
            {self._scoped(name, self.path_name(point)): value for name, value in values_of(point).items()}
            for point in self.initial_points
        ]

    def point_names(self) -> list[str]:
        """List what the trials of the initial points are called; '' for one without a name."""
        return [name_of(point) for point in self.initial_points]

    def grid(self) -> list[dict[str, object]]:
        """List every configuration of a finite space, or of a list of points; raises SpaceError as `list_grid` does."""
        if self.is_points:
            return [self._config(values_of(point)) for point in self.initial_points]
        return list_grid(self.name, self.paths(), self.parameters())

    def grid_points(self) -> list[dict[str, object]]:
        """List `grid` as `enqueued` does: the searched values only, by the names that `sample` suggests."""
        if self.is_points:
            return self.enqueued()
        scoped = []
        for config in self.grid():
            path = self.path_name(config)
            searched = [*self.search, *(name for name in self.paths()[path].search if name not in self.search)]
            scoped.append({self._scoped(name, path): config[name] for name in searched})
        return scoped

    def corners(self) -> list[dict[str, object]]:
        """List whole configurations: the initial points, and some with every path and each domain's ends or choices."""
        if self.is_points:
            return self.grid()
        configs = [self._config(values_of(point)) for point in self.initial_points]
        for path in self.paths().values():
            marks = {name: domain.values or domain.ends() for name, domain in path.search.items()}
            for i in range(max(map(len, marks.values()), default=1)):
                configs.append(
                    {**path.fixed, **{name: values[min(i, len(values) - 1)] for name, values in marks.items()}}
                )
        return configs

    def extremes(self, known: Collection[str] | None = None) -> Iterator[dict[str, object]]:
        """Give whole configurations that show a rule of up to three parameters, if the space can break it anywhere.

        known: the parameters that rules can be about, None for all; others would only make the configurations more.
        """
        if self.is_points:
            return iter(self.grid())
        paths = self.paths().values()
        return list_extremes(
            replace(path, search={n: domain for n, domain in path.search.items() if known is None or n in known})
            for path in paths
        )

    def numbers(self, name: str) -> list[float]:
        """List the numbers that a parameter has at the corners, in order; empty if the space does not name it."""
        values = {config[name] for config in self.corners() if name in config}
        return sorted(value for value in values if isinstance(value, (int, float)))

    def to_dict(self) -> dict[str, object]:
        """Return the space as JSON can hold it, in the format of the files; `from_dict` reads it back."""
        return {
            "name": self.name,
            "description": self.description,
            "trainable": self.trainable,
            "trials": self.trials,
            "fixed": copy.deepcopy(dict(self.fixed)),
            "search": _domains_to_dict(self.search),
            "conditional": {
                decider: {
                    name: {"fixed": copy.deepcopy(dict(b.fixed)), "search": _domains_to_dict(b.search)}
                    for name, b in branches.items()
                }
                for decider, branches in self.conditional.items()
            },
            "first": [dict(point) for point in self.initial_points],
            "task": dict(self.task),
            "recommended_space": self.recommended_space,
            "notes": list(self.notes),
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, object]) -> SearchSpace:
        """Read what `to_dict` wrote; raises SpaceError if it was damaged since."""
        document: dict[object, object] = dict(content.items())
        name, notes = str(document.pop("name", "")), document.pop("notes", [])
        fields = read_fields(document, Mistakes(name or "space"))
        return cls(name=name, notes=tuple(notes if isinstance(notes, list) else ()), **fields)

    def _scoped(self, name: str, path: str) -> str:
        inside = path and name in self.conditional[str(self.decider)][path].search
        return f"{path}/{name}" if inside else name

    def _config(self, chosen: Mapping[str, object]) -> dict[str, object]:
        """Return a whole configuration: what its path fixes, and the chosen values."""
        return {**self.paths()[self.path_name(chosen)].fixed, **chosen}


def _domains_to_dict(domains: Mapping[str, Domain]) -> dict[str, object]:
    return {name: {domain.kind: domain.arguments()} for name, domain in domains.items()}


def _distinct(values: Iterable[object]) -> list[Scalar]:
    distinct: dict[tuple[bool, Scalar], Scalar] = {}
    for value in values:
        assert is_scalar(value)  # checked when the points were read
        distinct.setdefault(distinct_key(value), value)
    return list(distinct.values())
