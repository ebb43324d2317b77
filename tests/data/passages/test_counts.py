"""What passages become: each in its bucket, dropped rows told, the same passages noticed twice."""

from __future__ import annotations

import csv
from collections import Counter
from dataclasses import asdict
from datetime import datetime

import numpy as np
import pytest

from data.errors import DataError, UserError
from data.passages import Tally, read_site_map
from data.passages import file as passages_file
from data.passages.cells import DayCells
from data.passages.sample import BAD_ONE_IN, write_sample_passages
from tests.data.passages.records import FIVE, count, filled, rejection

# What is counted


def test_five_rows_by_hand_become_their_buckets(write):
    counts = count(write(FIVE))
    assert counts.ids == ("东站#fx=1", "东站#fx=2", "西站#fx=1", "西站#fx=2")
    assert filled(counts) == {
        ("东站#fx=1", "2023-12-01T00:00:00"): 2,
        ("东站#fx=1", "2023-12-01T00:05:00"): 1,
        ("东站#fx=2", "2023-12-31T23:55:00"): 1,
        ("西站#fx=2", "2023-12-25T00:00:00"): 1,
    }
    assert counts.values.shape == (4, 31 * 288)
    assert (counts.start, counts.end, counts.freq) == ("2023-12-01T00:00:00", "2024-01-01T00:00:00", "5min")
    assert counts.rows == Tally(read=5, used=5)
    assert counts.warnings == ()
    assert counts.notes == ("1 series without a passage, all 0: '西站#fx=1'",)


def row_loop(sample):
    """Count a sample with csv.DictReader, a row at a time."""
    with sample.site_map.open(encoding="utf-8", newline="") as file:
        sites = {row["name"]: row["id"] for row in csv.DictReader(file)}
    rows, cells = Counter(), Counter()
    for path in sample.files:
        text = path.read_bytes()
        try:
            lines = text.decode("utf-8-sig").splitlines()
        except UnicodeDecodeError:
            lines = text.decode("gbk").splitlines()
        for row in csv.DictReader(lines):
            rows["read"] += 1
            if row["KKMC"] not in sites:
                rows["unmapped_site"] += 1
                continue
            if row["FXLX"] not in ("1", "2"):
                rows["bad_direction"] += 1
                continue
            try:
                time = datetime.strptime(row["GCSJ"].replace("/", "-").replace("T", " "), "%Y-%m-%d %H:%M:%S")
            except ValueError:
                rows["bad_time"] += 1
                continue
            if (time.year, time.month) != (2023, 12):
                rows["outside_period"] += 1
                continue
            rows["used"] += 1
            bucket = time.replace(minute=time.minute // 5 * 5, second=0).isoformat()
            cells[f"{sites[row['KKMC']]}#fx={row['FXLX']}", bucket] += 1
    return rows, cells


def test_a_month_is_what_a_row_loop_counts(sample, month):
    rows, cells = row_loop(sample)
    assert filled(month) == cells
    assert asdict(month.rows) == {"malformed": 0, **rows}
    assert month.values.sum() == month.rows.used
    assert month.rows.mapped == rows["read"] - rows["unmapped_site"]


def test_a_month_of_19_sites_is_38_series_of_8928(month):
    assert month.values.shape == (38, 8928)
    assert month.ids[:3] == ("CP001#fx=1", "CP001#fx=2", "CP002#fx=1")
    assert month.ids[-1] == "CP019#fx=2"


def test_the_bad_rows_of_the_sample_are_all_found(sample, month):
    each = 30_000 // BAD_ONE_IN
    assert sample.bad == {"unmapped_site": each, "bad_direction": each, "bad_time": each, "outside_period": each}
    assert month.rows == Tally(read=30_000, used=30_000 - 4 * each, **sample.bad)
    assert sum((file.rows for file in month.files), Tally()) == month.rows
    assert len(month.notes) == 4
    assert month.notes[0] == f"{each} rows dropped, the site empty or not in the site map: '测试卡口' {each}"


def test_a_block_of_a_few_rows_counts_the_same(sample, month, monkeypatch):
    monkeypatch.setattr(passages_file, "BLOCK_BYTES", 4096)
    assert np.array_equal(count(*sample.files, sites=read_site_map(sample.site_map)).values, month.values)


def test_another_order_of_the_files_counts_the_same(sample, month):
    again = count(*reversed(sample.files), sites=read_site_map(sample.site_map))
    assert np.array_equal(again.values, month.values)
    assert again.ids == month.ids


def test_the_sample_has_rush_hours_a_quiet_holiday_and_an_outage(month):
    days = month.values.reshape(19, 2, 31, 24, 12).sum(axis=-1)  # (site, direction, day, hour)
    working = days[:, :, 3:8].sum(axis=(0, 2))  # Monday to Friday
    assert working[0].argmax() == 7
    assert working[1].argmax() == 17
    assert days[:, :, 21].sum() < 0.7 * days[:, :, 20].sum()
    assert days[6, :, 11, 9:16].sum() == 0 < days[6, :, 10, 9:16].sum()


def test_the_sample_is_the_same_for_the_same_seed(tmp_path, sample):
    again = write_sample_passages(tmp_path / "again", rows=30_000, n_files=8)
    assert [path.read_bytes() for path in again.files] == [path.read_bytes() for path in sample.files]
    other = write_sample_passages(tmp_path / "other", rows=30_000, n_files=8, seed=1)
    assert other.files[0].read_bytes() != sample.files[0].read_bytes()


def test_the_sample_is_written_in_several_encodings(sample):
    heads = [path.read_bytes() for path in sample.files[:4]]
    assert heads[0].startswith(b"\xef\xbb\xbfXH,KKMC")
    assert "检查站".encode() in heads[1]
    assert '检查站"'.encode() in heads[2]
    assert "检查站".encode("gbk") in heads[3]


def test_the_sample_refuses_a_folder_with_other_csv_files(tmp_path, sample):
    (tmp_path / "csv").mkdir()
    (tmp_path / "csv" / "old.csv").write_text("x")
    with pytest.raises(DataError, match=r"old\.csv does"):
        write_sample_passages(tmp_path, rows=3_000)
    with pytest.raises(UserError, match="2,000 to"):
        write_sample_passages(tmp_path / "few", rows=10)


# What is dropped and told


def test_every_dropped_row_is_in_one_kind(write):
    rows = (
        "A,1,2023-12-01 00:00:00,x\n"
        "A,1\n"  # malformed
        "A,1,2023-12-01 00:00:00,x,y,z\n"  # malformed
        ",1,2023-12-01 00:00:00,x\n"  # no site
        " ,9,never,x\n"  # no site, whatever else
        "A,3,2023-12-01 00:00:00,x\n"  # direction
        "A,,never,x\n"  # direction, whatever the time
        "A,1,2023-02-30 00:00:00,x\n"  # time
        "A,1,2023-11-30 23:59:59,x\n"  # outside
        "A,1,2024-01-01 00:00:00,x\n"  # outside
        "A,2,2023-12-31 23:59:59,x\n"
    )
    counts = count(write(rows))
    assert counts.rows == Tally(
        read=11, malformed=2, unmapped_site=2, bad_direction=2, bad_time=1, outside_period=2, used=2
    )
    assert counts.rows.mapped == 7
    assert counts.files[0].rows == counts.rows
    assert [note.split(" row")[0] for note in counts.notes] == ["2", "2", "2", "1", "2"]
    assert "'3' 1, '' 1" in counts.notes[2]
    assert "'2023-02-30 00:00:00'" in counts.notes[3]


@pytest.mark.parametrize("late", [False, True])
def test_malformed_rows_of_a_gbk_file_are_counted(write, late, monkeypatch):
    monkeypatch.setattr("data.passages.layout._HEAD_BYTES", 64 if late else 1 << 20)
    plain = "A,1,2023-12-01 00:00:00,x\n" * (10 if late else 0)
    if late:  # pyarrow prints that it cannot decode the row for us
        monkeypatch.setattr("sys.unraisablehook", lambda _: None)
    counts = count(write(plain + "东站,1,2023-12-01 00:00:00,京\n东站,西站,1,2023-12-01 00:00:00,京\n", encoding="gbk"))
    assert counts.rows == Tally(read=len(plain) // 26 + 2, malformed=1, used=len(plain) // 26 + 1)
    assert "东站#fx=1" in counts.ids


def test_lines_that_a_quotation_mark_swallows_are_warned_of(write):
    row = "A,1,2023-12-01 00:00:00,x\n"
    counts = count(write(row + "\n" + row.replace("x", '"x') + row * 3 + row.replace("x", 'x"') + row))
    assert counts.rows == Tally(read=3, used=3)
    assert counts.warnings == (
        "a.csv: lines inside quotation marks that are no rows of their own: 4; line 4 is the first with an odd "
        "number of them: if a mark was left open, correct it",
    )


def test_malformed_rows_count_with_the_lines_they_swallow(write):
    row = "A,1,2023-12-01 00:00:00,x\n"
    counts = count(write(row + '"' + row * 3))
    assert counts.rows == Tally(read=4, malformed=3, used=1)


def test_a_quotation_mark_left_open_for_ever_is_refused_with_its_line(write, monkeypatch):
    monkeypatch.setattr(passages_file, "BLOCK_BYTES", 256)
    rows = "A,1,2023-12-01 00:00:00,x\n"
    assert "line 12 is the first with an odd number" in rejection(write(rows * 10 + '"' + rows * 100))


def test_unwanted_directions_are_dropped(write):
    counts = count(write(FIVE), directions=(2,))
    assert counts.ids == ("东站#fx=2", "西站#fx=2")
    assert counts.rows == Tally(read=5, bad_direction=3, used=2)


def test_nothing_usable_is_refused_with_the_reasons(write):
    message = rejection(write("A,9,2023-12-01 00:00:00,x\nA,1,never,x\n"))
    assert message.startswith("at least one row must be usable, and of 2 none is: 1 bad direction, 1 bad time")
    assert "'never'" in message
    assert "none of the 1 files has one" in rejection(write("", "b.csv"))


def test_a_file_that_gives_nothing_is_warned_of(write):
    counts = count(write(FIVE), write("东站,9,2023-12-01 00:00:00,x\n", "b.csv"))
    assert counts.warnings == ("b.csv gave no passage: of its 1 row none is usable",)


# The same passages twice


def test_a_file_given_twice_is_refused_under_any_name(write, tmp_path):
    path = write(FIVE)
    assert "is " + str(path) in rejection(path, path)
    assert "a file must be given once" in rejection(path, tmp_path / "." / ".." / tmp_path.name / "a.csv")
    copy = write(FIVE, "b.csv")
    message = rejection(path, copy)
    assert message.startswith(str(copy))
    assert f"has the same bytes as {path}" in message


def test_the_same_rows_in_two_files_are_warned_of(write):
    hour = [f"A,1,2023-12-01 07:{minute:02d}:{minute * 7 % 60:02d},x\n" for minute in range(30)]
    other = [f"A,1,2023-12-01 08:{minute:02d}:30,x\n" for minute in range(20)]
    slashes = "".join(reversed(hour)).replace("2023-12-01", "2023/12/1")
    counts = count(
        write("".join(hour)), write("".join(other), "b.csv"), write(slashes + "A,1,2023-12-01 09:00:00,x\n", "c.csv")
    )
    assert len(counts.warnings) == 1
    assert counts.warnings[0].startswith("a.csv and c.csv hold the same 30 rows")
    assert counts.rows.used == 30 + 20 + 31


def test_different_rows_of_one_hour_are_not_warned_of(write):
    rows = [f"A,1,2023-12-01 07:{second // 60:02d}:{second % 60:02d},x\n" for second in range(0, 3000, 3)]
    shifted = [row.replace(":00,", ":01,") for row in rows]
    assert count(write("".join(rows)), write("".join(shifted), "b.csv")).warnings == ()
    other_way = [row.replace("A,1", "A,2") for row in rows]
    assert count(write("".join(rows)), write("".join(other_way), "b.csv")).warnings == ()


def test_the_files_of_a_month_share_no_rows(month):
    assert month.warnings == ()


def test_few_equal_rows_may_be_chance(write):
    rows = "A,1,2023-12-01 07:00:00,x\n" * 4
    assert count(write(rows), write(rows + "\n", "b.csv")).warnings == ()


def test_cells_are_the_same_by_dense_and_by_sorted_sums(monkeypatch):
    rng = np.random.default_rng(1)
    day = rng.integers(19_600, 19_640, size=5_000, dtype=np.int32)
    second, series = rng.integers(0, 86_400, size=5_000, dtype=np.int32), rng.integers(0, 6, size=5_000)
    dense, sparse = DayCells(300), DayCells(300)
    dense.add(series, day, second, n_series=6)
    monkeypatch.setattr("data.passages.cells._DENSE_CELLS", 0)
    for part in np.array_split(np.arange(5_000), 3):
        sparse.add(series[part], day[part], second[part], n_series=6)
    for name in ("counts", "hours", "traces"):
        assert getattr(dense, name).keys() == getattr(sparse, name).keys()
        assert all(np.array_equal(table, getattr(sparse, name)[day]) for day, table in getattr(dense, name).items())
