"""Passages to counts: what is counted, what is dropped and told, what is refused, and the files that come out."""

from __future__ import annotations

import csv
import gzip
import json
from collections import Counter
from dataclasses import asdict
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from data.errors import DataError, UserError
from data.passages import PassageFormat, Tally, count_passages, find_csv_files, read_site_map, write_counts
from data.passages import file as passages_file
from data.passages.cells import DayCells
from data.passages.sample import BAD_ONE_IN, write_sample_passages
from data.passages.times import parse_passage_times
from data.readers import read_panel

HEADER = "KKMC,FXLX,GCSJ,HPHM\n"
FIVE = (
    "东站,1,2023/12/1 0:00:01,a\n"
    "东站,1,2023-12-01 00:04:59,b\n"
    "东站,1,2023-12-01T00:05:00,c\n"
    "东站,2,2023/12/31 23:59:59,d\n"
    "西站,2,2023-12-25 00:00:00,e\n"
)


@pytest.fixture
def write(tmp_path):
    """Write text as a file under a header and return its path."""

    def write_text(text, name="a.csv", header=HEADER, encoding="utf-8"):
        path = tmp_path / name
        path.write_bytes((header + text).encode(encoding))
        return path

    return write_text


def count(*files, bucket="5min", start=None, end=None, **format):
    return count_passages(files, PassageFormat(**format), bucket=bucket, start=start, end=end)


def filled(counts):
    """The buckets that are not 0: {(id, time): passages}."""
    return {
        (counts.ids[series], counts.time_of(bucket).isoformat()): int(counts.values[series, bucket])
        for series, bucket in np.argwhere(counts.values).tolist()
    }


def refusal(*files, **options):
    with pytest.raises(UserError) as error:
        count(*files, **options)
    return str(error.value)


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    """A small generated month."""
    return write_sample_passages(tmp_path_factory.mktemp("sample"), rows=30_000, n_files=8)


@pytest.fixture(scope="module")
def month(sample):
    """Its counts."""
    return count(*sample.files, sites=read_site_map(sample.site_map))


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
    with pytest.raises(UserError, match="2,000 rows"):
        write_sample_passages(tmp_path / "few", rows=10)


# How files may look


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "gb18030"])
def test_any_encoding_counts_the_same(write, encoding):
    assert filled(count(write(FIVE, encoding=encoding))) == filled(count(write(FIVE, "b.csv")))


def test_files_of_different_encodings_name_one_site(write):
    counts = count(
        write("东站,1,2023-12-01 00:00:00,a\n"), write("东站,1,2023-12-01 00:00:00,b\n", "b.csv", encoding="gbk")
    )
    assert filled(counts) == {("东站#fx=1", "2023-12-01T00:00:00"): 2}


@pytest.mark.parametrize(
    ("header", "rows"),
    [
        pytest.param("KKMC,FXLX,GCSJ\r\n", "A,1,2023-12-01 00:00:00\r\nA,1,2023-12-01 00:00:01\r\n", id="CRLF"),
        pytest.param("KKMC,FXLX,GCSJ\n", "A,1,2023-12-01 00:00:00\n\n\nA,1,2023-12-01 00:00:01\n\n", id="blank lines"),
        pytest.param("\n\nKKMC,FXLX,GCSJ\n", "A,1,2023-12-01 00:00:00\nA,1,2023-12-01 00:00:01", id="no last line end"),
        pytest.param(
            "KKMC,FXLX,GCSJ\n", "A,1,2023-12-01 00:00:00,\nA,1,2023-12-01 00:00:01,\n", id="separator at rows"
        ),
        pytest.param(
            "KKMC,FXLX,GCSJ,\n", "A,1,2023-12-01 00:00:00\nA,1,2023-12-01 00:00:01\n", id="separator at header"
        ),
        pytest.param(
            "KKMC,FXLX,GCSJ,\n", "A,1,2023-12-01 00:00:00,\nA,1,2023-12-01 00:00:01,\n", id="separator at both"
        ),
        pytest.param("KKMC;FXLX;GCSJ\n", "A;1;2023-12-01 00:00:00\nA;1;2023-12-01 00:00:01\n", id="semicolons"),
        pytest.param("GCSJ\tKKMC\tFXLX\n", "2023-12-01 00:00:00\tA\t1\n2023-12-01 00:00:01\tA\t1\n", id="tabs"),
        pytest.param(
            "BZ,KKMC,FXLX,GCSJ\n",
            '"rain, fog","A","1","2023-12-01 00:00:00"\n"say ""so""",A,1,2023-12-01 00:00:01\n',
            id="quoted commas and quotes",
        ),
        pytest.param(
            '"BZ","KKMC","FXLX","GCSJ"\n',
            '"two\nlines",A,1,2023-12-01 00:00:00\nx,A,1,2023-12-01 00:00:01\n',
            id="quoted line break",
        ),
        pytest.param(
            " KKMC ,FXLX, GCSJ\n", " A ,1.0, 2023-12-01 00:00:00\n\u3000A,01,\t2023-12-01 00:00:01 \n", id="blanks"
        ),
    ],
)
def test_two_rows_are_two_passages(write, header, rows):
    counts = count(write(rows, header=header))
    assert filled(counts) == {("A#fx=1", "2023-12-01T00:00:00"): 2}
    assert counts.rows == Tally(read=2, used=2)
    assert len(counts.warnings) == ("two\nlines" in rows)


def test_quoted_line_breaks_may_lie_between_blocks(write, monkeypatch):
    monkeypatch.setattr(passages_file, "BLOCK_BYTES", 64)
    rows = '"two\nlines",A,1,2023-12-01 00:00:00\n' * 50
    assert count(write(rows, header="BZ,KKMC,FXLX,GCSJ\n")).rows == Tally(read=50, used=50)


def test_a_packed_file_counts_the_same(write, tmp_path):
    packed = tmp_path / "packed.csv.gz"
    packed.write_bytes(gzip.compress((HEADER + FIVE).encode()))
    assert filled(count(packed)) == filled(count(write(FIVE)))


def test_a_header_alone_is_warned_of(write):
    counts = count(write(FIVE), write("", "b.csv", header=HEADER.strip()))
    assert counts.warnings == ("b.csv has no rows",)


def test_other_columns_can_be_named(write):
    path = write("A,1,2023-12-01 00:00:00\n", header="site,way,time\n")
    counts = count(path, site_column="site", direction_column="way", time_column="time")
    assert counts.rows.used == 1


# Times

ISO_TIMES = [
    "2023-12-01 06:49:01",
    "2023-12-01T06:49:01",
    "2023-12-01T06:49",
    "2023-12-01 06:49:01.5",
    "2023-12-01 06:49:01.123456",
    "1999-12-31 23:59:59",
    "2024-02-29 00:00:00",
    "2023-02-29 00:00:00",
    "2023-02-30 00:00:00",
    "2023-04-31 00:00:00",
    "1900-02-29 00:00:00",
    "2000-02-29 00:00:00",
    "2100-02-29 00:00:00",
    "2023-13-01 00:00:00",
    "2023-00-01 00:00:00",
    "2023-12-00 00:00:00",
    "2023-12-01 24:00:01",
    "2023-12-01 23:60:00",
    "2023-12-01 23:59:60",
    "12023-12-01 00:00:00",
    "2023-12-01 00:00:000",
    "2023-12-01 06:49:01 x",
    "2023-12-01 06:49:",
    "2023-12-01 06:",
    "2023-1a-01 00:00:00",
    "",
    "NULL",
]


def parsed(texts):
    times = parse_passage_times(pa.array([text.encode() for text in texts], pa.binary()))
    moments = [
        datetime(1970, 1, 1) + timedelta(days=d, seconds=s)
        for d, s in zip(times.day.tolist(), times.second.tolist(), strict=True)
    ]
    return [moment if valid else None for moment, valid in zip(moments, times.valid.tolist(), strict=True)]


@pytest.mark.parametrize("repeats", [1, 3])
def test_iso_times_are_read_as_pandas_reads_them(repeats):
    texts = ISO_TIMES * repeats
    expected = pd.to_datetime(pd.Series(texts), format="ISO8601", errors="coerce").dt.floor("s")
    assert parsed(texts) == [None if pd.isna(time) else time.to_pydatetime() for time in expected]


def test_random_times_without_leading_zeros_are_read():
    rng = np.random.default_rng(5)
    times = [datetime(1990, 1, 1) + timedelta(seconds=int(s)) for s in rng.integers(0, 40 * 365 * 86_400, size=5_000)]
    slashes = [f"{t.year}/{t.month}/{t.day} {t.hour}:{t:%M:%S}" for t in times]
    mixed = [f"{t.year}-{t.month}-{t.day:02d}T{t.hour}:{t.minute}:{t.second}" for t in times]
    assert parsed(slashes) == times
    assert parsed(mixed) == times
    assert parsed([text for pair in zip(slashes, mixed, strict=True) for text in pair]) == [
        t for t in times for _ in "ab"
    ]


@pytest.mark.parametrize(
    "text",
    [
        "2023-12-01",
        "2023-12-01 ",
        "20231201064901",
        "1-12-2023 06:49:01",
        ":12",
        "2023-12-01 06:49:01.",
        "1899-12-31 00:00:00",
        "2200-01-01 00:00:00",
        "2023-12-01 06:49:01+8",
    ],
)
def test_what_is_no_time_of_a_day_is_refused(text):
    sure = "2023-12-01 00:00:00"
    assert parsed([sure, text, sure]) == [datetime(2023, 12, 1), None, datetime(2023, 12, 1)]


def test_a_time_that_stops_early_does_not_go_on_in_the_next_row():
    assert parsed(["2023-12-01 06:49:0", "1", "2023-12-01 06:4", "9:01", "2023-12-01 06:49", ":12"]) == [
        datetime(2023, 12, 1, 6, 49),
        None,
        datetime(2023, 12, 1, 6, 4),
        None,
        datetime(2023, 12, 1, 6, 49),
        None,
    ]


def test_zones_are_cut_off_and_told(write):
    times = ["2023-12-01T06:49:01Z", "2023-12-01T06:49:01+08:00", "2023-12-01T06:49:01.25+0800", "2023-12-01T06:49 "]
    counts = count(write("".join(f"A,1,{time},x\n" for time in times)))
    assert filled(counts) == {("A#fx=1", "2023-12-01T06:45:00"): 4}
    assert any(note.startswith("3 rows with a zone") for note in counts.notes)


def test_no_times_are_no_times():
    assert parsed([]) == []
    assert parsed(["", ""]) == [None, None]


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
    assert "line 12 is the first with an odd number" in refusal(write(rows * 10 + '"' + rows * 100))


def test_unwanted_directions_are_dropped(write):
    counts = count(write(FIVE), directions=(2,))
    assert counts.ids == ("东站#fx=2", "西站#fx=2")
    assert counts.rows == Tally(read=5, bad_direction=3, used=2)


def test_nothing_usable_is_refused_with_the_reasons(write):
    message = refusal(write("A,9,2023-12-01 00:00:00,x\nA,1,never,x\n"))
    assert message.startswith("at least one row must be usable, and of 2 none is: 1 bad direction, 1 bad time")
    assert "'never'" in message
    assert "none of the 1 files has one" in refusal(write("", "b.csv"))


def test_a_file_that_gives_nothing_is_warned_of(write):
    counts = count(write(FIVE), write("东站,9,2023-12-01 00:00:00,x\n", "b.csv"))
    assert counts.warnings == ("b.csv gave no passage: of its 1 row none is usable",)


# Sites


def test_several_names_may_be_one_site_and_a_silent_site_is_zeros(write):
    sites = {"东站": "CP010", "西站": "CP010", "南站": "CP002"}
    counts = count(write(FIVE), sites=sites)
    assert counts.ids == ("CP002#fx=1", "CP002#fx=2", "CP010#fx=1", "CP010#fx=2")
    assert counts.values.sum(axis=1).tolist() == [0, 0, 3, 2]
    assert counts.notes == ("2 series without a passage, all 0: 'CP002#fx=1', 'CP002#fx=2'",)


def test_sites_are_sorted_by_the_numbers_in_their_names(write):
    rows = "".join(f"{site},1,2023-12-01 00:00:00,x\n" for site in ("K10", "K9", "A", "K9b", "3", "20"))
    counts = count(write(rows), directions=(1,))
    assert counts.ids == tuple(f"{site}#fx=1" for site in ("A", "K9", "K9b", "K10", "3", "20"))


def test_site_maps_are_csv_or_json_either_way_round(tmp_path):
    expected = {"东站": "CP001", "东 站": "CP001", "西站": "CP002"}
    texts = {
        "a.csv": "name,id\n东站,CP001\n东 站 ,CP001\n\n西站, CP002\n",
        "b.csv": "id,remark,name\nCP001,,东站\nCP001,,东 站\nCP002,x,西站\n",
        "c.json": json.dumps(expected),
        "d.json": json.dumps({"CP001": ["东站", "东 站"], "CP002": ["西站"]}, ensure_ascii=False),
    }
    for name, text in texts.items():
        for encoding in ("utf-8-sig", "gbk"):
            (tmp_path / name).write_text(text, encoding=encoding)
            assert read_site_map(tmp_path / name) == expected


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        (
            "a.csv",
            "name,id\nA,1\nA,2\n,3\nB,\n",
            ["line 3: each name must have one id, got 'A' as 1 and 2", "line 4", "line 5"],
        ),
        ("a.csv", "name,ids\nA,1\n", ["needs the columns name and id, got name, ids", "did you mean 'ids'"]),
        ("a.csv", "A,1\nB,2\n", ["write 'name,id' as its first line"]),
        ("a.csv", "", ["needs the columns name and id"]),
        ("a.csv", "name,id\n", ["at least one name"]),
        ("a.json", "{", ["line 1: not JSON"]),
        ("a.json", "[1]", ["must be an object"]),
        ("a.json", '{"A": 3}', ["'A' must have an id, or be an id with a list of names, got 3"]),
        ("a.txt", "", ["must be a .csv or .json file, got '.txt'"]),
    ],
)
def test_a_site_map_with_mistakes_is_refused_with_all_of_them(tmp_path, name, text, told):
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(DataError) as error:
        read_site_map(tmp_path / name)
    assert str(tmp_path / name) in str(error.value)
    for part in told:
        assert part in str(error.value)


def test_a_missing_site_map_is_refused(tmp_path):
    with pytest.raises(DataError, match="--sites must name a site map"):
        read_site_map(tmp_path / "no.csv")


# Buckets and period


def test_buckets_may_be_longer(write):
    counts = count(write(FIVE), bucket="15min")
    assert counts.values.shape == (4, 31 * 96)
    assert filled(counts)["东站#fx=1", "2023-12-01T00:00:00"] == 3
    assert count(write(FIVE), bucket="1h").freq == "h"
    assert count(write(FIVE), bucket="1D").values.shape == (4, 31)


@pytest.mark.parametrize("bucket", ["7min", "30s", "90s", "2D", "0min", "-5min", "often", "NaT", "7h"])
def test_a_bucket_must_divide_a_day(write, bucket):
    assert refusal(write(FIVE), bucket=bucket).startswith("--bucket must be whole minutes that divide a day, got")


def test_a_period_can_be_given_to_the_bucket(write):
    rows = "".join(f"A,1,2023-12-01 {time},x\n" for time in ("05:59:59", "06:00:00", "06:09:59", "06:10:00"))
    counts = count(write(rows), start="2023-12-01T06:00", end="2023-12-01 06:10")
    assert counts.values.tolist() == [[1, 1], [0, 0]]
    assert counts.rows == Tally(read=4, outside_period=2, used=2)
    assert (counts.start, counts.end) == ("2023-12-01T06:00:00", "2023-12-01T06:10:00")
    assert counts.files[0].rows == counts.rows


def test_a_period_may_span_months_and_days_without_a_row(write):
    counts = count(write(FIVE), start="2023-11-15", end="2024-02-01")
    assert counts.n_buckets == (16 + 31 + 31) * 288
    assert counts.values.sum() == 5


@pytest.mark.parametrize(
    ("period", "told"),
    [
        ({"start": "2023-12-01"}, "must come together"),
        ({"start": "2023-12-02", "end": "2023-12-02"}, "--start must be before --end"),
        ({"start": "2023-12-01T00:03", "end": "2023-12-02"}, "--start must begin a bucket of 5 minutes"),
        ({"start": "2023-12-01", "end": "soon"}, "--end must be a date or time, got 'soon'"),
        ({"start": "2023-12-01T00:00Z", "end": "2023-12-02"}, "must have no zone"),
        ({"start": "1990-01-01", "end": "2023-12-02"}, "at most 1000 days apart"),
    ],
)
def test_a_period_that_does_not_fit_is_refused(write, period, told):
    assert told in refusal(write(FIVE), **period)


def test_no_row_in_the_period_is_refused(write):
    assert "none is: 5 outside period" in refusal(write(FIVE), start="2020-01-01", end="2020-01-02")


def test_the_month_is_the_one_with_most_rows(write):
    rows = "A,1,2023-11-30 00:00:00,x\n" + "A,1,2024-02-29 12:00:00,x\n" * 2
    counts = count(write(rows))
    assert (counts.start, counts.end, counts.rows.outside_period) == ("2024-02-01T00:00:00", "2024-03-01T00:00:00", 1)


# The same passages twice


def test_a_file_given_twice_is_refused_under_any_name(write, tmp_path):
    path = write(FIVE)
    assert "is " + str(path) in refusal(path, path)
    assert "a file must be given once" in refusal(path, tmp_path / "." / ".." / tmp_path.name / "a.csv")
    copy = write(FIVE, "b.csv")
    message = refusal(path, copy)
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


# What is refused


def test_a_missing_column_is_refused_with_those_there_and_the_near_one(write):
    message = refusal(write("x", header="XH,kkmc,FXLX,GCSJ\n"))
    assert "needs the columns KKMC, FXLX, GCSJ, and 'KKMC' is missing from XH, kkmc, FXLX, GCSJ" in message
    assert "did you mean 'kkmc'?, or name the column with --site-column" in message
    assert "did you mean 'GCSJ1'" in refusal(write("x", header="KKMC,FXLX,GCSJ1\n"))


def test_all_files_that_cannot_be_read_are_told_at_once(write, tmp_path):
    message = refusal(
        write("x", header="a,b\n"), write("", "b.csv", header=""), tmp_path / "no.csv", write(FIVE, "c.csv")
    )
    assert len(message.splitlines()) == 3
    assert "a.csv" in message
    assert "b.csv: a passages file needs a line of column names, and is empty" in message
    assert "no.csv: the file cannot be opened" in message


def test_other_files_that_are_no_passages_are_refused(write, tmp_path):
    assert "is there twice" in refusal(write("x", header="KKMC,KKMC,FXLX,GCSJ\n"))
    assert "UTF-16" in refusal(write(FIVE, encoding="utf-16"))
    broken = tmp_path / "broken.csv.gz"
    broken.write_bytes(gzip.compress((HEADER + FIVE).encode())[:-20])
    assert "broken.csv.gz" in refusal(broken)
    assert "at least one file" in refusal()


def test_a_column_that_names_no_sites_is_refused(write, monkeypatch):
    monkeypatch.setattr(passages_file, "MAX_SITES", 100)
    rows = "".join(f"plate {i},1,2023-12-01 00:00:00,x\n" for i in range(200))
    assert "choose another with --site-column" in refusal(write(rows))


def test_days_without_end_are_refused(write, monkeypatch):
    monkeypatch.setattr(passages_file, "MAX_DAYS", 20)
    rows = "".join(f"A,1,{1990 + i}-01-01 00:00:00,x\n" for i in range(25))
    assert "choose the period with --start and --end" in refusal(write(rows))


def test_formats_that_cannot_be_are_refused():
    with pytest.raises(UserError, match="must be three columns"):
        PassageFormat(site_column="GCSJ")
    with pytest.raises(UserError, match="each wanted one once"):
        PassageFormat(directions=(1, 1))
    with pytest.raises(UserError, match="each wanted one once"):
        PassageFormat(directions=())


def test_a_folder_gives_its_csv_files_in_order(write, tmp_path):
    names = ["b.csv", "a.CSV", "c.csv.gz", "notes.txt", ".hidden.csv"]
    for name in names:
        write(FIVE, name)
    assert [path.name for path in find_csv_files(tmp_path)] == ["a.CSV", "b.csv", "c.csv.gz"]
    (tmp_path / "up" / "2023").mkdir(parents=True)
    write(FIVE, "up/2023/a.csv")
    with pytest.raises(DataError, match=r"has none; it has folders with some: 2023"):
        find_csv_files(tmp_path / "up")
    with pytest.raises(DataError, match="must be a folder of CSV files"):
        find_csv_files(tmp_path / "a.csv")


# What is written


def lines_of(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_a_month_is_split_at_the_25th(month, tmp_path):
    scales = write_counts(month, tmp_path / "out")
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
    assert scales == json.loads((tmp_path / "out" / "scales.json").read_text(encoding="utf-8"))
    assert scales["rows"] == {**asdict(month.rows), "mapped": month.rows.mapped}
    assert list(scales["series"]) == [line["id"] for line in full]


def test_a_line_tells_its_own_mean_start_and_step(month, tmp_path):
    scales = write_counts(month, tmp_path)
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
    scales = write_counts(counts, tmp_path, train_end="2023-12-02", val_context=1000)
    assert (scales["train_end_idx"], scales["val_start_idx"], scales["target_start_idx"]) == (288, 0, 288)
    assert len(lines_of(tmp_path / "val.jsonl")[0]["sequence"]) == 8928
    scales = write_counts(counts, tmp_path, val_context=0)
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
    assert write_counts(counts, tmp_path)["train_end"] == train_end


def test_february_is_split_at_its_25th(write, tmp_path):
    assert write_counts(count(write("A,1,2024-02-29 12:00:00,x\n")), tmp_path)["train_end"] == "2024-02-25T00:00:00"


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


def test_progress_is_told_by_file(sample):
    told = {}
    count_passages(sample.files, PassageFormat(), progress=told.__setitem__)
    assert told == {path: path.stat().st_size for path in sample.files}
