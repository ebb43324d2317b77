"""Excel, .tsf, packed files and lists in parquet; and the limits on what a small file may become."""

import gzip
import io
import json
import tracemalloc
import zipfile

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data.readers.panel_reader import read_panel
from tests.data.readers.series_files import WIDE, rejection, series_of

GIBIBYTE = 1 << 30


@pytest.fixture
def sheet(tmp_path):
    """A workbook of two sheets whose first holds three hourly rows, written as XML by hand: no writer is needed."""

    def row(number, cells):
        return f'<row r="{number}">{"".join(cells)}</row>'

    def text(value):
        return f'<c t="inlineStr"><is><t>{value}</t></is></c>'

    def sheet_xml(rows):
        ns = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
        return f'<worksheet xmlns="{ns}"><sheetData>{"".join(rows)}</sheetData></worksheet>'

    rows = [row(1, [text("time"), text("y")])]
    rows += [row(2 + i, [text(f"2024-01-01 0{i}:00"), f"<c><v>{i}.5</v></c>"]) for i in range(3)]
    rel = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types"><Default Extension="rels" ContentType='
        f'"application/vnd.openxmlformats-package.relationships+xml"/><Override PartName="/xl/workbook.xml" '
        f'ContentType="{kind}.sheet.main+xml"/><Override PartName="/xl/worksheets/sheet1.xml" ContentType='
        f'"{kind}.worksheet+xml"/><Override PartName="/xl/worksheets/sheet2.xml" ContentType="{kind}.worksheet+xml"/>'
        "</Types>",
        "_rels/.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" Type="{rel}/'
        'officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{rel}"><sheets><sheet name="meter" sheetId="1" '
        'r:id="r1"/><sheet name="notes" sheetId="2" r:id="r2"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" Type='
        f'"{rel}/worksheet" Target="worksheets/sheet1.xml"/><Relationship Id="r2" Type="{rel}/worksheet" Target='
        '"worksheets/sheet2.xml"/></Relationships>',
        "xl/worksheets/sheet1.xml": sheet_xml(rows),
        "xl/worksheets/sheet2.xml": sheet_xml([]),
    }
    path = tmp_path / "meter.xlsx"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return path


def test_the_first_sheet_of_a_workbook_is_read(sheet):
    panel = read_panel(sheet)
    assert (panel.freq, panel.starts[0], series_of(panel)) == ("h", "2024-01-01T00:00:00", {"y": [0.5, 1.5, 2.5]})
    assert "sheet 'meter' read, of 2" in panel.notes


def test_a_tsf_file_is_read(write):
    text = (
        "@relation shop\n@attribute series_name string\n@attribute start_timestamp date\n@frequency monthly\n"
        "@horizon 2\n@missing true\n@equallength false\n@data\n"
        "T1:2000-03-01 00-00-00:1.0,2.0,?,4.0\nT2:2001-01-01 00-00-00:7.5,8.5,9.5\n"
    )
    panel = read_panel(write(text, "shop.tsf"))
    assert panel.ids == ("T1", "T2")
    assert panel.freq in ("MS", "ME")
    np.testing.assert_array_equal(panel.in_units(0), [1, 2, np.nan, 4])
    assert panel.in_units(1).tolist() == [7.5, 8.5, 9.5]
    assert [start[:7] for start in panel.starts] == ["2000-03", "2001-01"]


@pytest.mark.parametrize("name", ["a.xlsx", "a.tsf", "a.parquet", "a.csv.gz", "a.csv.zip", "a.jsonl.gz"])
def test_a_file_that_is_not_what_its_name_says_is_one_message(write, name):
    assert len(rejection(write("what is this?\n", name)).splitlines()) == 1


def test_lists_of_values_in_parquet_are_series(tmp_path):
    path = tmp_path / "lists.parquet"
    starts = [pd.Timestamp("2024-01-01"), pd.Timestamp("2024-02-01")]
    frame = pd.DataFrame({"item_id": ["a", "b"], "start": starts, "freq": ["h", "h"], "target": [[0, 1, 2], [5, 6]]})
    frame.to_parquet(path)
    panel = read_panel(path)
    assert (series_of(panel), panel.freq) == ({"a": [0, 1, 2], "b": [5, 6]}, "h")
    assert panel.starts == ("2024-01-01T00:00:00", "2024-02-01T00:00:00")


@pytest.mark.parametrize("column", [pd.date_range("2020", periods=3), pd.to_timedelta([1, 2, 3], unit="h")])
def test_times_and_durations_are_no_series(tmp_path, column):
    path = tmp_path / "times.parquet"
    frame = pd.DataFrame({"time": pd.date_range("2024-01-01", periods=3, freq="h"), "a": column, "b": [1, 2, 3]})
    frame.to_parquet(path)
    panel = read_panel(path)
    assert series_of(panel) == {"b": [1, 2, 3]}
    assert "'a'" in panel.notes[0]


@pytest.mark.parametrize(
    ("pack", "name"), [(gzip.compress, "f.csv.gz"), (lambda raw: _zipped(raw), "f.csv.zip")], ids=["gzip", "zip"]
)
def test_a_packed_file_is_read(tmp_path, pack, name):
    path = tmp_path / name
    path.write_bytes(pack(WIDE.encode()))
    assert series_of(read_panel(path)) == {"a": [1, 2, 3], "b": [10, 20, 30]}


def _zipped(raw):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("f.csv", raw)
    return buffer.getvalue()


@pytest.fixture
def memory():
    """Peak bytes that Python has asked for since the test began."""
    tracemalloc.start()
    yield lambda: tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()


def test_a_packed_file_that_grows_without_measure_is_stopped(tmp_path, memory):
    path = tmp_path / "bomb.csv.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(b"time,y\n")
        for _ in range(GIBIBYTE >> 24):
            file.write(bytes(1 << 24))
    assert path.stat().st_size < GIBIBYTE >> 7
    tracemalloc.reset_peak()
    assert "times its size" in rejection(path)
    assert memory() < GIBIBYTE >> 2


def test_a_parquet_file_that_grows_without_measure_is_rejected(tmp_path):
    path = tmp_path / "bomb.parquet"
    pq.write_table(pa.table({"y": pa.array(np.zeros(50_000_000))}), path, compression="zstd")
    assert path.stat().st_size < 1 << 20
    assert "must not hold 50,000,000 rows" in rejection(path)


@pytest.mark.parametrize(
    "line",
    [
        "[" * 100_000,
        json.dumps({"target": [1, 2]})[:-1] + ', "x": ' + "[" * 100_000 + "]" * 100_000 + "}",
        '{"target": [1' + "0" * 5000 + ", 2]}",
        '{"target": [1, 2], "start": "0001-01-01", "freq": "h"}',
        '{"target": [1, 2], "start": "2024-01-01", "freq": "0h"}',
        '{"target": [1, 2], "start": "2024-01-01", "freq": "99999999999999999999h"}',
        '{"target": {"a": 1}}',
        "7",
    ],
    ids=["depth", "deep field", "digits", "year 1", "no step", "huge step", "mapping", "number"],
)
def test_an_absurd_line_is_one_message(write, line):
    message = rejection(write(line + "\n", "f.jsonl"))
    assert "line 1" in message
    assert len(message) < 500


@pytest.mark.parametrize(("at", "value", "reason"), [(8, 99, "compression method"), (6, 1, "encrypted")])
def test_a_zip_file_that_python_cannot_unpack_is_named(tmp_path, at, value, reason):
    """The method and the flags of a file are at 8 and 6 of its own header, and at 10 and 8 of the directory's."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", WIDE)
    raw = bytearray(out.getvalue())
    raw[at] = raw[raw.index(b"PK\x01\x02") + at + 2] = value
    path = tmp_path / "a.csv.zip"
    path.write_bytes(raw)
    assert "the file cannot be unpacked" in rejection(path)
    assert reason in rejection(path)
