"""The bundled corpus: that it is what its maker gives, and that it teaches more than its own last season."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from data.naive import seasonal_naive
from data.readers.panel_reader import read_panel
from data.samples.bundled import SAMPLES
from data.samples.corpus import TIME_NAMES, make_sample_corpus, write_sample_corpus
from data.task.task import ForecastTask, TaskSpec

CORPUS = SAMPLES["corpus"]


def test_the_bundled_files_are_what_the_maker_gives(tmp_path):
    write_sample_corpus(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(path.name for path in CORPUS.iterdir())
    for path in tmp_path.iterdir():
        made, bundled = (pd.read_csv(folder / path.name) for folder in (tmp_path, CORPUS))
        assert made.columns.tolist() == bundled.columns.tolist()
        assert made.iloc[:, 0].tolist() == bundled.iloc[:, 0].tolist()
        # another machine may round the fourth digit otherwise
        np.testing.assert_allclose(made.iloc[:, 1:].to_numpy(), bundled.iloc[:, 1:].to_numpy(), rtol=2e-3)


def test_it_is_twelve_small_hourly_files_under_twelve_names_of_time():
    files = sorted(CORPUS.iterdir())
    headers = [path.read_text(encoding="utf-8").split("\n", 1)[0].split(",") for path in files]
    assert [header[0] for header in headers] == list(TIME_NAMES)
    assert {tuple(header[1:]) for header in headers} == {("load",), ("load", "temperature")}
    assert sum(path.stat().st_size for path in files) < 700_000
    panel = read_panel(CORPUS)
    assert (len(panel), set(panel.lengths.tolist()), panel.freq) == (18, {1500}, "h")


def test_its_holes_are_in_two_files_and_are_mended():
    lines = {path.name: path.read_text(encoding="utf-8").splitlines()[1:] for path in CORPUS.iterdir()}
    holes = {
        name: sum(not cell or not np.isfinite(float(cell)) for row in rows for cell in row.split(",")[1:])
        for name, rows in lines.items()
    }
    holes = {name: count for name, count in sorted(holes.items()) if count}
    assert len(holes) == 2
    assert any("inf" in row for row in lines[list(holes)[1]])
    panel = read_panel(CORPUS, clean=True)
    assert np.isfinite(panel.values).all()
    (first, some), (second, others) = holes.items()
    told = (
        f"{some + others} missing or infinite values interpolated in 2 of 12 files: {first} {some}, {second} {others}"
    )
    assert panel.notes[0] == told


def test_the_seed_decides():
    same, other = make_sample_corpus(n_files=2, rows=50), make_sample_corpus(n_files=2, rows=50, seed=1)
    pd.testing.assert_frame_equal(same["meter_02.csv"], make_sample_corpus(n_files=2, rows=50)["meter_02.csv"])
    assert not same["meter_01.csv"].equals(other["meter_01.csv"])


@pytest.mark.parametrize("split", ["series", "time"])
def test_a_mean_of_ten_days_beats_the_last_day_and_the_last_week(split):
    spec = TaskSpec(split=split, context_length=256, prediction_length=48, scale="standard", eval_stride=16)
    task = ForecastTask(read_panel(CORPUS, clean=True), spec)
    batch = task.gather("test").batch(torch.arange(len(task.test)))
    days = batch.context[:, -240:].view(-1, 10, 24)
    level = days[:, -1].mean(1, keepdim=True) - days.mean((1, 2))[:, None]
    smooth = (days.mean(1) + 0.7 * level).repeat(1, 2)
    error = (smooth - batch.target).square().mean()
    for season in (24, 168):
        assert error < (seasonal_naive(batch.context, 48, season) - batch.target).square().mean()
