"""The check of the initial points ('first' in a file): complete, known and in range; or a list of points."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from data.errors import near_names
from search_spaces.branch import Branch, Conditional, branch_name, complete_paths
from search_spaces.domain import Domain, distinct_key, is_scalar, show
from search_spaces.mistakes import Mistakes

Point = dict[str, object]
NAME = "name"  # the key in a point that is no parameter: what its trial is called
NAME_TEXT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")
_TAKEN = re.compile(r"t\d+(_.*)?|.*-r\d+")  # what trials without a name are called, and repeats


def values_of(point: Mapping[str, object]) -> Point:
    """Return a point's parameters, without its name."""
    return {key: value for key, value in point.items() if key != NAME}


def name_of(point: Mapping[str, object]) -> str:
    """Return what a point's trial is called; '' where it has no name."""
    return str(point.get(NAME, ""))


class InitialPointsReader:
    """Checks the entries under 'first' against the rest of the file.

    broken: parameters with a mistake that is already in the list; their values are not checked again.
    """

    def __init__(
        self,
        fixed: Mapping[str, object],
        search: Mapping[str, Domain],
        conditional: Conditional,
        *,
        broken: set[str],
        mistakes: Mistakes,
    ) -> None:
        self._fixed = fixed
        self._search = search
        self._conditional = conditional
        self._broken = broken
        self._mistakes = mistakes

    def read(self, value: object) -> tuple[Point, ...]:
        """Return the points, each value in its domain's own type."""
        if value is not None and not isinstance(value, list):
            self._mistakes.add("first", f"must be a list of configurations, got {show(value)}; start each with '-'")
            return ()
        if any(place.startswith(("search", "conditional")) for place in self._broken):
            return ()  # without these sections the values cannot be checked
        points: list[Point] = []
        seen: dict[tuple[object, ...], int] = {}
        names: dict[str, int] = {}
        for number, entry in enumerate(value or [], start=1):
            place = f"first, entry {number}"
            if not isinstance(entry, dict):
                self._mistakes.add(place, f"must be a mapping such as {{lr: 1e-5}}, got {show(entry)}")
                continue
            entry = {branch_name(name): item for name, item in entry.items()}
            point = self._cast(place, values_of(entry))
            first = seen.setdefault(_key(point), number)
            if first < number:
                self._mistakes.add(place, f"repeats entry {first}; leave one out")
            points.append({NAME: self._name(place, entry[NAME], names, number), **point} if NAME in entry else point)
        if not self._search and not self._broken:
            self._check_shape(points)
        return tuple(points)

    def _name(self, place: str, name: object, seen: dict[str, int], number: int) -> object:
        """Check what a trial is to be called: it becomes a part of a folder's name, whatever the system."""
        if not isinstance(name, str) or not NAME_TEXT.fullmatch(name):
            rule = "must be up to 32 letters, digits, _ and -, the first a letter or a digit"
            quoted = "; put it in quotes" if is_scalar(name) and NAME_TEXT.fullmatch(str(name)) else "; change it"
            self._mistakes.add(f"{place}: {NAME}", f"{rule}, got {show(name)}{quoted}")
        elif _TAKEN.fullmatch(name):
            self._mistakes.add(f"{place}: {NAME}", f"{name} is what foretune calls a trial by itself; take another")
        elif (first := seen.setdefault(name.casefold(), number)) < number:
            self._mistakes.add(f"{place}: {NAME}", f"{name} is the name of entry {first} too; change one")
        return name

    def _cast(self, place: str, entry: Point) -> Point:
        if self._search or self._broken:
            path = self._path(place, entry)
            return entry if path is None else self._check(place, entry, path)
        for name, value in entry.items():
            if not is_scalar(value):
                self._mistakes.add(f"{place}: {name}", f"must be one value, got {show(value)}")
            if name in self._fixed:
                self._mistakes.add(f"{place}: {name}", "is under fixed too; keep one")
        return entry

    def _path(self, place: str, entry: Point) -> Branch | None:
        """Return the path that the entry takes; None, with the mistake added, if it takes none."""
        paths = complete_paths(self._fixed, self._search, self._conditional)
        decider = next(iter(self._conditional), None)
        if decider is None:
            return paths[""]
        value = entry.get(decider)
        if decider not in entry:
            self._mistakes.add(place, f"misses {decider}, which decides the rest; add it")
            return None
        if not self._search[decider].contains(value):
            message = f"must be one of {', '.join(paths)}, got {show(value)}"
            self._mistakes.add(f"{place}: {decider}", message + near_names(str(value), paths))
            return None
        return paths[branch_name(self._search[decider].cast(value))]

    def _check(self, place: str, entry: Point, path: Branch) -> Point:
        """Check one entry against the domains of its path; return it with their types."""
        deciders = set(self._conditional)
        missing = [name for name in path.search if name not in entry]
        if missing:
            self._mistakes.add(place, f"misses {', '.join(missing)}; an initial point is complete, add it")
        point = dict(entry)
        for name in entry.keys() - deciders - self._broken:
            domain = path.search.get(name)
            if domain is None:
                self._mistakes.add(f"{place}: {name}", self._unsearched(name, path))
            elif not domain.contains(entry[name]):
                message = f"must lie in {domain.to_text()}, got {show(entry[name])}; widen the domain or change it"
                self._mistakes.add(f"{place}: {name}", message)
            else:
                point[name] = domain.cast(entry[name])
        return point

    def _unsearched(self, name: str, path: Branch) -> str:
        if name in path.fixed:
            return f"is fixed to {show(path.fixed[name])}; leave it out here"
        where = f" when {next(iter(self._conditional))} is {path.name}" if path.name else ""
        return f"is not searched{where}{near_names(name, path.search) or '; leave it out, or search it'}"

    def _check_shape(self, points: Sequence[Point]) -> None:
        """Check a list of points: at least one, and all with the same keys."""
        if not points:
            self._mistakes.add("search", "must hold a domain, or first a point; there would be nothing to try")
        shapes = list(map(values_of, points))
        for number, point in enumerate(shapes, start=1):
            if missing := [name for name in shapes[0] if name not in point]:
                self._mistakes.add(f"first, entry {number}", f"misses {', '.join(missing)}, which entry 1 has")
            if added := [name for name in point if name not in shapes[0]]:
                self._mistakes.add(f"first, entry {number}", f"has {', '.join(added)}, which entry 1 lacks")


def _key(point: Point) -> tuple[object, ...]:
    """Return what two points have alike that are one."""
    values = ((name, distinct_key(value) if is_scalar(value) else show(value)) for name, value in point.items())
    return tuple(sorted(values, key=lambda pair: pair[0]))
