"""How numbers look to a user."""

from __future__ import annotations

import math
from typing import Any

import pytest

from tune.format import (
    count_text,
    duration,
    gain_text,
    long_duration,
    measured_memory,
    memory,
    number,
    quantity,
    score_text,
    short_number,
)


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


# --- on a page


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (5e-07, "5e-7"),
        (1e-5, "1e-5"),
        (3.4567e-06, "3.46e-6"),
        (0.0001, "1e-4"),
        (0.01234, "0.0123"),
        (0.1, "0.1"),
        (-2.5, "-2.5"),
        (64, "64"),
        (3.0, "3"),
        (12345.6, "12346"),
        (1e6, "1e6"),
        (-0.0, "0"),
        (None, "–"),
        (math.nan, "–"),
        (math.inf, "–"),
        (True, "True"),
        ("cosine", "cosine"),
    ],
)
def test_a_short_number_has_three_digits_and_a_dash_where_there_is_none(value: Any, text: str) -> None:
    assert short_number(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0.41234, "0.4123"), (5e-7, "5e-7"), (0.001234567, "0.0012346"), (1.5e6, "1.5e6"), (0.0, "0")]
)
def test_scores_have_four_decimals_where_these_say_enough(value: float, text: str) -> None:
    assert score_text(value) == text


@pytest.mark.parametrize(("gain", "text"), [(0.031, "+0.0310"), (-5e-7, "-5e-7"), (0.0, "0"), (None, "–")])
def test_gains_carry_their_sign(gain: float | None, text: str) -> None:
    assert gain_text(gain) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (4.21, "4.2 s"), (42.4, "42 s"), (185, "3 min 5 s"), (4980, "1 h 23 min"), (183600, "2 d 3 h")],
)
def test_long_durations_are_said_as_people_say_them(seconds: float, text: str) -> None:
    assert long_duration(seconds) == text


@pytest.mark.parametrize(
    ("size", "text"), [(0, "–"), (512_000_000, "512 MB"), (999_999_999, "1.0 GB"), (7_900_000_000, "7.9 GB")]
)
def test_memory_that_was_not_measured_is_a_dash(size: int, text: str) -> None:
    assert measured_memory(size) == text


@pytest.mark.parametrize(("count", "text"), [(0, "0 trials"), (1, "1 trial"), (24, "24 trials")])
def test_one_is_singular(count: int, text: str) -> None:
    assert count_text(count, "trial") == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (264, "264"),
        (999.9, "1 k"),
        (13_827_528, "13.8 M"),
        (124e6, "124 M"),
        (999_960_000, "1 G"),
        (2e15, "2000 T"),
    ],
)
def test_a_quantity_has_three_digits_and_a_prefix(value: float, text: str) -> None:
    assert quantity(value) == text
    assert quantity(95.04e9, "FLOP/s") == "95 GFLOP/s"
    assert quantity(12.0, "FLOP/s") == "12 FLOP/s"
