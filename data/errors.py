"""The family of mistakes a user can correct: the command line prints the message and exits 2."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable

LONGEST_NAME = 200  # characters of one that is compared with others


LONGEST_WORD, LONGEST_TEXT = 500, 8000  # characters of what people are to read


class UserError(Exception):
    """A mistake in what the user typed or in a file of theirs.

    The message states the rule, the value that broke it and the remedy; it is all that they see. Names and values of
    files may have any length: what nobody would read of them is left out.
    """

    def __str__(self) -> str:
        return shortened(super().__str__())


class DataError(UserError):
    """A data file that cannot be read as series."""


class DamagedFileError(UserError):
    """A file of ours that does not hold what was written to it."""


class TaskError(UserError):
    """Series, split, lengths and strides that do not fit together."""


def near_names(name: str, known: Iterable[str]) -> str:
    """Return '; did you mean "x"?' for the closest known names, or '' when none is near."""
    if len(name) > LONGEST_NAME:
        return ""
    close = difflib.get_close_matches(name, list(known), n=2, cutoff=0.6)
    return f"; did you mean {' or '.join(repr(c) for c in close)}?" if close else ""


def shortened(text: str) -> str:
    """Return a text without the rest of very long words, and without its own rest if it is very long."""
    if len(text) <= LONGEST_WORD:
        return text
    text = re.sub(rf"(\S{{{LONGEST_WORD}}})\S+", r"\1…", text[: 2 * LONGEST_TEXT])
    return text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}…"


def without_controls(text: str) -> str:
    """Return a text with its control characters written out, which a terminal would obey: '\\x1b' for the escape."""
    return "".join(repr(c)[1:-1] if unicodedata.category(c) == "Cc" and c != "\n" else c for c in text)
