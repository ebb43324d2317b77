"""Writing files so that a reader, or a kill, sees the old content or the new, never a part."""

from __future__ import annotations

import errno
import json
import math
import os
import shutil
import sys
from pathlib import Path
from typing import Any

from data.errors import DamagedFileError

SMALL = 64 * 2**20  # bytes
NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
LEAST_ROOM = 2**20  # bytes; with fewer free, whatever could not be written lacked room


def expand(path: str | Path) -> Path:
    """Return a path with '~' written out; one of a user that there is not stays as it is, and is then not there."""
    return Path(os.path.expanduser(path))  # noqa: PTH111  (the other one raises)


def read_small(path: Path) -> bytes:
    """Return the bytes of a file that people write; OSError where it cannot be read, or has more than 64 MiB.

    A device such as /dev/zero has no end, and no size either.
    """
    with path.open("rb") as file:
        content = file.read(SMALL + 1)
    if len(content) > SMALL:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), str(path))
    return content


def is_out_of_room(error: BaseException, folder: Path) -> bool:
    """Return whether an error comes from a disk without room. folder: on that disk.

    Libraries such as PyTorch and SQLite say it in words of their own: then the disk is asked.
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno in NO_ROOM:
            return True
        cause = cause.__cause__ or cause.__context__
    return shutil.disk_usage(folder).free < LEAST_ROOM


def no_room(path: Path) -> OSError:
    """Make the error of a disk that has no room for a file."""
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))


def flush_file(path: Path) -> None:
    """Force a file's bytes to the disk."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def flush_folder(path: Path) -> None:
    """Force a folder's entries to the disk, where the system can (not on Windows)."""
    if os.name == "nt":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace_text(path: Path, text: str, *, is_lasting: bool = True) -> None:
    """Replace a text file's content in one step; one that does not last need not outlive a power cut."""
    replace_bytes(path, text.encode(), is_lasting=is_lasting)


def replace_bytes(path: Path, content: bytes, *, is_lasting: bool = True) -> None:
    """Replace a file's content in one step; one that does not last need not outlive a power cut."""
    unfinished = path.with_name(f".{path.name}.tmp")
    with unfinished.open("wb") as file:
        file.write(content)
        file.flush()
        if is_lasting:
            os.fsync(file.fileno())
    unfinished.replace(path)


def write_output(path: Path, text: str) -> None:
    """Write a text file that the user has named; '-' is standard output.

    A file's content is replaced in one step; a link is followed, and a device or a pipe is written to, not replaced.
    """
    if path == Path("-"):
        sys.stdout.write(text)
        return
    target = path.resolve()
    if target.exists() and not target.is_file():
        with target.open("w", encoding="utf-8", newline="\n") as file:
            file.write(text)
    else:
        replace_text(target, text)


def give_umask_mode(path: Path) -> None:
    """Give a file, or all files of a folder, a new file's mode; some libraries write for their owner alone."""
    mask = os.umask(0)
    os.umask(mask)
    for file in [path] if path.is_file() else path.rglob("*"):
        if file.is_file():
            file.chmod(0o666 & ~mask)


def check_readable(path: Path) -> None:
    """Raise the OSError of a file that cannot be opened: some libraries call all of them 'No such file'."""
    path.open("rb").close()


def safe_cell(value: object) -> object:
    """Return a cell of a CSV file that no spreadsheet takes for a formula: such a text gets an apostrophe before it."""
    is_formula = isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r"))
    return f"'{value}" if is_formula else value


def parse_json(text: str | bytes, *, strict: bool = False) -> Any:
    """Parse JSON; ValueError for what is none, whatever is wrong with it: also where it is nested too deeply.

    strict: reject NaN and numbers too large for a float, which are no JSON.
    """
    try:
        return json.loads(text, parse_constant=_finite, parse_float=_finite) if strict else json.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def read_object(path: Path, *, strict: bool = True) -> dict[str, Any]:
    """Return the JSON object that a file of ours holds; raises FileNotFoundError, or DamagedFileError for all else.

    strict: NaN and infinite numbers are damage; we write none.
    """
    try:
        content = parse_json(path.read_text(encoding="utf-8"), strict=strict)
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        raise DamagedFileError(f"{path}: the file is damaged ({str(error).splitlines()[0]})") from error
    if not isinstance(content, dict):
        raise DamagedFileError(f"{path}: the file is damaged (it holds {type(content).__name__}, not an object)")
    return content


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"a number must be finite, got {text}")
    return number
