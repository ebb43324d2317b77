"""The panel: the series of one dataset in one contiguous array, its content hash and its folder."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.centering import centered
from data.errors import DataError
from data.files import parse_json

_LAYOUT = 1
_HASH_BLOCK = 1 << 22  # values hashed at a time, so that canonical NaNs need no second copy of a large panel


@dataclass(frozen=True, eq=False)
class Panel:
    """The series of one dataset, one after another in one float32 array.

    name: what the dataset is called, usually the file's stem.
    ids: one unique name for each series.
    values: (rows,) float32, in the units of the series less its center, NaN = missing; read-only.
    offsets: (n_series + 1,) int64; series i lies in values[offsets[i]:offsets[i + 1]].
    starts: ISO timestamp of each series' first row, None if unknown.
    freq: pandas offset alias ('h', '15min', 'D') shared by all series, None if unknown.
    notes: what reading changed (rows filled, columns dropped), one sentence each.
    centers: (n_series,) float64, 0 but for a series whose variation float32 would round away (`data.centering`).

    >>> import numpy as np
    >>> panel = Panel.from_series("shop", {"north": [3, 1, 4], "south": [1, np.nan]}, freq="D")
    >>> len(panel), panel.lengths.tolist(), panel.series(1).tolist()
    (2, [3, 2], [1.0, nan])
    """

    name: str
    ids: tuple[str, ...]
    values: NDArray[np.float32]
    offsets: NDArray[np.int64]
    starts: tuple[str | None, ...]
    freq: str | None
    notes: tuple[str, ...] = ()
    centers: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))

    def __post_init__(self) -> None:
        """Hold what readers and `load` guarantee, and make the arrays as read-only as the class."""
        if not len(self.centers):
            object.__setattr__(self, "centers", np.zeros(len(self.ids)))
        assert self.centers.dtype == np.float64
        assert self.centers.shape == (len(self.ids),)
        assert self.values.dtype == np.float32
        assert self.values.ndim == 1
        assert self.offsets.dtype == np.int64
        assert len(self.offsets) == len(self.ids) + 1 == len(self.starts) + 1
        assert self.offsets[0] == 0
        assert self.offsets[-1] == len(self.values)
        assert len(set(self.ids)) == len(self.ids)
        self.values.flags.writeable = False
        self.offsets.flags.writeable = False
        self.centers.flags.writeable = False

    @classmethod
    def from_series(
        cls,
        name: str,
        series: Mapping[str, NDArray[Any]],
        *,
        starts: Sequence[str | None] | None = None,
        freq: str | None = None,
        notes: Sequence[str] = (),
    ) -> Panel:
        """Join separate arrays, each (rows of that series,) and in its units, into a panel; the mapping's order stays.

        Raises DataError if a value is too large for float32.
        """
        arrays = [np.asarray(values, dtype=np.float64) for values in series.values()]
        offsets = np.zeros(len(arrays) + 1, dtype=np.int64)
        np.cumsum([len(values) for values in arrays], out=offsets[1:])
        joined = np.concatenate(arrays) if arrays else np.empty(0, dtype=np.float64)
        known = (None,) * len(arrays) if starts is None else tuple(starts)
        return cls.from_rows(name, tuple(series), joined, offsets, starts=known, freq=freq, notes=notes)

    @classmethod
    def from_rows(
        cls,
        name: str,
        ids: Sequence[str],
        values: NDArray[np.float64],
        offsets: NDArray[np.int64],
        *,
        starts: Sequence[str | None],
        freq: str | None,
        notes: Sequence[str] = (),
    ) -> Panel:
        """Make a panel of (rows,) values in their units, series after series; DataError if one is too large."""
        stored, centers = centered(values, offsets, ids)
        return cls(name, tuple(ids), stored, offsets, tuple(starts), freq, tuple(notes), centers)

    def __len__(self) -> int:
        """Return the number of series."""
        return len(self.ids)

    def series(self, i: int) -> NDArray[np.float32]:
        """Return series i less its center as a read-only view, (rows of that series,)."""
        return self.values[self.offsets[i] : self.offsets[i + 1]]

    def in_units(self, i: int) -> NDArray[np.float64]:
        """Return series i in its units, (rows of that series,)."""
        return self.series(i).astype(np.float64) + float(self.centers[i])

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Return the rows of each series, (n_series,)."""
        return np.diff(self.offsets)

    @cached_property
    def content_hash(self) -> str:
        """Return the sha256 of ids, starts, freq, offsets, values and centers; name and notes do not count.

        Every NaN hashes alike, and so does every byte order.
        """
        digest = hashlib.sha256()
        facts: list[object] = [list(self.ids), list(self.starts), self.freq, self.offsets.tolist()]
        if self.centers.any():
            facts.append(self.centers.tolist())
        digest.update(json.dumps(facts, ensure_ascii=True).encode())
        for block in _canonical_blocks(self.values):
            digest.update(block)
        return digest.hexdigest()

    def save(self, folder: Path) -> None:
        """Write values.npy, offsets.npy and panel.json; each file appears whole or not at all.

        panel.json goes last and carries the content hash, so `load` notices a save cut off between files.
        A folder that holds the same panel already is left alone: on Windows a mapped file cannot be replaced.
        """
        facts = {
            "layout": _LAYOUT,
            "name": self.name,
            "ids": self.ids,
            "starts": self.starts,
            "freq": self.freq,
            "notes": self.notes,
            "centers": self.centers.tolist() if self.centers.any() else [],
            "content_hash": self.content_hash,
        }
        text = json.dumps(facts, indent=1)
        with suppress(OSError):
            if (folder / "panel.json").read_text(encoding="utf-8") == text and _loads(folder):
                return
        folder.mkdir(parents=True, exist_ok=True)
        _replace_array(folder / "values.npy", self.values)
        _replace_array(folder / "offsets.npy", self.offsets)
        _replace_bytes(folder / "panel.json", text.encode())

    @classmethod
    def load(cls, folder: Path) -> Panel:
        """Open a saved panel; its values are mapped from the file, read-only.

        Raises DataError if the folder holds no panel, or its content is not what was saved.
        """
        remedy = "write it again with Panel.save"
        try:
            facts = parse_json((folder / "panel.json").read_text(encoding="utf-8"))
            values = np.load(folder / "values.npy", mmap_mode="r", allow_pickle=False)
            offsets = np.load(folder / "offsets.npy", allow_pickle=False)
            panel = cls(
                facts["name"],
                tuple(facts["ids"]),
                values,
                offsets,
                tuple(facts["starts"]),
                facts["freq"],
                tuple(facts["notes"]),
                np.array(facts.get("centers", []), dtype=np.float64),
            )
        except FileNotFoundError as error:
            missing = Path(error.filename).name
            raise DataError(f"{folder}: a panel folder must hold {missing}, and it does not; {remedy}") from error
        except (OSError, EOFError, ValueError, LookupError, TypeError, AttributeError, AssertionError) as error:
            raise DataError(f"{folder}: the panel in this folder cannot be read ({error}); {remedy}") from error
        if panel.content_hash != facts.get("content_hash"):
            raise DataError(
                f"{folder}: a saved panel must not change, but its content hash is {panel.content_hash[:12]} "
                f"and panel.json says {str(facts.get('content_hash'))[:12]}; {remedy}"
            )
        return panel


def _canonical_blocks(values: NDArray[np.float32]) -> Iterator[bytes]:
    """Give the values as little-endian float32 bytes, every NaN the same, a few million at a time."""
    for first in range(0, len(values), _HASH_BLOCK):
        block = values[first : first + _HASH_BLOCK].astype("<f4")
        block[np.isnan(block)] = np.nan
        yield block.tobytes()


def _loads(folder: Path) -> bool:
    """Return whether the folder holds a whole panel."""
    try:
        Panel.load(folder)
    except DataError:
        return False
    return True


def _replace_bytes(path: Path, content: bytes) -> None:
    """Write a file beside its place and move it there, so that no reader sees half of it."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _replace_array(path: Path, array: NDArray[Any]) -> None:
    """Write an array as .npy the same way."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            np.save(file, array, allow_pickle=False)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
