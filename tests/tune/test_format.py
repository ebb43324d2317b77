"""How numbers look to a person."""

from __future__ import annotations

import math
from typing import Any

import pytest

from tune.format import duration, memory, number


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (5e-7, "5e-7"),
        (5e-06, "5e-6"),
        (1e-4, "1e-4"),
        (1.5e-5, "1.5e-5"),
        (1.23456e-5, "1.235e-5"),
        (-2e-5, "-2e-5"),
        (9.999e-4, "9.999e-4"),
        (1e-3, "0.001"),
        (0.1, "0.1"),
        (0.25, "0.25"),
        (0.1234567, "0.1235"),
        (-0.5, "-0.5"),
        (12.3456789, "12.3457"),
        (0.0, "0"),
        (1.0, "1"),
        (2.5, "2.5"),
        (1234567.0, "1.235e6"),
        (100000.0, "100000"),
        (20, "20"),
        (0, "0"),
        (2000000, "2000000"),
        (True, "True"),
        ("head_only", "head_only"),
    ],
)
def test_a_number_is_short_and_keeps_its_meaning(value: Any, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize("value", [0.5, 0.2501, 0.99995, 0.10005, 3.0001])
def test_a_number_is_never_off_by_more_than_half_of_its_last_digit(value: float) -> None:
    assert float(number(value)) == pytest.approx(value, abs=5e-5)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_still_shown(value: float) -> None:
    assert number(value) == str(value)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (0.4, "0s"),
        (42, "42s"),
        (59.4, "59s"),
        (59.6, "1m 00s"),
        (185, "3m 05s"),
        (3599, "59m 59s"),
        (3600, "1h 00m"),
        (7200, "2h 00m"),
        (7325, "2h 02m"),
        (90000, "25h 00m"),
    ],
)
def test_a_duration_has_its_two_largest_units(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 MB"),
        (1_500_000, "2 MB"),
        (512_000_000, "512 MB"),
        (999_400_000, "999 MB"),
        (999_999_999, "1.0 GB"),
        (1_000_000_000, "1.0 GB"),
        (7_900_000_000, "7.9 GB"),
        (143_000_000_000, "143.0 GB"),
    ],
)
def test_memory_is_in_decimal_units(count: int, text: str) -> None:
    assert memory(count) == text
