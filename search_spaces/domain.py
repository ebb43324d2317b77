"""Domains: the values that a search may give to one parameter, as YAML and as text."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, TypeAlias, TypeGuard, cast

from data.errors import near_names
from search_spaces.mistakes import SpaceError

Scalar: TypeAlias = str | int | float | bool | None
Kind = Literal["log", "uniform", "int", "logint", "choice"]
KINDS: tuple[Kind, ...] = ("log", "uniform", "int", "logint", "choice")
FORMS = "'log:1e-6:1e-4', 'uniform:0:0.2', 'int:1:10', 'int:0:200:50', 'logint:8:512' or 'choice:16,32'"

LONGEST_SHOWN = 300  # characters of a value in a message

_INT = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})")
_FLOAT = re.compile(r"[-+]?(?=\.?[0-9])([0-9]*\.[0-9]*([eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+)")
_WORDS: dict[str, Scalar] = {"null": None, "~": None, "true": True, "false": False}
_ITEM = re.compile(r"""\s*("(?:[^"\\]|\\.)*"|'[^']*'|[^,]*?)\s*(,|$)""")
_NUMBERS = re.compile(r"[A-Za-z_]+:[-+.0-9eE]+([:,][-+.0-9eE]+)+")
_NO_KIND = re.compile(r"\s*(?P<first>[-+.0-9eE]+)\s*(?P<mark>[:,])\s*[-+.0-9eE]+\s*((?P=mark)\s*[-+.0-9eE]+\s*)*")
_NOT_FINITE = re.compile(r"[-+]?\.?(nan|inf|infinity)", re.IGNORECASE)


@dataclass(frozen=True)
class Domain:
    """The values that one parameter may take; `build_domain` and `parse_domain` make checked ones.

    low, high: both included; whole for 'int' and 'logint'. step: the distance between neighbours ('int' only).
    values: those of a 'choice', in the order of the file.
    """

    kind: Kind
    low: float = 0
    high: float = 0
    step: int = 1
    values: tuple[Scalar, ...] = ()

    @property
    def is_finite(self) -> bool:
        """Return whether `grid` can list the values."""
        return self.kind in ("int", "logint", "choice")

    def contains(self, value: object) -> bool:
        """Return whether a parameter of this domain may have the value; 5.0 is the whole number 5."""
        if self.kind == "choice":
            return any(_same(value, known) for known in self.values)
        if not _is_number(value) or not self.low <= value <= self.high:
            return False
        return not self.is_finite or (value - self.low) % self.step == 0

    def nearest(self, value: object) -> object:
        """Return the value of a range that is nearest to a number; what is no number, or is for a choice, as it is."""
        if self.kind == "choice" or not _is_number(value):
            return value
        inside = min(max(value, self.low), self.high)
        if not self.is_finite:
            return inside
        steps = round((inside - self.low) / self.step)
        last = int((self.high - self.low) // self.step)
        return int(self.low + self.step * min(steps, last))

    def cast(self, value: object) -> Scalar:
        """Return a contained value in the domain's own type: int, float, or the choice as the file has it."""
        assert self.contains(value), f"{value!r} is not in {self.to_text()}"
        if self.kind == "choice":
            return next(known for known in self.values if _same(value, known))
        number = cast(float, value)
        return int(number) if self.is_finite else float(number)

    def grid(self) -> list[Scalar]:
        """List the values of a finite domain in order; SpaceError for an infinite one."""
        if not self.is_finite:
            raise SpaceError(f"{self.to_text()} has infinitely many values; list some, such as choice:1e-5,1e-4")
        if self.kind == "choice":
            return list(self.values)
        return list(range(int(self.low), int(self.high) + 1, self.step))

    @property
    def size(self) -> int:
        """Return how many values a finite domain has."""
        return len(self.values) if self.kind == "choice" else int((self.high - self.low) // self.step) + 1

    def first_value(self) -> Scalar:
        """Return the low end, or the first choice."""
        return self.values[0] if self.kind == "choice" else self.cast(self.low)

    def ends(self) -> tuple[Scalar, Scalar]:
        """Return the first value and the last: the bounds, or the first and the last choice."""
        last = self.values[-1] if self.kind == "choice" else self.high
        return self.first_value(), self.cast(last) if self.contains(last) else self.grid()[-1]

    def fraction(self) -> float | None:
        """Return a value inside that is no whole number; None where the domain has whole numbers or choices alone."""
        if self.is_finite:
            return None
        for part in (0.5, 0.3):  # no two such points between two bounds are whole
            inside = self._between(part)
            if inside != int(inside):
                return inside
        return self._between(math.pi / 4)

    def _between(self, part: float) -> float:
        """Return the point so far from the low end to the high one, whose distance may be more than a float holds."""
        width = self.high - self.low
        return self.low + part * width if math.isfinite(width) else (1 - part) * self.low + part * self.high

    def arguments(self) -> list[Scalar]:
        """Return what follows the kind in YAML: [low, high], [low, high, step] or the choices."""
        if self.kind == "choice":
            return list(self.values)
        bounds: list[Scalar] = [self.low, self.high]
        return bounds if self.step == 1 else [*bounds, self.step]

    def to_text(self) -> str:
        """Return the text that `parse_domain` reads back as this domain, such as 'log:1e-06:0.0001'."""
        separator = "," if self.kind == "choice" else ":"
        return f"{self.kind}:" + separator.join(scalar_text(value) for value in self.arguments())


def parse_domain(text: str) -> Domain | Scalar:
    """Read the right-hand side of `--set KEY=VALUE`: a domain such as 'log:1e-6:1e-4', or one plain value.

    Raises SpaceError for an empty text, a list, a domain of an unknown kind, or one that breaks its rules.
    """
    text = text.strip()
    if not text or text[0] in "[{":
        raise SpaceError(f"must be one value or a domain, got {text!r}; write {FORMS}")
    kind, colon, rest = text.partition(":")
    if colon and kind in KINDS:
        return build_domain(kind, _split_choices(rest) if kind == "choice" else _split_bounds(rest))
    if colon and (near_names(kind, KINDS) or _NUMBERS.fullmatch(text)):
        raise SpaceError(f"{unknown_kind(kind)}; write {FORMS}, or quote a plain text")
    if match := _NO_KIND.fullmatch(text):
        _reject_without_kind(text, match["mark"])
    return _unquote(text)


def _reject_without_kind(text: str, mark: str) -> None:
    """Reject numbers that are no domain because its kind was left out; text of other kinds passes."""
    values = [parse_scalar(part) for part in text.split(mark)]
    numbers = [value for value in values if _is_number(value)]
    if len(numbers) < len(values):
        return
    if mark == ",":
        forms = f"choice:{','.join(map(show, values))}"
    else:
        bounds = ":".join(map(show, (min(numbers), max(numbers))))
        kinds = ("int", "uniform") if all(isinstance(value, int) for value in numbers) else ("log", "uniform")
        forms = " or ".join(f"{kind}:{bounds}" for kind in kinds)
    raise SpaceError(f"must name the kind of domain, got {text!r}; write {forms}, or quote a plain text")


def parse_scalar(text: str) -> Scalar:
    """Read one value as YAML 1.2 does, so that 1e-5 is a number (in PyYAML's YAML 1.1 it is text)."""
    text = text.strip()
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    if _INT.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text) and math.isfinite(float(text)):
        return float(text)
    return text


def scalar_text(value: Scalar) -> str:
    """Return the shortest text that `parse_domain` reads back as the value; 0.0 is written 0."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        plain = parse_scalar(value) == value and not re.search(r"""^$|[,:"'\[\]{}]""", value)
        return value if plain else json.dumps(value, ensure_ascii=False)
    return repr(value).removesuffix(".0")


def show(value: object) -> str:
    """Return a value for a message: 5e-7 without padding, text in quotes; of a long one the beginning."""
    text = _whole(value)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"


def _whole(value: object) -> str:
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_whole(item) for item in value) + "]"
    if isinstance(value, float) and 0 < abs(value) < 1e-3:
        return f"{Decimal(repr(value)).normalize():e}"
    return repr(value) if isinstance(value, str) or not is_scalar(value) else scalar_text(value)


def build_domain(kind: str, arguments: Sequence[object]) -> Domain:
    """Make a checked domain from its kind and its bounds or choices; raises SpaceError with every rule broken."""
    if mistakes := domain_mistakes(kind, arguments):
        raise SpaceError("; ".join(mistakes))
    known = next(known for known in KINDS if known == kind)
    if known == "choice":
        return Domain(known, values=tuple(cast("Sequence[Scalar]", arguments)))
    number = float if known in ("log", "uniform") else int
    low, high, *step = cast("Sequence[float]", arguments)
    return Domain(known, low=number(low), high=number(high), step=int(step[0]) if step else 1)


def domain_mistakes(kind: str, arguments: object) -> list[str]:
    """List the rules that a domain breaks, each with the value and the remedy."""
    if kind not in KINDS:
        return [f"{unknown_kind(kind)}; the kinds are {', '.join(KINDS)}"]
    if kind == "choice":
        return _choice_mistakes(arguments)
    form = "[low, high] or [low, high, step]" if kind == "int" else "[low, high]"
    if not isinstance(arguments, list) or len(arguments) not in ((2, 3) if kind == "int" else (2,)):
        return [f"{kind} takes {form}, got {show(arguments)}"]
    names = ("low", "high", "step")[: len(arguments)]
    bounds = zip(names, arguments, strict=True)
    mistakes = [message for name, bound in bounds if (message := _bound_mistake(kind, name, bound))]
    return mistakes or _range_mistakes(kind, *arguments)


def unknown_kind(kind: str) -> str:
    """Return the message that no kind of domain has this name, with the nearest that exists."""
    return f"unknown kind of domain {kind!r}{near_names(kind, KINDS)}"


def is_scalar(value: object) -> TypeGuard[Scalar]:
    """Return whether a value is one text, number, boolean or null."""
    return value is None or isinstance(value, str | int | float)


def _split_bounds(text: str) -> list[Scalar]:
    return [parse_scalar(bound) for bound in text.split(":")]


def _split_choices(text: str) -> list[Scalar]:
    """Split at the commas that are outside quotes."""
    choices: list[Scalar] = []
    position = 0
    while text and (match := _ITEM.match(text, position)):
        choices.append(_unquote(match[1]))
        position = match.end()
        if not match[2]:
            break
    return choices


def _unquote(text: str) -> Scalar:
    """Read one value; what is in quotes is text, even if it looks like a number."""
    if len(text) < 2 or text[0] != text[-1] or text[0] not in "\"'":
        return parse_scalar(text)
    try:
        return str(json.loads(text))
    except ValueError:
        return text[1:-1]


def _choice_mistakes(arguments: object) -> list[str]:
    if not isinstance(arguments, list) or not arguments:
        return [f"choice takes a list of at least one value, such as [16, 32], got {show(arguments)}"]
    nested = [value for value in arguments if not is_scalar(value)]
    if nested:
        return [f"a choice must be text, a number, true, false or null, got {show(nested[0])}; flatten it"]
    counts = Counter(map(distinct_key, arguments))
    twice = [key[1] for key, count in counts.items() if count > 1]
    mistakes = [f"choices must differ, got {show(value)} twice; keep one" for value in twice]
    if "" in arguments:
        mistakes.append("a choice must not be empty text; leave it out")
    return mistakes


def _bound_mistake(kind: str, name: str, bound: object) -> str:
    if isinstance(bound, str) and _NOT_FINITE.fullmatch(bound):
        return f"{name} must be a finite number, got {bound}"
    if not _is_number(bound):
        return f"{name} must be a number, got {show(bound)}"
    if kind in ("int", "logint") and bound != int(bound):
        return f"{name} must be a whole number, got {show(bound)}; round it, or use uniform or log"
    return ""


def _range_mistakes(kind: str, low: float, high: float, step: float = 1) -> list[str]:
    mistakes = []
    if kind in ("log", "logint") and low <= 0:
        mistakes.append(f"low must be above 0 for {kind}, got {show(low)}; raise it")
    if low == high:
        mistakes.append(f"low must be below high, got {show([low, high])}; give the one value itself")
    elif low > high:
        mistakes.append(f"low must be below high, got {show([low, high])}; swap them")
    elif step < 1:
        mistakes.append(f"step must be 1 or more, got {show(step)}")
    elif kind == "int" and (high - low) % step:
        last = int(high - (high - low) % step)
        mistakes.append(f"step must lead from low to high, got {show([low, high, step])}; end at {last}")
    return mistakes


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < math.inf


def distinct_key(value: Scalar) -> tuple[bool, Scalar]:
    """Return what two choices have alike that are one: 5 and 5.0, but not 1 and true."""
    return isinstance(value, bool), value


def _same(value: object, known: Scalar) -> bool:
    return is_scalar(value) and distinct_key(value) == distinct_key(known)
