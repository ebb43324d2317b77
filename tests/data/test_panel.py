"""The panel: one array, one hash, one folder."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from data.errors import DataError
from data.panel import Panel


def two_series(**changes):
    """A panel of a = 1, 2, 3 and b = 4, missing."""
    series = {"a": np.array([1.0, 2.0, 3.0]), "b": np.array([4.0, np.nan])}
    facts = {"starts": ["2020-01-01T00:00:00", None], "freq": "h", "notes": ["told"], **changes}
    return Panel.from_series("pair", series, **facts)


def test_series_lie_one_after_another_in_one_float32_array():
    panel = two_series()
    np.testing.assert_array_equal(panel.values, np.array([1, 2, 3, 4, np.nan], dtype=np.float32))
    assert panel.values.dtype == np.float32
    assert panel.offsets.tolist() == [0, 3, 5]
    assert panel.lengths.tolist() == [3, 2]
    assert len(panel) == 2


def test_a_series_is_a_view_that_cannot_be_written():
    view = two_series().series(0)
    assert view.tolist() == [1, 2, 3]
    assert view.base is not None
    with pytest.raises(ValueError, match="read-only"):
        view[0] = 9


def test_every_missing_value_hashes_alike():
    odd_nan = np.array([0x7FC12345], dtype=np.uint32).view(np.float32)
    plain = Panel.from_series("x", {"a": np.array([np.nan], dtype=np.float32)})
    assert Panel.from_series("x", {"a": odd_nan}).content_hash == plain.content_hash


@pytest.mark.parametrize(
    "change",
    [{"starts": [None, None]}, {"freq": "D"}],
)
def test_the_hash_tells_starts_and_frequencies_apart(change):
    assert two_series(**change).content_hash != two_series().content_hash


def test_the_hash_tells_where_one_series_ends_and_the_next_begins():
    first = Panel.from_series("x", {"a": np.zeros(2), "b": np.zeros(1)})
    second = Panel.from_series("x", {"a": np.zeros(1), "b": np.zeros(2)})
    assert first.content_hash != second.content_hash


def test_name_and_notes_do_not_count_in_the_hash():
    assert two_series(notes=["another"]).content_hash == two_series().content_hash


def test_a_saved_panel_comes_back_whole_and_mapped(tmp_path):
    panel = two_series()
    panel.save(tmp_path / "new" / "folder")
    loaded = Panel.load(tmp_path / "new" / "folder")
    assert isinstance(loaded.values, np.memmap)
    assert not loaded.values.flags.writeable
    np.testing.assert_array_equal(loaded.values, panel.values)
    assert (loaded.name, loaded.ids, loaded.starts) == (panel.name, panel.ids, panel.starts)
    assert (loaded.freq, loaded.notes, loaded.content_hash) == (panel.freq, panel.notes, panel.content_hash)


def test_saving_leaves_no_unfinished_file_behind(tmp_path):
    two_series().save(tmp_path)
    two_series(freq="D").save(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["offsets.npy", "panel.json", "values.npy"]
    assert Panel.load(tmp_path).freq == "D"


def test_saving_the_same_panel_again_leaves_the_mapped_file_alone(tmp_path):
    two_series().save(tmp_path)
    before = (tmp_path / "values.npy").stat()
    loaded = Panel.load(tmp_path)
    loaded.save(tmp_path)
    after = (tmp_path / "values.npy").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_saving_mends_a_damaged_folder(tmp_path):
    two_series().save(tmp_path)
    np.save(tmp_path / "values.npy", np.zeros(5, dtype=np.float32))
    two_series().save(tmp_path)
    assert Panel.load(tmp_path).content_hash == two_series().content_hash


@pytest.mark.parametrize("missing", ["panel.json", "values.npy", "offsets.npy"])
def test_a_folder_without_one_of_the_files_is_refused_by_its_name(tmp_path, missing):
    two_series().save(tmp_path)
    (tmp_path / missing).unlink()
    with pytest.raises(DataError, match=rf"must hold {missing}.*save"):
        Panel.load(tmp_path)


def test_changed_values_are_rejected(tmp_path):
    two_series().save(tmp_path)
    np.save(tmp_path / "values.npy", np.array([1, 2, 3, 5, np.nan], dtype=np.float32))
    with pytest.raises(DataError, match="content hash"):
        Panel.load(tmp_path)


@pytest.mark.parametrize("text", ["not json", "{}", "[]", json.dumps({"name": "x", "ids": 3})])
def test_a_panel_json_that_is_none_is_rejected(tmp_path, text):
    two_series().save(tmp_path)
    (tmp_path / "panel.json").write_text(text)
    with pytest.raises(DataError, match="cannot be read"):
        Panel.load(tmp_path)


def test_values_cut_short_are_rejected(tmp_path):
    two_series().save(tmp_path)
    whole = (tmp_path / "values.npy").read_bytes()
    (tmp_path / "values.npy").write_bytes(whole[:-4])
    with pytest.raises(DataError, match="cannot be read"):
        Panel.load(tmp_path)


def test_reading_needs_no_torch():
    code = "import sys, data.panel, data.readers.panel_reader, data.task.split; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_panel_nested_without_end_is_rejected(tmp_path):
    Panel.from_series("p", {"a": [1.0]}).save(tmp_path)
    (tmp_path / "panel.json").write_text("[" * 200_000)
    with pytest.raises(DataError, match="nested too deeply"):
        Panel.load(tmp_path)
