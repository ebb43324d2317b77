"""Data that a sweep cannot be run on: one message that names the file, the flag and the remedy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from tests.tune.cli.command_line import Foretune, write


def test_a_missing_file_is_named(rejected: Callable[..., str], tmp_path: Path) -> None:
    message = rejected("sweep", "--data", tmp_path / "nowhere.csv")
    assert "--data must name a file, a folder or a bundled dataset (corpus, passages, sample)" in message
    assert str(tmp_path / "nowhere.csv") in message


def test_a_misspelt_file_gets_its_near_name(rejected: Callable[..., str], two_series: Path) -> None:
    assert "did you mean 'two.csv'?" in rejected("sweep", "--data", two_series.with_name("tow.csv"))
    assert "did you mean 'sample'?" in rejected("sweep", "--data", "smaple")


def test_an_empty_data_name_is_not_taken_for_the_default(rejected: Callable[..., str]) -> None:
    assert "there is no ''" in rejected("sweep", "--data", "")
    assert "--columns must name series of the file, got ''" in rejected("sweep", "--columns", "")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "a file of series must not be empty"),
        ("date,a\n", "needs rows of values under its header, and has none"),
        ("date,a\n2024-01-01,x\n2024-01-02,y\n", "needs at least one column of numbers, got 'a'"),
        (
            "date,a\n2024-01-01,1\nyesterday,2\n2024-01-03,3\n",
            "in the same form as the first, '2024-01-01', between 1677 and 2262, got 'yesterday' in column 'date'",
        ),
        ("date,a,b\n2024-01-01,1,\n2024-01-02,2,\n", "a series needs an observed value, and 'b' has none"),
    ],
)
def test_a_file_that_holds_no_series_is_refused_by_its_name(
    rejected: Callable[..., str], tmp_path: Path, content: str, told: str
) -> None:
    path = write(tmp_path, "mine.csv", content)
    message = rejected("sweep", "--data", path)
    assert message.startswith(f"{path}: ")
    assert told in message
    assert len(message.splitlines()) == 1


def test_too_few_rows_are_reported_in_rows(rejected: Callable[..., str], two_series: Path) -> None:
    # of 400 rows 320 are for training: no room for 300 + 64
    message = rejected("sweep", "--data", two_series, "--context-length", 300, "--prediction-length", 64)
    assert "no series has a train window: one needs 364 rows" in message
    assert "has rows 0 to 320" in message
    assert "shorten --context-length or --prediction-length" in message


@pytest.mark.parametrize("packed", [b"not packed at all", b""])
@pytest.mark.parametrize("suffix", ["gz", "zip", "bz2", "xz"])
def test_a_file_that_cannot_be_unpacked_is_rejected(
    rejected: Callable[..., str], tmp_path: Path, suffix: str, packed: bytes
) -> None:
    path = tmp_path / f"mine.csv.{suffix}"
    path.write_bytes(packed)
    told = "cannot be unpacked" if packed else "must not be empty"
    assert told in rejected("sweep", "--data", path)


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (
            ("--format", "wide"),
            "--format must be one of wide-csv, long-csv, parquet, jsonl, xlsx, tsf, got 'wide'; did you mean",
        ),
        (("--columns", "a,c"), "--columns must name series of the file, got 'c'"),
        (("--time-column", "dat"), "--time-column must be one of its columns, got 'dat'; did you mean 'date'?"),
        (("--timezone", "Europe/Berlni"), "--timezone must be a zone of the IANA database, got 'Europe/Berlni'; did"),
        (("--date-format", "dd/mm"), "--date-format is written as for strptime, got 'dd/mm'; like %d/%m/%Y %H:%M"),
        (("--resample", "mean"), "--resample mean needs the step that rows are brought to; add --freq, like h"),
        (("--freq", "0h", "--resample", "sum"), "--freq must be a pandas offset like h, 15min, D or MS, got '0h'"),
        (("--freq", "h", "--resample", "median"), "--resample must be 'mean', 'sum', 'last' or 'max', got 'median'"),
        (("--decimal", ";"), "--decimal must be a point or a comma, got ';'"),
        (("--encoding", "utf-9"), "--encoding must be one that Python knows, like gbk or latin-1, got 'utf-9'"),
        (("--id-columns", "store,"), "--id-columns must name columns, separated by commas, got an empty name"),
    ],
)
def test_flags_of_the_data_are_named_as_they_are_typed(
    rejected: Callable[..., str], two_series: Path, flags: tuple[str, str], told: str
) -> None:
    assert told in rejected("sweep", "--data", two_series, *flags)


def test_options_of_reading_reach_the_sweep(foretune: Foretune, tmp_path: Path) -> None:
    """Hours in local time with the doubled one, day first, decimal commas: each option has its part in the reading."""
    stamps = pd.date_range("2024-10-01", periods=800, freq="h", tz="Europe/Berlin").tz_localize(None)
    rows = "".join(f"{stamp:%d/%m/%Y %H:%M};{i % 24},5;-999\n" for i, stamp in enumerate(stamps))
    path = write(tmp_path, "mine.csv", "when;load;temp\n" + rows.replace("-999\n", "7,5\n", 700))
    options = ("--timezone", "Europe/Berlin", "--date-format", "%d/%m/%Y %H:%M", "--decimal", ",", "--na", "-999")
    planned = foretune("sweep", "--data", path, *options, "--dry-run")
    assert planned.status == 0, planned.err
    assert "2 series" in planned.out
