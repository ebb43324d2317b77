"""The specification of tune/report/charts/hyperparameter_plots.py and learning_rates.py."""

from __future__ import annotations

import pytest

from tests.tune.report.written_sweep import ZERO_SHOT, add_trial, read_board, three_trials
from tune.report.charts.hyperparameter_plots import effects_shown, hyperparameter_effects
from tune.report.charts.learning_rates import has_learning_rates, learning_rates
from tune.report.charts.plot_style import NARROW, WIDE


@pytest.mark.parametrize("layout", [WIDE, NARROW])
def test_each_strategy_has_a_panel_of_log_learning_rates_on_the_same_axes(tmp_path, layout):
    three_trials(tmp_path)
    add_trial(tmp_path, "t0003", [ZERO_SHOT, 0.49], lr=3e-5)
    board = read_board(tmp_path)
    assert has_learning_rates(board)
    figure = learning_rates(board, layout)
    panels = {ax.get_title(loc="left"): ax for ax in figure.axes if ax.get_visible()}
    assert list(panels) == ["freeze_ffn", "full", "head_only"]
    assert {ax.get_xscale() for ax in panels.values()} == {"log"}
    assert len({(ax.get_xlim(), ax.get_ylim()) for ax in panels.values()}) == 1
    shown = {
        name: {line.get_gid(): line.get_xdata()[0] for line in ax.lines if line.get_gid()}
        for name, ax in panels.items()
    }
    assert shown["head_only"] == {"t0001.lr": 5e-7, "t0003.lr": 3e-5}
    assert shown["full"] == {"t0002.lr": 1e-4}


def test_hyperparameters_that_all_trials_share_or_lack_have_no_panel(tmp_path):
    three_trials(tmp_path)
    add_trial(tmp_path, "t0003", [ZERO_SHOT, 0.49], weight_decay=None)
    board = read_board(tmp_path)
    assert effects_shown(board) == ["strategy"]
    figure = hyperparameter_effects(board)
    assert [ax.get_title(loc="left") for ax in figure.axes if ax.get_visible()] == ["strategy"]


def test_trials_of_one_learning_rate_have_no_such_picture(tmp_path):
    for trial_id in ("t0000", "t0001"):
        add_trial(tmp_path, trial_id, [ZERO_SHOT, 0.4])
    assert not has_learning_rates(read_board(tmp_path))
