"""Files of series: odd ones are read with the right values, wrong ones end in one message."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.panel import Panel
from data.read_options import FORMATS, RESAMPLING
from data.readers.panel_reader import read_panel
from tests.fuzz.cases import cases, outcome
from tests.fuzz.hostile import FREQUENCIES, cells, damaged_bytes, damaged_json, damaged_lines
from tests.fuzz.hostile import NAMES as ROLE_NAMES
from tests.fuzz.tables import SeriesFile, json_lines, long_csv, parquet, right_files, wide_csv
from tests.fuzz.workbook import workbook

pytestmark = [pytest.mark.fuzz, pytest.mark.timeout(0)]  # each case has a limit of its own


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("files")


def written(place: Path, name: str, content: bytes) -> Path:
    path = place / name
    path.write_bytes(content)
    return path


def read(path: Path, **options: Any) -> Panel | str:
    """Read a file within limits; a panel that was read is whole."""
    size = sum(file.stat().st_size for file in path.iterdir()) if path.is_dir() else path.stat().st_size
    found = outcome(lambda: read_panel(path, **options), file_bytes=size)
    if isinstance(found, Panel):
        assert len(found) > 0
        assert not np.isinf(found.values).any()
        assert all(len(note) < 9000 for note in found.notes), found.notes
    return found


def assert_holds(panel: Panel | str, file: SeriesFile) -> None:
    """Compare what was read with what was written, number for number."""
    assert isinstance(panel, Panel), panel
    expected = file.series
    assert panel.ids == expected.ids
    for i in range(len(panel)):
        values = expected.values[i]
        rounding = 1e-6 * np.nanstd(values.astype(np.longdouble))  # what centering allows
        np.testing.assert_allclose(panel.in_units(i), values, rtol=1e-7, atol=float(rounding))
    times = expected.times if expected.times.tz is None else expected.times.tz_convert("UTC").tz_localize(None)
    assert set(panel.starts) == {times[0].isoformat()}
    assert panel.freq is not None
    again = pd.date_range(times[0], periods=len(times), freq=panel.freq)
    assert again.tolist() == times.tolist()


@cases(150)
@given(file=right_files())
def test_a_file_that_is_odd_but_right_is_read_as_it_was_written(place: Path, file: SeriesFile) -> None:
    assert_holds(read(written(place, file.name, file.content), **file.options), file)


@cases(120)
@given(data=st.data())
def test_a_file_with_damaged_bytes_is_read_or_named(place: Path, data: st.DataObject) -> None:
    file = data.draw(right_files())
    read(written(place, file.name, data.draw(damaged_bytes(file.content))), **file.options)


@st.composite
def damaged_csv(draw: st.DrawFn) -> bytes:
    """Draw a table whose cells, columns and lines are not what they should be."""
    file = draw((wide_csv() | long_csv()).filter(lambda file: file.name.endswith(".csv")))
    raw = file.content
    text = raw.decode("utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    rows = [line.split(",") for line in text.splitlines()]
    for _ in range(draw(st.integers(0, 4))):
        row = draw(st.sampled_from(rows))
        at = draw(st.integers(0, len(row) - 1))
        row[at] = draw(cells())
    if draw(st.booleans()):
        rows[0][draw(st.integers(0, len(rows[0]) - 1))] = draw(st.sampled_from(ROLE_NAMES) | cells())
    for _ in range(draw(st.integers(0, 1))):
        at = draw(st.integers(0, len(rows[0]) - 1))
        filling = draw(st.none() | cells())
        for row in rows:
            row.insert(at, row[min(at, len(row) - 1)] if filling is None else filling)
    text = "\n".join(",".join(row) for row in rows)
    if draw(st.booleans()):
        text = draw(damaged_lines(text))
    return text.encode(draw(st.sampled_from(("utf-8", "utf-8", "utf-16", "utf-16-be", "gb18030"))), "surrogatepass")


@st.composite
def reading(draw: st.DrawFn) -> dict[str, Any]:
    """Draw what a user may say of how a file is to be read."""
    name = st.sampled_from(ROLE_NAMES) | cells()
    known: dict[str, st.SearchStrategy[Any]] = {
        "format": st.sampled_from(FORMATS),
        "columns": st.lists(name, max_size=2).map(tuple),
        "time_column": name,
        "id_columns": st.lists(name, max_size=2).map(tuple),
        "date_format": st.sampled_from(("%Y-%m-%d %H:%M:%S", "%d/%m/%y", "%", "%%", "%Q", "%Y%Y", "%s")) | cells(),
        "timezone": st.sampled_from(("Europe/Berlin", "UTC", "America/New_York", "../x", "/etc/passwd", "Factory")),
        "freq": st.sampled_from(FREQUENCIES),
        "decimal": st.sampled_from((".", ",", ";")),
        "encoding": st.sampled_from(
            ("utf-8", "utf-16", "utf-32", "latin-1", "cp037", "idna", "rot13", "base64", "utf-7")
        ),
        "na": st.lists(cells(), max_size=3).map(tuple),
        "clean": st.just(True),
    }
    chosen = draw(st.sets(st.sampled_from(sorted(known)), max_size=3))
    options = {key: draw(known[key]) for key in sorted(chosen)}
    if "freq" in options and draw(st.booleans()):
        options["resample"] = draw(st.sampled_from(RESAMPLING))
    return options


@cases(130)
@given(content=damaged_csv(), options=reading() | st.just({}))
def test_a_table_of_wrong_cells_is_read_or_named(place: Path, content: bytes, options: dict[str, Any]) -> None:
    read(written(place, "table.csv", content), **options)


@cases(50)
@given(file=right_files(), options=reading())
def test_a_right_file_under_any_options_is_read_or_named(
    place: Path, file: SeriesFile, options: dict[str, Any]
) -> None:
    read(written(place, file.name, file.content), **options)


@cases(60)
@given(data=st.data())
def test_json_lines_of_wrong_values_are_read_or_named(place: Path, data: st.DataObject) -> None:
    file = data.draw(json_lines().filter(lambda file: file.name.endswith("l")))
    lines = [json.loads(line) for line in file.content.decode("utf-8-sig").split("\n") if line.strip()]
    at = data.draw(st.integers(0, len(lines) - 1))
    if data.draw(st.booleans()):
        lines[at]["freq"] = data.draw(st.sampled_from(FREQUENCIES))
    if data.draw(st.booleans()):
        lines[at]["start"] = data.draw(cells())
    if data.draw(st.booleans()):
        lines[at]["timestamps"] = data.draw(st.lists(cells(), max_size=40) | st.just([*map(str, file.series.times)]))
    if data.draw(st.booleans()):
        lines[at] = data.draw(damaged_json(lines[at]))
    text = "\n".join(json.dumps(line) for line in lines)
    read(written(place, "lines.jsonl", text.encode("utf-8", "surrogatepass")))


@cases(30)
@given(data=st.data())
def test_a_workbook_of_any_cells_is_read_or_named(place: Path, data: st.DataObject) -> None:
    plain = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=8) | st.sampled_from(ROLE_NAMES)
    cell = st.none() | st.floats() | plain | st.dates().map(str)
    width = data.draw(st.integers(1, 4))
    rows = data.draw(st.lists(st.lists(cell, min_size=width, max_size=width), max_size=8))
    read(written(place, "book.xlsx", workbook(rows)))


@cases(20)
@given(files=st.lists(wide_csv() | long_csv() | parquet(), min_size=1, max_size=3), data=st.data())
def test_a_folder_of_files_is_read_or_named(place: Path, files: list[SeriesFile], data: st.DataObject) -> None:
    folder = place / "folder"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for number, file in enumerate(files):
        content = data.draw(st.just(file.content) | damaged_bytes(file.content))
        written(folder, f"{number}{file.name}", content)
    read(folder, clean=data.draw(st.booleans()))
