"""Packed files: gzip, bzip2, xz, zip and zstandard are unpacked as they are read, within limits."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, BinaryIO, cast

from data.errors import DataError

MOST_TIMES = 200  # its packed size, that a file may unpack to; series of real numbers pack to a fifth or a tenth
ALWAYS_FINE = 64 << 20  # bytes that any file may unpack to
_UNPACKING_ERRORS = (
    *(OSError, EOFError, ValueError, ImportError, zlib.error, lzma.LZMAError, zipfile.BadZipFile),
    RuntimeError,  # a zip file with a password, or packed in a way that Python does not know
)
_PACKED = re.compile(r"\.(gz|bz2|zip|xz|zst)$", re.IGNORECASE)


@contextmanager
def open_unpacked(path: Path) -> Iterator[BinaryIO]:
    """Open a file for reading, unpacked.

    Raises DataError, then or while it is read, if it cannot be unpacked, or unpacks to far more than its size.
    """
    kind = _PACKED.search(path.name)
    if kind is None:
        with path.open("rb") as plain:
            yield plain
        return
    with path.open("rb") as packed, ExitStack() as opened:
        with _in_words(path):
            stream = opened.enter_context(_unpacking(path, packed, kind[1].lower()))
        yield cast(BinaryIO, io.BufferedReader(_Limited(path, packed, stream)))


@contextmanager
def _in_words(path: Path) -> Iterator[None]:
    """Say of whatever an unpacker raises that the file cannot be unpacked."""
    try:
        yield
    except _UNPACKING_ERRORS as error:
        reason = str(error) or type(error).__name__
        raise DataError(f"{path}: the file cannot be unpacked ({reason}); unpack it, or pack it again") from error


@contextmanager
def _unpacking(path: Path, packed: BinaryIO, kind: str) -> Iterator[IO[bytes]]:
    if kind == "zip":
        with zipfile.ZipFile(packed) as archive:
            files = [info for info in archive.infolist() if not info.is_dir()]
            if len(files) != 1:
                raise DataError(f"{path}: a zip file of series must hold one file, got {len(files)}; unpack it")
            with archive.open(files[0]) as stream:
                yield stream
    elif kind == "zst":
        import zstandard  # where it is installed

        with zstandard.open(packed, "rb") as stream:
            yield stream
    elif kind == "gz":
        with gzip.open(packed, "rb") as stream:
            yield cast(IO[bytes], stream)
    else:
        with (bz2.BZ2File if kind == "bz2" else lzma.LZMAFile)(packed) as stream:
            yield stream


class _Limited(io.RawIOBase):
    """A stream that may give so many times the bytes that it has taken from its file, and no more."""

    def __init__(self, path: Path, packed: BinaryIO, stream: IO[bytes]) -> None:
        self.path, self.packed, self.stream = path, packed, stream
        self.given = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # typeshed's buffer has no type
        with _in_words(self.path):
            block = self.stream.read(len(buffer))
        self.given += len(block)
        taken = self.packed.tell()
        if self.given > max(ALWAYS_FINE, MOST_TIMES * taken):
            raise DataError(
                f"{self.path}: a packed file must not unpack to more than {MOST_TIMES} times its size, but the first "
                f"{taken:,} bytes give {self.given:,}; unpack it, if it is what it should be"
            )
        buffer[: len(block)] = block
        return len(block)
