"""The family of mistakes a user can correct: the command line prints the message and exits 2."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterable


class UserError(Exception):
    """A mistake in what the user typed or in a file of theirs.

    The message states the rule, the value that broke it and the remedy; it is all that they see.
    """


class DataError(UserError):
    """A data file that cannot be read as series."""


class DamagedFileError(UserError):
    """A file of ours that does not hold what was written to it."""


class TaskError(UserError):
    """Series, split, lengths and strides that do not fit together."""


def near_names(name: str, known: Iterable[str]) -> str:
    """Return '; did you mean "x"?' for the closest known names, or '' when none is near."""
    close = difflib.get_close_matches(name, list(known), n=2, cutoff=0.6)
    return f"; did you mean {' or '.join(repr(c) for c in close)}?" if close else ""


def without_controls(text: str) -> str:
    """Return a text with its control characters written out, which a terminal would obey: '\\x1b' for the escape."""
    return "".join(repr(c)[1:-1] if unicodedata.category(c) == "Cc" and c != "\n" else c for c in text)
