"""Cells as numbers: decimal commas, thousands, and the words that stand for a missing value."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Decimal = Literal[".", ","]

# Missing without a word, as pandas reads them by itself.
SILENT = frozenset(
    {"", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA"}
    | {"NULL", "NaN", "None", "n/a", "nan", "null"}
)
# Missing with a note: what people and spreadsheets write where a number is unknown.
NOTED = frozenset(
    {
        "-",
        "--",
        "---",
        "\u2013",
        "\u2014",
        "?",
        "??",
        ".",
        "..",
        "...",
        "*",
        "**",
        "/",
        "\\n",
        "na",
        "n.a.",
        "nd",
        "n.d.",
    }
    | {"none", "no data", "nodata", "missing", "unknown", "nil", "#value!", "#ref!", "#div/0!", "#num!", "#name?"}
    | {"#null!", "无", "缺失", "无数据"}
)
_BETWEEN_THOUSANDS = r"(?<=\d)[\s\u00a0\u202f'](?=\d{3}(?!\d))"
_COMMA = r"[+-]?\d*,\d+(?:[eE][+-]?\d+)?"  # 0,5
_COMMA_GROUPS = r"[+-]?[1-9]\d{0,2}(?:,\d{3})+"  # 1,234: thousands, or a decimal comma
_POINT_GROUPS = r"[+-]?[1-9]\d{0,2}(?:\.\d{3})+"  # 1.234
_COMMA_AND_POINT = r"[+-]?[1-9]\d{0,2}(?:,\d{3})+\.\d*"  # 1,234.5
_POINT_AND_COMMA = r"[+-]?[1-9]\d{0,2}(?:\.\d{3})+,\d*"  # 1.234,5
_TWO_GROUPS = r"[+-]?\d{{1,3}}(?:{0}\d{{3}}){{2,}}"  # 1,234,567


@dataclass(frozen=True, eq=False)
class Cells:
    """A column of text on its way to numbers, each different text once.

    codes: (rows,) int64, which text a row has, -1 = none. texts: (n_texts,), without the spaces between thousands.
    plain: (n_texts,) float64, as a number with a decimal point; NaN where it is none.
    missing: (n_texts,) bool, whether it is a word for a missing value. noted: those of them that a note should name.
    """

    codes: NDArray[np.int64]
    texts: pd.Series
    plain: NDArray[np.float64]
    missing: NDArray[np.bool_]
    noted: NDArray[np.bool_]

    @classmethod
    def of(cls, column: pd.Series, na: Collection[str]) -> Cells:
        """Take a column apart; na: further words for a missing value, as they were typed."""
        codes, uniques = pd.factorize(column.where(column.isna(), column.astype(str)))
        texts = pd.Series(uniques, dtype=object).astype(str).str.strip()
        lower = texts.str.lower()
        silent = (texts.isin(SILENT) | texts.isin([word.strip() for word in na])).to_numpy()
        noted = lower.isin(NOTED).to_numpy() & ~silent
        texts = texts.str.replace("\u2212", "-", regex=False).str.replace(_BETWEEN_THOUSANDS, "", regex=True)
        plain = pd.to_numeric(texts, errors="coerce").to_numpy(dtype=np.float64)
        return cls(codes.astype(np.int64), texts, plain, silent | noted, noted)

    def decimals(self) -> set[Decimal]:
        """Return the decimal marks that the texts show beyond doubt; both if they contradict each other."""
        comma = self._are(_COMMA) & ~self._are(_COMMA_GROUPS)
        comma |= self._are(_POINT_AND_COMMA) | self._are(_TWO_GROUPS.format(r"\."))
        point = self._are(_COMMA_AND_POINT) | self._are(_TWO_GROUPS.format(","))
        pointed = self.texts.str.contains(".", regex=False).to_numpy() & ~np.isnan(self.plain)
        point |= pointed & ~self._are(_POINT_GROUPS)
        found: set[Decimal] = set()
        if comma.any():
            found.add(",")
        if point.any():
            found.add(".")
        return found

    def doubtful(self, mark: Literal[".", ","]) -> NDArray[np.bool_]:
        """Return which texts may have this mark between thousands or before decimals, (n_texts,)."""
        return self._are(_COMMA_GROUPS if mark == "," else _POINT_GROUPS) & ~self._are(_TWO_GROUPS.format(f"\\{mark}"))

    def numbers(self, decimal: Decimal) -> NDArray[np.float64]:
        """Return each row's number, (rows,), NaN where it has none; `wrong` says which of them should have one."""
        values: NDArray[np.float64] = np.r_[self._values(decimal), np.nan][self.codes]
        return values

    def wrong(self, decimal: Decimal) -> NDArray[np.bool_]:
        """Return which rows hold neither a number nor a word for a missing value, (rows,)."""
        wrong: NDArray[np.bool_] = np.r_[np.isnan(self._values(decimal)) & ~self.missing, False][self.codes]
        return wrong

    def _values(self, decimal: Decimal) -> NDArray[np.float64]:
        grouped = self._are(_COMMA_GROUPS) | self._are(_COMMA_AND_POINT)
        texts = self.texts.where(~grouped, self.texts.str.replace(",", "", regex=False))
        if decimal == ",":
            ours = self._are(_COMMA) | self._are(_POINT_AND_COMMA) | self._are(_POINT_GROUPS)
            swapped = self.texts.str.replace(".", "", regex=False).str.replace(",", ".", regex=False)
            pointed = self.texts.str.contains(".", regex=False).to_numpy()
            texts = swapped.where(ours | ~pointed, "")  # a decimal point beside decimal commas is wrong
        values: NDArray[np.float64] = pd.to_numeric(texts, errors="coerce").to_numpy(dtype=np.float64)
        values[self.missing] = np.nan
        return values

    def _are(self, pattern: str) -> NDArray[np.bool_]:
        fits = re.compile(pattern).fullmatch  # pandas' own takes a millisecond a column, however short that is
        return np.fromiter((fits(text) is not None for text in self.texts), dtype=np.bool_, count=len(self.texts))


def numeric_words(na: Collection[str]) -> list[float]:
    """Return those of the words for a missing value that are numbers, such as -999."""
    if not na:
        return []
    numbers = pd.to_numeric(pd.Series(list(na), dtype=object), errors="coerce").to_numpy(dtype=np.float64)
    return [float(number) for number in numbers if np.isfinite(number)]
