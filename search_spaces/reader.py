"""The format of a space: a mapping from YAML or sweep.json becomes checked fields; all mistakes at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypedDict

from data.errors import near_names
from search_spaces.branch import Branch, branch_name
from search_spaces.domain import Domain, build_domain, domain_mistakes, is_scalar, show
from search_spaces.initial_points import InitialPointsReader
from search_spaces.mistakes import Mistakes

KEYS = ("description", "trainable", "trials", "fixed", "search", "conditional", "first", "task", "recommended_space")
DEFAULT_TRIALS = 20
MOST_NAMES = 200  # of one section; a model has some thirty parameters
TASK_COUNTS = (
    "context_length",
    "prediction_length",
    "train_stride",
    "eval_stride",
    "max_windows",
    "max_eval_windows",
)
TASK_KEYS = ("data", "split", *TASK_COUNTS, "scale")
SCALES = ("none", "standard")


class SpaceFields(TypedDict):
    """The checked content of a file; the fields of `SearchSpace` by the same names."""

    description: str
    trainable: str
    trials: int
    fixed: dict[str, object]
    search: dict[str, Domain]
    conditional: dict[str, dict[str, Branch]]
    initial_points: tuple[dict[str, object], ...]
    task: dict[str, object]
    recommended_space: str


def read_fields(document: Mapping[object, object], mistakes: Mistakes) -> SpaceFields:
    """Check a whole document and return its fields; raises SpaceError with all its mistakes."""
    fields, _ = read_partly(document, mistakes)
    mistakes.raise_if_any()
    return fields


def read_partly(document: Mapping[object, object], mistakes: Mistakes) -> tuple[SpaceFields, frozenset[str]]:
    """Return what can be read of a document, its mistakes added, and which parameters and sections cannot.

    What is wrong is left out, and with it the initial points.
    """
    reader = _Reader(document, mistakes)
    fields = reader.read()
    if mistakes.lines:
        fields["initial_points"] = () if fields["search"] else ({},)
    return fields, frozenset(reader.broken)


class _Reader:
    """Reads one document section by section; a mistake is added to the list, and reading continues."""

    def __init__(self, document: Mapping[object, object], mistakes: Mistakes) -> None:
        self._document = document
        self._mistakes = mistakes
        self.broken: set[str] = set()  # parameters and sections with a mistake that is already in the list

    def read(self) -> SpaceFields:
        document = self._document
        self._check_names("", document, KEYS)
        self.broken |= {near for name in document for near in _near_keys(name)}
        description = self._text("description", document.get("description", ""))
        trainable = self._text("trainable", document.get("trainable"))
        recommended_space = self._text("recommended_space", document.get("recommended_space", ""))
        fixed = self._fixed("fixed", document.get("fixed"))
        search = self._search("search", document.get("search"))
        self._check_disjoint("fixed", fixed, "search", search)
        conditional = self._conditional(fixed, search)
        reader = InitialPointsReader(fixed, search, conditional, broken=self.broken, mistakes=self._mistakes)
        initial_points = reader.read(document.get("first"))
        return SpaceFields(
            description=" ".join(description.split()),
            trainable=trainable,
            trials=self._trials(None if search or self.broken else len(initial_points)),
            fixed=fixed,
            search=search,
            conditional=conditional,
            initial_points=initial_points,
            task=self._task(),
            recommended_space=recommended_space,
        )

    def _check_names(self, place: str, names: Iterable[object], known: tuple[str, ...]) -> None:
        for name in names:
            if name not in known:
                remedy = near_names(str(name), known) or f"; the keys here are {', '.join(known)}"
                self._mistakes.add(place, f"unknown key {show(name)}{remedy}")

    def _text(self, place: str, value: object) -> str:
        if isinstance(value, str) and (value or place in ("description", "recommended_space")):
            return value
        got = "nothing" if value is None else show(value)
        self._mistakes.add(place, f"must be text, got {got}; write '{place}: …'")
        return ""

    def _section(self, place: str, value: object) -> dict[str, object]:
        """Return a mapping with its names as text; {} if it is absent, or no mapping, which is a mistake."""
        if isinstance(value, dict) and len(value) > MOST_NAMES:
            self.broken.add(place.partition(".")[0])
            self._mistakes.add(place, f"must hold {MOST_NAMES} names at most, got {len(value)}; leave some out")
            return {}
        if isinstance(value, dict):
            return {branch_name(name) if is_scalar(name) else str(name): v for name, v in value.items()}
        if value is not None:
            self.broken.add(place)
            self._mistakes.add(place, f"must hold 'name: value' lines, got {show(value)}")
        return {}

    def _fixed(self, place: str, value: object) -> dict[str, object]:
        fixed = self._section(place, value)
        for name, item in fixed.items():
            if not all(map(is_scalar, item if isinstance(item, list) else [item])):
                message = f"must be one value or a list of values, got {show(item)}; domains go under search"
                self._mistakes.add(f"{place}.{name}", message)
        return fixed

    def _search(self, place: str, value: object) -> dict[str, Domain]:
        domains = {}
        for name, item in self._section(place, value).items():
            domain = self._domain(f"{place}.{name}", item)
            if domain is None:
                self.broken.add(name)
            else:
                domains[name] = domain
        return domains

    def _domain(self, place: str, value: object) -> Domain | None:
        if not isinstance(value, dict) or len(value) != 1:
            message = f"must be one domain, such as {{log: [1e-6, 1e-4]}}, got {show(value)}"
            self._mistakes.add(place, f"{message}; one plain value goes under fixed")
            return None
        ((kind, arguments),) = value.items()
        found = domain_mistakes(str(kind), arguments)
        for message in found:
            self._mistakes.add(place, message)
        return None if found else build_domain(str(kind), arguments)

    def _check_disjoint(self, place: str, names: Iterable[str], other: str, others: Iterable[str]) -> None:
        for name in sorted(set(names) & set(others)):
            self._mistakes.add(f"{place}.{name}", f"is under {other} too; keep one")

    def _conditional(self, fixed: Mapping[str, object], search: Mapping[str, Domain]) -> dict[str, dict[str, Branch]]:
        section = self._section("conditional", self._document.get("conditional"))
        if len(section) > 1:
            message = f"one parameter at most may decide, got {', '.join(section)}; keep one"
            self._mistakes.add("conditional", message)
            self.broken.add("conditional")
        conditional = {}
        for decider, value in section.items():
            place = f"conditional.{decider}"
            branches = self._branches(place, value)
            for name, branch in branches.items():
                inside = (*branch.fixed, *branch.search)
                self._check_disjoint(f"{place}.{name}", inside, "fixed", fixed)
                self._check_disjoint(f"{place}.{name}", inside, "search", search)
            if self._check_decider(decider, search, branches):
                conditional[decider] = branches
        return conditional

    def _branches(self, place: str, value: object) -> dict[str, Branch]:
        branches = {}
        for name, item in self._section(place, value).items():
            where = f"{place}.{name}"
            content = self._section(where, item)
            self._check_names(where, content, ("fixed", "search"))
            fixed = self._fixed(f"{where}.fixed", content.get("fixed"))
            search = self._search(f"{where}.search", content.get("search"))
            self._check_disjoint(f"{where}.fixed", fixed, "search", search)
            branches[name] = Branch(name, fixed, search)
        return branches

    def _check_decider(self, decider: str, search: Mapping[str, Domain], branches: Mapping[str, Branch]) -> bool:
        """Check that the parameter is a searched choice and that its values and the branches match one to one."""
        place = f"conditional.{decider}"
        domain = search.get(decider)
        if domain is None or domain.kind != "choice":
            if decider not in self.broken:
                got = "is not searched" if domain is None else f"is searched as {domain.to_text()}"
                message = f"the deciding parameter must be a choice under search, but {decider} {got}"
                self._mistakes.add(place, f"{message}{near_names(decider, search)}")
            self.broken.add("conditional")
            return False
        values = [branch_name(value) for value in domain.values]
        if set(values) != set(branches):
            self.broken.add("conditional")
        for name in values:
            if name not in branches:
                self._mistakes.add(place, f"misses the branch {name!r}; add '{name}: {{}}' at least")
        for name in branches:
            if name not in values:
                self._mistakes.add(place, f"{name!r} is no choice of {decider}{near_names(name, values)}")
        return True

    def _trials(self, points: int | None) -> int:
        """Return the number of trials; a list of points tries each once."""
        default = DEFAULT_TRIALS if points is None else points
        trials = self._document.get("trials", default)
        if not isinstance(trials, int) or isinstance(trials, bool) or trials < (1 if points is None else 0):
            self._mistakes.add("trials", f"must be a whole number of 1 or more, got {show(trials)}")
            return default
        if points is not None and trials != points:
            message = f"a list of points tries each once, got {trials} for {points}; leave trials out"
            self._mistakes.add("trials", message)
        return trials

    def _task(self) -> dict[str, object]:
        task = self._section("task", self._document.get("task"))
        self._check_names("task", task, TASK_KEYS)
        for name, value in task.items():
            if name in TASK_COUNTS:
                if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                    self._mistakes.add(f"task.{name}", f"must be a whole number of 1 or more, got {show(value)}")
            elif name == "scale" and value not in SCALES:
                self._mistakes.add("task.scale", f"must be {' or '.join(SCALES)}, got {show(value)}")
            elif name in TASK_KEYS and not isinstance(value, str):
                self._mistakes.add(f"task.{name}", f"must be text, got {show(value)}")
        return task


def _near_keys(name: object) -> list[str]:
    """Return the top-level keys that a misspelt one may have meant; their content is not checked further."""
    if name in KEYS:
        return []
    return [key for key in KEYS if f"'{key}'" in near_names(str(name), KEYS)]
