"""Owns the search space: what one trainable fixes, searches and tries first; found by name or file."""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from data.errors import near_names
from search_spaces.branch import Branch, Conditional, branch_name, complete_paths
from search_spaces.document import read_document
from search_spaces.domain import Domain, Scalar
from search_spaces.mistakes import Mistakes, SpaceError
from search_spaces.override import override_space
from search_spaces.reader import read_fields

__all__ = [
    "Branch",
    "Domain",
    "SearchSpace",
    "SpaceError",
    "check_keys",
    "list_spaces",
    "load_space",
    "shipped_names",
]

MAX_GRID = 100_000
_FOLDER = Path(__file__).resolve().parent
_SUFFIXES = (".yaml", ".yml")


@dataclass(frozen=True)
class SearchSpace:
    """One space, checked when read.

    fixed, search: what holds on every path. conditional: the deciding parameter, at most one, and its branches.
    first: the configurations tried first, without fixed values. A space that searches nothing is a list of
    points: first is all there is. trials: the default number of trials. task: defaults of the forecast task.
    own_data: for a space of bundled data, the one to recommend for one's own; '' where it is none.
    notes: what `override` left out or filled in.
    """

    name: str
    description: str
    trainable: str
    fixed: Mapping[str, object]
    search: Mapping[str, Domain]
    conditional: Conditional
    first: tuple[Mapping[str, object], ...]
    trials: int
    task: Mapping[str, object] = field(default_factory=dict)
    own_data: str = ""
    notes: tuple[str, ...] = ()

    @property
    def decider(self) -> str | None:
        """Return the deciding parameter, or None."""
        return next(iter(self.conditional), None)

    @property
    def is_conditional(self) -> bool:
        """Say whether one parameter decides which others are searched, and where."""
        return bool(self.conditional)

    @property
    def is_points(self) -> bool:
        """Say whether the space searches nothing and is its first configurations."""
        return not self.search

    @property
    def is_finite(self) -> bool:
        """Say whether every domain can be listed, so that `grid` can answer."""
        return all(domain.is_finite for domain in self.parameters().values())

    def paths(self) -> dict[str, Branch]:
        """Return every path through the space, whole and with plain names; the only one is called ''."""
        return complete_paths(self.fixed, self.search, self.conditional)

    def path_name(self, config: Mapping[str, object]) -> str:
        """Return the name of the path that a configuration takes."""
        if self.decider is None:
            return ""
        return branch_name(self.search[self.decider].cast(config[self.decider]))

    def parameters(self) -> dict[str, Domain]:
        """Return every searched parameter's scoped name ('full/lr' inside a branch) and its domain.

        For a list of points: the values seen, as choices.
        """
        if self.is_points:
            return {
                name: Domain("choice", values=tuple(_distinct(point[name] for point in self.first)))
                for name in (self.first[0] if self.first else ())
            }
        scoped = {
            f"{branch.name}/{name}": domain
            for branches in self.conditional.values()
            for branch in branches.values()
            for name, domain in branch.search.items()
        }
        return {**self.search, **scoped}

    def sample(self, suggest: Callable[[str, Domain], object]) -> dict[str, object]:
        """Ask suggest(scoped_name, domain) for each parameter of the path; return the whole configuration.

        The keys returned are plain. Which path it is, the answer for the deciding parameter tells.
        """
        if self.is_points:
            return self._config({name: suggest(name, d) for name, d in self.parameters().items()})
        config = {name: suggest(name, domain) for name, domain in self.search.items()}
        if self.decider is not None:
            branch = self.conditional[self.decider][self.path_name(config)]
            config |= {name: suggest(f"{branch.name}/{name}", d) for name, d in branch.search.items()}
        return self._config(config)

    def enqueued(self) -> list[dict[str, object]]:
        """Return the first configurations by the names that `sample` asks for."""
        return [
            {self._scoped(name, self.path_name(point)): value for name, value in point.items()} for point in self.first
        ]

    def grid(self) -> list[dict[str, object]]:
        """List every configuration of a finite space, branch by branch, the last domain running fastest.

        Raises SpaceError if a domain is infinite, or if there are more than MAX_GRID configurations.
        """
        if self.is_points:
            return [self._config(point) for point in self.first]
        self._check_grid()
        configs = []
        for path in self.paths().values():
            for values in itertools.product(*(domain.grid() for domain in path.search.values())):
                configs.append({**path.fixed, **dict(zip(path.search, values, strict=True))})
        return configs

    def grid_points(self) -> list[dict[str, object]]:
        """List `grid` as `enqueued` does: searched values alone, by the names that `sample` asks for."""
        if self.is_points:
            return self.enqueued()
        scoped = []
        for config in self.grid():
            path = self.path_name(config)
            searched = [*self.search, *(name for name in self.paths()[path].search if name not in self.search)]
            scoped.append({self._scoped(name, path): config[name] for name in searched})
        return scoped

    def corners(self) -> list[dict[str, object]]:
        """List whole configurations: the first ones, and some with every path and each domain's ends or choices."""
        if self.is_points:
            return self.grid()
        configs = [self._config(point) for point in self.first]
        for path in self.paths().values():
            marks = {name: domain.values or domain.ends() for name, domain in path.search.items()}
            for i in range(max(map(len, marks.values()), default=1)):
                configs.append(
                    {**path.fixed, **{name: values[min(i, len(values) - 1)] for name, values in marks.items()}}
                )
        return configs

    def numbers(self, name: str) -> list[float]:
        """List the numbers that a parameter has at the corners, in order; empty if the space does not name it."""
        values = {config[name] for config in self.corners() if name in config}
        return sorted(value for value in values if isinstance(value, (int, float)))

    def override(self, settings: Mapping[str, str]) -> SearchSpace:
        """Return the space with `--set KEY=VALUE` applied; notes say what became of the first configurations.

        A plain value fixes the parameter in every branch; of the deciding parameter, it selects the branch.
        A domain replaces or creates a searched parameter. Raises SpaceError with all mistakes at once.
        """
        return override_space(self, settings)

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
            "first": [dict(point) for point in self.first],
            "task": dict(self.task),
            "own_data": self.own_data,
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
        """Return a whole configuration: what is fixed for all and on its path, and what was chosen."""
        return {**self.paths()[self.path_name(chosen)].fixed, **chosen}

    def _check_grid(self) -> None:
        endless = {name: d for name, d in self.parameters().items() if not d.is_finite}
        if endless:
            names = ", ".join(f"{name} ({domain.to_text()})" for name, domain in endless.items())
            plain = next(iter(endless)).rpartition("/")[2]
            raise SpaceError(
                f"{self.name}: a grid needs domains that can be listed, and these cannot: {names}; "
                f"give each one value or a choice, such as --set {plain}=choice:A,B"
            )
        size = sum(math.prod(_size(d) for d in path.search.values()) for path in self.paths().values())
        if size > MAX_GRID:
            raise SpaceError(
                f"{self.name}: a grid may have {MAX_GRID} configurations at most, got {size}; "
                f"give an int a step, such as --set epochs=int:5:20:5, or fix a parameter"
            )


def load_space(name_or_path: str) -> SearchSpace:
    """Read a shipped space by its name, or a file that ends in .yaml or .yml.

    Raises SpaceError with every mistake of the file, or the near names of an unknown space.
    """
    text = name_or_path.strip()
    if text in shipped_names():
        return _read_file(_FOLDER / f"{text}.yaml")
    path = Path(text).expanduser()
    if path.suffix.lower() in _SUFFIXES and (path.is_file() or path.name != text):
        return _read_file(path)
    names = shipped_names()
    hint = near_names(path.name.removesuffix(path.suffix), names)
    if path.suffix.lower() in _SUFFIXES:
        raise SpaceError(f"no such file {text!r}{hint}; `foretune spaces` lists the shipped ones")
    raise SpaceError(
        f"unknown space {text!r}{hint}; `foretune spaces` lists them, and a file of your own ends in .yaml"
    )


def list_spaces() -> list[SearchSpace]:
    """Read every shipped space."""
    return [load_space(name) for name in shipped_names()]


def shipped_names() -> list[str]:
    """Return the names of the files beside this module."""
    return sorted(path.stem for path in _FOLDER.glob("*.yaml"))


def check_keys(space: SearchSpace, known: Iterable[str]) -> None:
    """Raise SpaceError, with near names, for every parameter that the trainable does not know."""
    known = list(known)
    mistakes = Mistakes(space.name)
    for place, names in _places(space):
        for name in names:
            if name not in known:
                hint = near_names(name, known) or f"; it knows {', '.join(known)}"
                mistakes.add(place, f"{space.trainable!r} has no parameter {name!r}{hint}")
    mistakes.raise_if_any()


def _read_file(path: Path) -> SearchSpace:
    mistakes = Mistakes(path.name)
    return SearchSpace(name=path.stem, **read_fields(read_document(path, mistakes), mistakes))


def _places(space: SearchSpace) -> list[tuple[str, Iterable[str]]]:
    """List where parameters are named: each place once, with its names."""
    places: list[tuple[str, Iterable[str]]] = [("fixed", space.fixed), ("search", space.search)]
    for decider, branches in space.conditional.items():
        for name, branch in branches.items():
            places.append((f"conditional.{decider}.{name}.fixed", branch.fixed))
            places.append((f"conditional.{decider}.{name}.search", branch.search))
    if space.is_points:
        places.append(("first", space.first[0] if space.first else ()))
    return places


def _domains_to_dict(domains: Mapping[str, Domain]) -> dict[str, object]:
    return {name: {domain.kind: domain.arguments()} for name, domain in domains.items()}


def _distinct(values: Iterable[object]) -> list[Scalar]:
    distinct: list[Scalar] = []
    for value in values:
        if value not in distinct:
            distinct.append(value)  # type: ignore[arg-type]  # points hold scalars: checked when read
    return distinct


def _size(domain: Domain) -> int:
    if domain.kind == "choice":
        return len(domain.values)
    return int((domain.high - domain.low) // domain.step) + 1
