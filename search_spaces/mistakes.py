"""SpaceError, and the list of mistakes that one error reports together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from data.errors import UserError

MOST_LINES = 40  # of a message: nobody reads more of them before the first are corrected


class SpaceError(UserError):
    """A search space, or an override of one, that breaks a rule; one line for each mistake."""


@dataclass
class Mistakes:
    """The mistakes found so far in one source.

    source: the name of the file or of the space.
    """

    source: str
    lines: list[str] = field(default_factory=list)

    def add(self, place: str, message: str) -> None:
        """Add one mistake; place is a dotted path such as 'search.lr', or '' for the whole."""
        self.lines.append(": ".join(part for part in (self.source, place, message) if part))

    def raise_if_any(self) -> None:
        """Raise SpaceError with every mistake, one line for each."""
        if self.lines:
            raise SpaceError(in_lines(self.lines))


def in_lines(mistakes: Sequence[str]) -> str:
    """Return the first mistakes, one a line, and how many more there are."""
    more = len(mistakes) - MOST_LINES
    return "\n".join([*mistakes[:MOST_LINES], *([f"and {more} more mistakes"] if more > 0 else [])])
