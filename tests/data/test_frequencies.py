"""Frequencies: today's spelling, absurd ones, and the stamps of a grid in each kind of calendar."""

import pytest

from data.errors import DataError
from data.frequencies import canonical_freq, stamps


@pytest.mark.parametrize(
    ("written", "now"),
    [("H", "h"), ("60T", "60min"), ("M", "ME"), ("2M", "2ME"), ("Q-MAR", "QE-MAR"), ("A", "YE-DEC"), ("B", "B")],
)
def test_an_old_alias_is_read_as_current_pandas_spells_it(written, now):
    assert canonical_freq(written) == now


@pytest.mark.parametrize("absurd", ["0h", "-1h", "99999999999999999999h", "40000D", "1300MS", "what", ""])
def test_a_step_without_a_length_or_beyond_a_century_is_rejected(absurd):
    with pytest.raises(ValueError, match=r"."):
        canonical_freq(absurd)


@pytest.mark.parametrize(
    ("start", "freq", "expected"),
    [
        ("2024-01-31", "ME", ["2024-01-31", "2024-02-29", "2024-03-31"]),
        ("2024-01-15", "MS", ["2024-01-15", "2024-02-15", "2024-03-15"]),
        ("2024-01-31", "MS", ["2024-01-31", "2024-02-29", "2024-03-31"]),
        ("2024-02-10", "QS-FEB", ["2024-02-10", "2024-05-10", "2024-08-10"]),
        ("2024-03-01", "B", ["2024-03-01", "2024-03-04", "2024-03-05"]),  # a Friday, then Monday
        ("2024-03-29", "BME", ["2024-03-29", "2024-04-30", "2024-05-31"]),
        ("2024-01-15", "SMS-15", ["2024-01-15", "2024-02-01", "2024-02-15"]),
        ("2024-01-01 06:00", "12h", ["2024-01-01 06:00", "2024-01-01 18:00", "2024-01-02 06:00"]),
    ],
)
def test_stamps_follow_the_calendar(start, freq, expected):
    assert stamps(start, freq, 0, 3).strftime("%Y-%m-%d %H:%M").tolist() == [f"{day} 00:00"[:16] for day in expected]
    assert stamps(start, freq, 2, 1).strftime("%Y-%m-%d").tolist() == [expected[2][:10]]


def test_stamps_beyond_what_nanoseconds_count_are_one_message():
    with pytest.raises(DataError, match="between 1677 and 2262"):
        stamps("2260-01-01", "YS", 0, 5)
