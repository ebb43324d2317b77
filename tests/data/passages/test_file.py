"""How a file of passages may look, and what is rejected."""

from __future__ import annotations

import gzip

import pytest

from data.errors import DataError, UserError
from data.passages import PassageFormat, Tally, find_csv_files
from data.passages import file as passages_file
from tests.data.passages.records import FIVE, HEADER, count, filled, rejection

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


# What is rejected


def test_a_missing_column_is_refused_with_those_there_and_the_near_one(write):
    message = rejection(write("x", header="XH,kkmc,FXLX,GCSJ\n"))
    assert "needs the columns KKMC, FXLX, GCSJ, and 'KKMC' is missing from XH, kkmc, FXLX, GCSJ" in message
    assert "did you mean 'kkmc'?, or name the column with --site-column" in message
    assert "did you mean 'GCSJ1'" in rejection(write("x", header="KKMC,FXLX,GCSJ1\n"))


def test_all_files_that_cannot_be_read_are_reported_at_once(write, tmp_path):
    message = rejection(
        write("x", header="a,b\n"), write("", "b.csv", header=""), tmp_path / "no.csv", write(FIVE, "c.csv")
    )
    assert len(message.splitlines()) == 3
    assert "a.csv" in message
    assert "b.csv: a passages file needs a line of column names, and is empty" in message
    assert "no.csv: the file cannot be opened" in message


def test_other_files_that_are_no_passages_are_rejected(write, tmp_path):
    assert "is there twice" in rejection(write("x", header="KKMC,KKMC,FXLX,GCSJ\n"))
    assert "UTF-16" in rejection(write(FIVE, encoding="utf-16"))
    broken = tmp_path / "broken.csv.gz"
    broken.write_bytes(gzip.compress((HEADER + FIVE).encode())[:-20])
    assert "broken.csv.gz" in rejection(broken)
    assert "at least one file" in rejection()


def test_a_column_that_names_no_sites_is_rejected(write, monkeypatch):
    monkeypatch.setattr(passages_file, "MAX_SITES", 100)
    rows = "".join(f"plate {i},1,2023-12-01 00:00:00,x\n" for i in range(200))
    assert "choose another with --site-column" in rejection(write(rows))


def test_days_without_end_are_rejected(write, monkeypatch):
    monkeypatch.setattr(passages_file, "MAX_DAYS", 20)
    rows = "".join(f"A,1,{1990 + i}-01-01 00:00:00,x\n" for i in range(25))
    assert "choose the period with --start and --end" in rejection(write(rows))


def test_formats_that_cannot_be_are_rejected():
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
