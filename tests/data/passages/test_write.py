"""The specification of data/passages/write.py: the files that come out."""

from __future__ import annotations

import json
from dataclasses import asdict

import numpy as np
import pytest

from data.errors import DataError, UserError
from data.passages import PassageFormat, count_passages, write_counts
from data.readers.panel_reader import read_panel
from tests.data.passages.records import FIVE, count


def lines_of(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def write_and_read(counts, out, **options):
    """Write the four files; return what scales.json then holds, which says where they are split as the call did."""
    split = write_counts(counts, out, **options)
    scales = json.loads((out / "scales.json").read_text(encoding="utf-8"))
    assert asdict(split).items() <= scales.items()
    return scales


def test_a_month_is_split_at_the_25th(month, tmp_path):
    scales = write_and_read(month, tmp_path / "out")
    full, train, val = (lines_of(tmp_path / "out" / f"{name}.jsonl") for name in ("full", "train", "val"))
    assert [len(lines) for lines in (full, train, val)] == [38, 38, 38]
    assert {len(line["sequence"]) for line in full} == {8928}
    assert {len(line["sequence"]) for line in train} == {6912}
    assert {len(line["sequence"]) for line in val} == {2528}
    assert [line["sequence"] for line in full] == month.values.tolist()
    assert all(f["sequence"][:6912] == t["sequence"] for f, t in zip(full, train, strict=True))
    assert all(f["sequence"][6400:] == v["sequence"] for f, v in zip(full, val, strict=True))
    assert (scales["train_end_idx"], scales["val_start_idx"], scales["target_start_idx"]) == (6912, 6400, 512)
    assert (scales["train_end"], scales["n_buckets"], scales["freq_min"]) == ("2023-12-25T00:00:00", 8928, 5)
    assert scales["rows"] == {**asdict(month.rows), "mapped": month.rows.mapped}
    assert list(scales["series"]) == [line["id"] for line in full]


def test_a_line_tells_its_own_mean_start_and_step(month, tmp_path):
    scales = write_and_read(month, tmp_path)
    for name, start in (
        ("full", "2023-12-01T00:00:00"),
        ("train", "2023-12-01T00:00:00"),
        ("val", "2023-12-23T05:20:00"),
    ):
        line = lines_of(tmp_path / f"{name}.jsonl")[31]
        sequence = np.array(line["sequence"], dtype=float)
        mean = sum(line["sequence"]) / len(sequence)
        std = (sum((value - mean) ** 2 for value in line["sequence"]) / len(sequence)) ** 0.5
        assert line["id"] == "CP016#fx=2"
        assert (line["start"], line["freq"]) == (start, "5min")
        assert line["meta"]["mean"] == pytest.approx(mean)
        assert line["meta"]["std"] == pytest.approx(std)
        assert (line["meta"]["start"], line["meta"]["freq_min"]) == (start, 5)
        assert line["meta"].get("target_start_idx") == (512 if name == "val" else None)
        assert scales["series"]["CP016#fx=2"][name] == {key: line["meta"][key] for key in ("mean", "std")}


def test_the_readers_take_what_is_written(month, tmp_path):
    write_counts(month, tmp_path)
    panel = read_panel(tmp_path / "full.jsonl")
    assert panel.ids == month.ids
    assert panel.freq == "5min"
    assert set(panel.starts) == {"2023-12-01T00:00:00"}
    assert np.array_equal(np.stack([panel.series(i) for i in range(38)]), month.values)
    assert set(read_panel(tmp_path / "val.jsonl").starts) == {"2023-12-23T05:20:00"}


def test_another_split_and_context_can_be_asked_for(write, tmp_path):
    counts = count(write(FIVE))
    scales = write_and_read(counts, tmp_path, train_end="2023-12-02", val_context=1000)
    assert (scales["train_end_idx"], scales["val_start_idx"], scales["target_start_idx"]) == (288, 0, 288)
    assert len(lines_of(tmp_path / "val.jsonl")[0]["sequence"]) == 8928
    scales = write_and_read(counts, tmp_path, val_context=0)
    assert (scales["val_start_idx"], scales["target_start_idx"]) == (6912, 0)


@pytest.mark.parametrize(
    ("start", "end", "train_end"),
    [
        ("2023-12-01", "2023-12-11", "2023-12-09T00:00:00"),  # 80 % of ten days
        ("2023-12-01", "2023-12-08", "2023-12-06T00:00:00"),  # 5.6 days
        ("2023-12-01T12:00", "2023-12-08", "2023-12-06T00:00:00"),  # 5.2 of 6.5 days after noon: the 6th, 16:48
        ("2023-12-01", "2023-12-02", "2023-12-01T19:10:00"),  # no midnight inside: 230 of 288 buckets
        ("2023-12-01", "2023-12-01T00:10", "2023-12-01T00:05:00"),
    ],
)
def test_other_periods_train_on_four_fifths(write, tmp_path, start, end, train_end):
    counts = count(
        write("A,1,2023-12-01 00:00:00,x\nA,1,2023-12-01 23:00:00,x\nA,1,2023-12-05 00:00:00,x\n"), start=start, end=end
    )
    assert write_counts(counts, tmp_path).train_end == train_end


def test_february_is_split_at_its_25th(write, tmp_path):
    assert write_counts(count(write("A,1,2024-02-29 12:00:00,x\n")), tmp_path).train_end == "2024-02-25T00:00:00"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"train_end": "2023-12-01"}, "after 2023-12-01T00:00:00 and before 2024-01-01T00:00:00"),
        ({"train_end": "2024-01-01"}, "--train-end must be after"),
        ({"train_end": "2023-12-25T00:01"}, "--train-end must begin a bucket"),
        ({"train_end": "Christmas"}, "--train-end must be a date or time"),
        ({"val_context": -1}, "--val-context must be 0 or more"),
    ],
)
def test_a_split_that_does_not_fit_is_refused_and_nothing_written(write, tmp_path, options, told):
    with pytest.raises(UserError, match=told):
        write_counts(count(write(FIVE)), tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_one_bucket_cannot_be_split(write, tmp_path):
    counts = count(write(FIVE), start="2023-12-01", end="2023-12-01T00:05")
    with pytest.raises(UserError, match="two buckets"):
        write_counts(counts, tmp_path)


def test_scales_are_the_last_file_and_old_ones_do_not_outlive_their_series(month, tmp_path, monkeypatch):
    write_counts(month, tmp_path)

    def full_disk(path, text):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("data.passages.write.replace_text", full_disk)
    with pytest.raises(DataError, match="No space left"):
        write_counts(month, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["full.jsonl", "train.jsonl", "val.jsonl"]


def test_progress_is_reported_by_file(sample):
    told = {}
    count_passages(sample.files, PassageFormat(), progress=told.__setitem__)
    assert told == {path: path.stat().st_size for path in sample.files}
