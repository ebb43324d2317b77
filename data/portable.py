"""Paths in files that are given to others: seen from where the file lies, without the names of users."""

from __future__ import annotations

import contextlib
import getpass
import os
from pathlib import Path, PureWindowsPath


def portable_path(text: str, folder: Path) -> str:
    """Return an absolute path as a folder sees it, or its last name where that would name the user; else the text."""
    if not is_absolute(text):
        return text
    seen = seen_from(text, folder)
    return file_name(text) if _names_user(seen) else seen


def portable_folder(text: str, folder: Path) -> str:
    """As `portable_path`, for a folder that must be found again: '~/...' where the path would name the user."""
    if not is_absolute(text):
        return text
    seen = seen_from(text, folder)
    under_home = _names_user(seen) and Path(text).is_relative_to(Path.home())
    return f"~/{Path(text).relative_to(Path.home()).as_posix()}" if under_home else seen


def file_name(text: str) -> str:
    """Return the last name of an absolute path, of this system or of Windows; other text as it is."""
    return PureWindowsPath(text).name if is_absolute(text) else text  # it splits at both kinds of slash


def seen_from(text: str, folder: Path) -> str:
    """Return an absolute path relative to a folder, './' or '../' first; its last name if it is on another drive."""
    try:
        seen = Path(os.path.relpath(text, folder)).as_posix()
    except ValueError:
        return file_name(text)
    return seen if seen.startswith("../") else f"./{seen}"


def is_absolute(text: str) -> bool:
    return Path(text).is_absolute() or PureWindowsPath(text).is_absolute()


def _names_user(path: str) -> bool:
    names = {Path.home().name}
    with contextlib.suppress(OSError, KeyError):  # a user without a name, as in some containers
        names.add(getpass.getuser())
    return not names.isdisjoint(path.split("/"))
