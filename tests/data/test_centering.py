"""Series whose variation float32 would round away are stored less their center, exactly to 1e-6 of that variation."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from data.errors import DataError
from data.panel import Panel
from data.task.task import ForecastTask
from data.task.task_spec import TaskSpec

STEPS = np.arange(400.0)
WAVE = 5 * np.sin(STEPS / 7)
METER = 123456789 + 2.25 * STEPS


@pytest.mark.parametrize(
    "values",
    [1e12 + STEPS, 1e9 + WAVE, METER, -1e9 + WAVE, 290 + WAVE / 5, 1e6 + 1e-6 * WAVE],
    ids=["1e12 and steps of 1", "1e9 and 5", "meter", "negative", "kelvin", "tiny waves"],
)
def test_a_series_keeps_its_variation_to_a_millionth(values):
    panel = Panel.from_series("p", {"a": values})
    assert np.abs(panel.in_units(0) - values).max() <= 1e-6 * values.std()
    steps = np.diff(panel.series(0).astype(np.float64))
    assert np.abs(steps - np.diff(values)).max() <= 2e-6 * values.std()


@pytest.mark.parametrize("values", [STEPS, WAVE, 16777216 - STEPS, np.full(9, 1e9 + 1), np.array([np.nan, 7.1])])
def test_what_float32_holds_is_stored_as_it_is(values):
    panel = Panel.from_series("p", {"a": values})
    assert panel.centers.tolist() == [0]
    np.testing.assert_array_equal(panel.values, values.astype(np.float32))


def test_only_the_series_that_need_it_are_centered():
    panel = Panel.from_series("p", {"a": WAVE, "meter": METER, "b": STEPS})
    assert np.flatnonzero(panel.centers).tolist() == [1]


def test_a_value_too_large_for_float32_is_rejected_by_series_and_row():
    with pytest.raises(DataError, match=r"got 1e\+39 in row 1 of series 'b'"):
        Panel.from_series("p", {"a": STEPS, "b": np.array([1.0, 1e39])})


def test_a_saved_panel_has_its_centers_again(tmp_path):
    panel = Panel.from_series("p", {"meter": METER, "b": STEPS})
    panel.save(tmp_path)
    again = Panel.load(tmp_path)
    np.testing.assert_array_equal(again.in_units(0), panel.in_units(0))
    assert again.content_hash == panel.content_hash
    assert Panel("p", panel.ids, panel.values, panel.offsets, panel.starts, None).content_hash != panel.content_hash


@pytest.mark.parametrize("scale", ["none", "standard"])
def test_windows_brought_back_to_units_hold_the_meters_steps(scale):
    task = ForecastTask(
        Panel.from_series("p", {"meter": METER}),
        TaskSpec(context_length=8, prediction_length=4, eval_stride=4, split="ratio", scale=scale),
    )
    batch = task.gather("test").batch(torch.tensor([0]))
    units = task.unscale(batch.target, batch.series)[0].numpy()
    first = int(task.split.val_end[0])
    np.testing.assert_allclose(units, METER[first : first + 4], rtol=0, atol=1e-6 * METER.std())
