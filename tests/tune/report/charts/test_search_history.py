"""The specification of tune/report/charts/search_history.py."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.tune.report.written_sweep import ZERO_SHOT, add_trial, read_board, three_trials
from tune.records.journal import read_records
from tune.records.sweep_folder import SweepFolder
from tune.records.verdict import Decision, Verdict
from tune.report.charts.plot_style import NARROW, WIDE
from tune.report.charts.search_history import noise_above_best, search_history


@pytest.mark.parametrize("layout", [WIDE, NARROW])
def test_each_trial_is_at_its_place_and_the_best_so_far_only_falls(tmp_path, layout):
    """t0000 came to 0.45, t0001 to 0.40 and t0002 to 0.55; t0003 failed, and t0004 is the fifth."""
    three_trials(tmp_path)
    add_trial(tmp_path, "t0003", [ZERO_SHOT], stopped_by=None)
    add_trial(tmp_path, "t0004", [ZERO_SHOT, 0.35])
    add_trial(tmp_path, "t0000-r1", [ZERO_SHOT, 0.2])  # a repeat is no trial of the search
    ax = search_history(read_records(SweepFolder(tmp_path)), read_board(tmp_path), layout).axes[0]
    points = {p.get_gid(): (p.get_xdata()[0], p.get_ydata()[0]) for p in ax.lines if str(p.get_gid()).startswith("t0")}
    assert points == {"t0000": (1, 0.45), "t0001": (2, 0.40), "t0002": (3, 0.55), "t0004": (5, 0.35)}
    steps = next(line for line in ax.lines if line.get_drawstyle() == "steps-post")
    assert list(zip(steps.get_xdata(), steps.get_ydata(), strict=True)) == [
        (1, 0.45),
        (2, 0.40),
        (3, 0.40),
        (5, 0.35),
        (5.5, 0.35),
    ]


def test_a_diverged_trial_is_marked_at_the_top(tmp_path):
    three_trials(tmp_path)
    add_trial(tmp_path, "t0003", [ZERO_SHOT, 1e9], stopped_by="diverged")
    ax = search_history(read_records(SweepFolder(tmp_path)), read_board(tmp_path)).axes[0]
    point = next(line for line in ax.lines if line.get_gid() == "t0003")
    assert point.get_ydata()[0] == ax.get_ylim()[1] < 1


def test_the_band_reaches_to_the_last_of_the_top_set(tmp_path):
    board = read_board(three_trials(tmp_path))
    assert noise_above_best(board) is None
    verdict = Verdict(Decision.KEEP, "val_loss", 0.9, confidence_set=("t0000", "t0001", "blend(t0001, α 0.8)"))
    assert noise_above_best(replace(board, decided=verdict)) == (0.40, 0.45)
    assert noise_above_best(replace(board, decided=replace(verdict, confidence_set=("t0001",)))) is None
