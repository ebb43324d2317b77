"""Search spaces found by name or by file: the shipped ones, and those of a user's own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from data.errors import near_names
from data.files import expand
from search_spaces.document import read_document
from search_spaces.mistakes import Mistakes, SpaceError, in_lines
from search_spaces.reader import read_partly
from search_spaces.space import SearchSpace

_FOLDER = Path(__file__).resolve().parent
_SUFFIXES = (".yaml", ".yml")


@dataclass(frozen=True)
class SpaceReading:
    """A space, whole or without what is wrong in its file.

    mistakes: one line each. unread: the parameters and sections that the mistakes are in.
    """

    space: SearchSpace
    mistakes: tuple[str, ...] = ()
    unread: frozenset[str] = frozenset()


def load_space(name_or_path: str) -> SearchSpace:
    """Read a shipped space by its name, or a file that ends in .yaml or .yml.

    Raises SpaceError with every mistake of the file, or with the names nearest to an unknown one.
    """
    reading = read_space(name_or_path)
    if reading.mistakes:
        raise SpaceError(in_lines(reading.mistakes))
    return reading.space


def read_space(name_or_path: str) -> SpaceReading:
    """Read what can be read of a space; raises SpaceError where that is nothing, or where there is no such space."""
    text = name_or_path.strip()
    if text in (shipped := _shipped()):
        return _read_file(shipped[text])
    path = expand(text)
    if path.suffix.lower() in _SUFFIXES and (path.is_file() or path.name != text):
        return _read_file(path)
    hint = near_names(path.name.removesuffix(path.suffix), shipped)
    if path.suffix.lower() in _SUFFIXES:
        raise SpaceError(f"no such file {text!r}{hint}; `foretune spaces` lists the shipped ones")
    raise SpaceError(
        f"unknown space {text!r}{hint}; `foretune spaces` lists them, and a file of your own ends in .yaml"
    )


def list_spaces() -> list[SearchSpace]:
    """Read every shipped space."""
    return [load_space(name) for name in shipped_names()]


def shipped_names() -> list[str]:
    """Return the names of the shipped spaces, sorted."""
    return list(_shipped())


def _shipped() -> dict[str, Path]:
    """Return the YAML files in the folders beside this module, a folder a model, by name."""
    return {path.stem: path for path in sorted(_FOLDER.glob("*/*.yaml"), key=lambda path: path.stem)}


def _read_file(path: Path) -> SpaceReading:
    mistakes = Mistakes(path.name)
    fields, unread = read_partly(read_document(path, mistakes), mistakes)
    return SpaceReading(SearchSpace(name=path.stem, **fields), tuple(mistakes.lines), unread)
