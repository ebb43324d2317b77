"""The specification of tune/report/charts/learning_curves.py: which lines are drawn, and what is said beside them."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.image import imread

from tests.tune.ranked_sweep import add_baseline, read
from tests.tune.report.written_sweep import ZERO_SHOT, add_trial, draw, three_trials
from tune.format import short_number
from tune.records.journal import read_records
from tune.records.sweep_folder import SweepFolder
from tune.report.charts.learning_curves import validation_curves
from tune.report.charts.learning_rates import has_learning_rates
from tune.report.charts.plot_style import COLOURS
from tune.sweep import Sweep


def line_of(figure: Figure, trial_id: str) -> Any:
    return next(line for line in figure.axes[0].lines if line.get_gid() == trial_id)


def words_of(figure: Figure) -> str:
    return " ".join(text.get_text() for text in figure.axes[0].texts)


def test_every_line_starts_at_zero_shot_at_epoch_zero(tmp_path):
    figure = draw(three_trials(tmp_path))
    for trial_id in ("t0000", "t0001", "t0002"):
        line = line_of(figure, trial_id)
        assert (line.get_xdata()[0], line.get_ydata()[0]) == (0, ZERO_SHOT)
    assert list(line_of(figure, "t0001").get_ydata()) == [0.5, 0.42, 0.40, 0.41]


def test_best_is_thick_and_named_and_stopped_trials_are_pale(tmp_path):
    figure = draw(three_trials(tmp_path))
    best, other, stopped = (line_of(figure, trial_id) for trial_id in ("t0001", "t0000", "t0002"))
    assert best.get_linewidth() > 2 * other.get_linewidth()
    assert best.get_alpha() > other.get_alpha() > stopped.get_alpha()
    assert "t0001: 0.4000 at epoch 2" in words_of(figure)
    assert "zero-shot\n0.5000" in words_of(figure)


@pytest.mark.parametrize("wild", [1e6, 1e300])
@pytest.mark.parametrize("count", [1, 6])
def test_diverged_trials_do_not_squash_the_others_and_are_reported(tmp_path, wild, count):
    three_trials(tmp_path)
    for number in range(count):
        add_trial(tmp_path, f"t01{number:02d}", [ZERO_SHOT, wild, math.nan], stopped_by="diverged")
    figure = draw(tmp_path)
    low, high = figure.axes[0].get_ylim()
    assert 0.3 < low < 0.4  # the best is in the picture, and not at its rim
    assert 0.5 < high < 0.8
    told = "1 trial leaves" if count == 1 else "6 trials leave"
    assert f"{told} the picture, up to {short_number(wild)}" in words_of(figure)
    figure.savefig(tmp_path / "curves.png")


def test_a_slight_excess_is_no_outlier(tmp_path):
    add_trial(tmp_path, "t0000", [ZERO_SHOT, 0.51, 0.52, 0.53])
    add_trial(tmp_path, "t0001", [ZERO_SHOT, 0.51, 0.52, 0.56])
    figure = draw(tmp_path)
    assert figure.axes[0].get_ylim()[1] > 0.56
    assert "leave" not in words_of(figure)


def test_picture_is_a_png_of_1200_by_600_on_light_ground(tmp_path):
    path = tmp_path / "curves.png"
    draw(three_trials(tmp_path)).savefig(path)
    pixels = np.asarray(imread(path))
    assert pixels.shape[:2] == (600, 1200)
    assert pixels[0, 0, :3] == pytest.approx(to_rgba(COLOURS["card"][0])[:3], abs=0.01)


def test_the_curves_start_at_untrained(better: Sweep) -> None:
    board = better.leaderboard()
    ax = validation_curves(read_records(better.folder), board).axes[0]
    assert ax.get_xlabel() == "epoch (0 = untrained, the model before any training)"
    assert "untrained\n0.5000" in [text.get_text() for text in ax.texts]
    assert has_learning_rates(board)


# --- baselines


def drawn(folder: Path, metric: str = "val_loss") -> tuple[tuple[float, float], list[float], str]:
    """The limits of the picture, the heights of its thin level lines, and its words."""
    ax = validation_curves(read_records(SweepFolder(folder)), read(folder, metric)).axes[0]
    level = [line.get_ydata()[0] for line in ax.lines if list(line.get_xdata()) == [0, 1] and line.get_linewidth() < 1]
    return ax.get_ylim(), level, " ".join(text.get_text() for text in ax.texts)


def test_a_baseline_is_a_thin_line_with_its_name_and_moves_no_axis(sweep: Path) -> None:
    limits, level, _ = drawn(sweep)
    assert level == []
    add_baseline(sweep, "naive", 0.4375)
    assert drawn(sweep)[:2] == (limits, [0.4375])
    assert "naive 0.4375" in drawn(sweep)[2]


@pytest.mark.parametrize("loss", [None, 9.0, -9.0])
def test_a_baseline_outside_the_picture_is_left_out(sweep: Path, loss: float | None) -> None:
    before = drawn(sweep)
    add_baseline(sweep, "naive", loss)
    assert drawn(sweep) == before
