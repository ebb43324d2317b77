"""Where the rows of a table came from, for messages."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Rows:
    """The file, and each row's number in it.

    unit: what a row is called, 'line' or 'row'. numbers: (rows,).
    """

    file: str
    unit: str
    numbers: NDArray[np.int64]

    def place(self, i: int) -> str:
        """Return 'line 7' for row i of the table."""
        return f"{self.unit} {self.numbers[i]}"

    def at(self, i: int) -> str:
        """Return 'file: line 7' for row i of the table."""
        return f"{self.file}: {self.place(i)}"

    def kept(self, mask: NDArray[np.bool_]) -> Rows:
        """Return the rows that a mask keeps, (rows,)."""
        return Rows(self.file, self.unit, self.numbers[mask])
