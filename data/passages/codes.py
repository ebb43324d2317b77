"""The codes of passages: raw names to numbered sites, texts to directions, a block at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]
Decode = Callable[[bytes], str]

_MOST_SHOWN, _MOST_KNOWN = 1_000, 200_000


class SiteCodes:
    """Numbers sites as they come; `unmapped` has the rows of each name that is none."""

    def __init__(self, sites: Mapping[str, str] | None, decode: Decode) -> None:
        self.sites: list[str] = []
        self.unmapped: Counter[str] = Counter()
        self._map, self._decode = sites, decode
        self._numbers: dict[str, int] = {}  # of a site
        self._known: dict[bytes, int] = {}  # of a raw name's bytes

    def numbers(self, column: pa.BinaryArray) -> Ints:
        """Return each row's site, -1 where it has none."""
        places, values = _encode(column)
        numbers = np.array([self._number(value) for value in values], dtype=np.int64)
        _count_examples(self.unmapped, places, numbers, values, self._decode)
        return numbers.take(places)

    @property
    def is_crowded(self) -> bool:
        """Whether there are more raw names than any country has checkpoints."""
        return len(self._known) > _MOST_KNOWN

    def _number(self, value: bytes) -> int:
        if value in self._known:
            return self._known[value]
        name = self._decode(value)
        site = name if self._map is None else self._map.get(name)
        if site and site not in self._numbers:
            self._numbers[site] = len(self.sites)
            self.sites.append(site)
        self._known[value] = self._numbers[site] if site else -1
        return self._known[value]


class DirectionCodes:
    """Places of directions among the wanted ones; `bad` has the rows of each text that is none of them."""

    def __init__(self, wanted: tuple[int, ...], decode: Decode) -> None:
        self.bad: Counter[str] = Counter()
        self._wanted, self._decode = wanted, decode

    def numbers(self, column: pa.BinaryArray, counted: Mask) -> Ints:
        """Return each row's direction, -1 where it has none; examples of bad ones come from rows in `counted`."""
        places, values = _encode(column)
        numbers = np.array([self._number(self._decode(value)) for value in values], dtype=np.int64)
        if (numbers < 0).any():
            _count_examples(self.bad, places[counted], numbers, values, self._decode)
        return numbers.take(places)

    def _number(self, text: str) -> int:
        """1, 01 and 1.0 are one direction."""
        try:
            number = float(text)
        except ValueError:
            return -1
        return self._wanted.index(int(number)) if number in self._wanted else -1


def _encode(column: pa.BinaryArray) -> tuple[NDArray[Any], list[bytes]]:
    """Return each row's place among the column's different values, and these."""
    encoded = column.dictionary_encode()
    return encoded.indices.to_numpy(), encoded.dictionary.to_pylist()


def _count_examples(
    examples: Counter[str], places: NDArray[Any], numbers: Ints, values: list[bytes], decode: Decode
) -> None:
    """Add up the rows of each value without a number, as long as there are not too many of these."""
    dropped = np.flatnonzero(numbers < 0)
    if not len(dropped):
        return
    rows = np.bincount(places, minlength=len(values))
    for place in dropped.tolist():
        text = decode(values[place])
        if rows[place] and (text in examples or len(examples) < _MOST_SHOWN):
            examples[text] += int(rows[place])
