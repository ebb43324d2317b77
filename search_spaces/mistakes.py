"""Owns SpaceError and the collecting of mistakes: all of one file in one error."""

from __future__ import annotations

from dataclasses import dataclass, field

from data.errors import UserError


class SpaceError(UserError):
    """A search space, or an override of one, that breaks a rule; one line a mistake."""


@dataclass
class Mistakes:
    """The mistakes found so far in one source (a file's name, or a space's)."""

    source: str
    lines: list[str] = field(default_factory=list)

    def add(self, place: str, message: str) -> None:
        """Note one mistake; place is a dotted path such as 'search.lr', or '' for the whole."""
        self.lines.append(": ".join(part for part in (self.source, place, message) if part))

    def raise_if_any(self) -> None:
        """Raise SpaceError with every mistake, a line each."""
        if self.lines:
            raise SpaceError("\n".join(self.lines))
