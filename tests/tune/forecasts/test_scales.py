"""The specification of tune/forecasts/scales.py: val.jsonl and the scales.json beside it."""

from __future__ import annotations

from math import sqrt
from pathlib import Path

import numpy as np
import pytest

from data.errors import UserError
from data.passages import Counts, write_counts
from data.passages.counts import Tally
from tests.tune.forecasts.measured import SHORT, Export, measured


@pytest.fixture
def passages(tmp_path: Path) -> Path:
    """40 hours of two sites, t and 2t, cut at hour 20: val.jsonl begins 8 hours before."""
    hours = np.arange(40)
    counts = Counts(
        ids=("S1#fx=1", "S1#fx=2"),
        values=np.stack([hours, 2 * hours]),
        start="2023-12-01T00:00:00",
        bucket_minutes=60,
        rows=Tally(),
        files=(),
    )
    write_counts(counts, tmp_path / "out", train_end="2023-12-01 20:00:00", val_context=8)
    return tmp_path / "out" / "val.jsonl"


def test_windows_of_a_val_jsonl_begin_at_target_start_idx(export: Export, two: Path, passages: Path) -> None:
    """28 rows, targets from row 8 on, two a window: 10 windows a series. Of t, the last and 1 more errs by 0 and 1."""
    folder = export(two, split="rows:0", **SHORT)
    found = measured(folder, data=str(passages), norm="none")
    assert found.assignment.spec.split == "rows:8"
    assert found.windows.tolist() == [10, 10]
    assert found.by_series["mae"].tolist() == [0.5, (1 + 3) / 2]
    assert found.notes == ()


def test_norm_series_of_a_val_jsonl_takes_the_training_normalization(export: Export, two: Path, passages: Path) -> None:
    """Hours 0 to 19 deviate by sqrt((20² - 1) / 12), and 2t by twice that; val.jsonl alone has only 12 to 19."""
    std = sqrt((20**2 - 1) / 12)
    found = measured(export(two, split="rows:0", **SHORT), data=str(passages), norm="series")
    assert found.by_series["mae"].tolist() == pytest.approx([std - 1.5, 2 * (std - 1.5)])


def test_a_context_longer_than_the_history_is_reported(export: Export, two: Path, passages: Path) -> None:
    folder = export(two, split="rows:0", **SHORT)
    found = measured(folder, data=str(passages), context_length=12, norm="none")
    assert found.windows.tolist() == [8, 8]
    assert found.notes == ("targets begin at row 12, the first with a whole context, and not at 8",)


def test_other_files_beside_a_scales_json_begin_after_the_first_context(
    export: Export, two: Path, passages: Path
) -> None:
    found = measured(export(two, split="rows:0", **SHORT), data=str(passages.with_name("full.jsonl")))
    assert found.assignment.spec.split == "rows:0"
    assert found.windows.tolist() == [19, 19]


def test_a_series_that_scales_json_lacks_is_reported(export: Export, two: Path, passages: Path) -> None:
    text = passages.read_text().replace("S1#fx=2", "S1#fx=9")
    passages.write_text(text)
    with pytest.raises(UserError, match=r"has none for 'S1#fx=9'; did you mean 'S1#fx="):
        measured(export(two, split="rows:0", **SHORT), data=str(passages), norm="series")


def test_a_damaged_scales_json_is_reported(export: Export, two: Path, passages: Path) -> None:
    scales = passages.with_name("scales.json")
    folder = export(two, split="rows:0", **SHORT)
    for text, told in [("{", "cannot be read"), ('{"target_start_idx": -1}', "target_start_idx must be 0 or more")]:
        scales.write_text(text)
        with pytest.raises(UserError, match=rf"scales\.json: {told}"):
            measured(folder, data=str(passages))
