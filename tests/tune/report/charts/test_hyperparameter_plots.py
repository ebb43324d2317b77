"""The specification of tune/report/hyperparameter_plots.py."""

from __future__ import annotations

from tests.tune.report.written_sweep import ZERO_SHOT, add_trial, read_board, three_trials
from tune.report.charts.hyperparameter_plots import hyperparameter_effects


def test_learning_rate_has_a_log_axis_and_missing_values_are_left_out(tmp_path):
    three_trials(tmp_path)
    add_trial(tmp_path, "t0003", [ZERO_SHOT, 0.49], weight_decay=None, lr=3e-5)
    figure = hyperparameter_effects(read_board(tmp_path))
    assert figure is not None
    panels = {ax.get_title(loc="left"): ax for ax in figure.axes if ax.get_visible()}
    assert list(panels) == ["lr", "strategy"]  # what all trials share is no panel
    assert panels["lr"].get_xscale() == "log"
    shown = {line.get_gid(): line.get_xdata()[0] for line in panels["lr"].lines if line.get_gid()}
    assert shown == {"t0000.lr": 1e-5, "t0001.lr": 5e-7, "t0002.lr": 1e-4, "t0003.lr": 3e-5}
