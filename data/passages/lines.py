"""The lines of a passages file, as bytes: how many there are, and which of them quotation marks have swallowed."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

_LINE_END = 10
_PACKINGS = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd"}


class LineStream(io.RawIOBase):
    """A file's text as bytes, unpacked if its suffix is .gz, .bz2 or .zst; counts the lines that were read."""

    def __init__(self, path: Path) -> None:
        self.raw = pa.OSFile(str(path))
        packing = _PACKINGS.get(path.suffix.lower())
        self._text = self.raw if packing is None else pa.CompressedInputStream(self.raw, packing)
        self._ends, self._last = 0, b"\n"

    @property
    def lines(self) -> int:
        """Lines read so far, the last one whether it has an end or not."""
        return self._ends + (self._last != b"\n")

    def bytes_read(self) -> int:
        """How far the file on disk is read."""
        return int(self.raw.tell())

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes, fewer than asked for only at the end."""
        text: bytes = self._text.read(None if size < 0 else size)
        self._ends += int(np.count_nonzero(np.frombuffer(text, np.uint8) == _LINE_END))
        self._last = text[-1:] or self._last
        return text

    def close(self) -> None:
        self._text.close()
        self.raw.close()
        super().close()


def swallowed_lines(path: Path, surplus: int, header_lines: int) -> int:
    """Return how many lines are in no row, where there are `surplus` more of them than rows and header lines.

    Blank ones do not count; what is left lies inside quotation marks.
    """
    blank = sum(not line.strip(b"\r\n") for number, line in _numbered(path) if number > header_lines)
    return max(0, surplus - blank)


def first_odd_line(path: Path) -> int | None:
    """Return the first line with an odd number of quotation marks: the one that may have left a mark open."""
    return next((number for number, line in _numbered(path) if line.count(b'"') % 2), None)


def _numbered(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield every line and its number, from 1."""
    with LineStream(path) as stream:
        rest, number = b"", 0
        while text := stream.read(1 << 20):
            *lines, rest = (rest + text).split(b"\n")
            yield from enumerate(lines, number + 1)
            number += len(lines)
        if rest:
            yield number + 1, rest
