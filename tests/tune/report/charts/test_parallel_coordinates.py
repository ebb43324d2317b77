"""The specification of tune/report/charts/parallel_coordinates.py and of the places that the page's script gets."""

from __future__ import annotations

import json

import pytest

from tests.tune.report.written_sweep import ZERO_SHOT, add_trial, read_board, three_trials
from tune.report.brushing import brushing_data
from tune.report.charts.parallel_coordinates import Parallel, ParallelAxis, parallel_coordinates
from tune.report.charts.plot_style import NARROW, WIDE


def test_learning_rates_are_placed_by_their_logarithm_and_words_at_even_distances():
    rates = ParallelAxis.of("lr", [1e-6, 1e-4])
    assert rates.position(1e-5) == pytest.approx(0.5)
    assert rates.value(0.25) == pytest.approx(10**-5.5)
    words = ParallelAxis.of("strategy", ["full", "head_only", "freeze_ffn", "full"])
    assert [words.position(name) for name in ("freeze_ffn", "full", "head_only", None)] == [0, 0.5, 1, None]
    whole = ParallelAxis.of("epochs", [2, 5])
    assert (whole.position(3), [words for _, words in whole.ticks()]) == (pytest.approx(1 / 3), ["2", "5"])


@pytest.mark.parametrize("layout", [WIDE, NARROW])
def test_a_trial_is_one_line_that_crosses_every_axis_at_its_value(tmp_path, layout):
    """t0000: lr 1e-5 of 5e-7 to 1e-4, freeze_ffn, and 0.45 of 0.40 to 0.55."""
    parallel = Parallel.of(read_board(three_trials(tmp_path)))
    assert parallel is not None
    assert [axis.name for axis in parallel.axes] == ["lr", "strategy", "val_loss"]
    lines = {line.get_gid(): line for line in parallel_coordinates(parallel, layout).axes[0].lines}
    along, across = lines["t0000"].get_ydata(), lines["t0000"].get_xdata()
    if layout is NARROW:
        along, across = across, along
    assert list(across) == [0, 1, 2]
    assert list(along) == pytest.approx([0.56543, 0.0, 1 / 3], abs=1e-4)  # ln 20 / ln 200
    assert lines["t0001"].get_linewidth() > 2 * lines["t0000"].get_linewidth()


def test_a_value_that_diverged_is_at_the_end_of_its_axis_and_a_missing_one_nowhere(tmp_path):
    three_trials(tmp_path)
    add_trial(tmp_path, "t0003", [ZERO_SHOT, 1e9], stopped_by="diverged", lr=None)
    parallel = Parallel.of(read_board(tmp_path))
    assert parallel is not None
    assert parallel.axes[-1].high < 1
    assert parallel.positions["t0003"][0] is None
    assert parallel.positions["t0003"][-1] == 1
    parallel_coordinates(parallel)


def test_the_scripts_axes_are_where_they_are_drawn(tmp_path):
    board = read_board(three_trials(tmp_path))
    data = json.loads(brushing_data(board))
    parallel = Parallel.of(board)
    assert parallel is not None
    assert data["trials"]["t0000"] == pytest.approx([0.5654, 0, 0.3333])
    for layout, kind in ((WIDE, "wide"), (NARROW, "narrow")):
        figure = parallel_coordinates(parallel, layout)
        ax = figure.axes[0]
        line = next(line for line in ax.lines if line.get_gid() == "t0001")
        points = (ax.transData + figure.transFigure.inverted()).transform(line.get_xydata())
        places = data["trials"]["t0001"]
        for (x, y), place, (x0, y0, x1, y1) in zip(points, places, data[kind], strict=True):
            assert (x, 1 - y) == pytest.approx((x0 + (x1 - x0) * place, y0 + (y1 - y0) * place), abs=1e-3)


def test_two_trials_are_too_few(tmp_path):
    for trial_id, rate in (("t0000", 1e-5), ("t0001", 1e-4)):
        add_trial(tmp_path, trial_id, [ZERO_SHOT, 0.4], lr=rate)
    assert Parallel.of(read_board(tmp_path)) is None
