"""The specification of tune/report/charts/sweep_timeline.py."""

from __future__ import annotations

from tests.tune.report.written_sweep import read_board, three_trials
from tune.records.journal import read_records
from tune.records.sweep_folder import SweepFolder
from tune.records.timeline import Span
from tune.report.charts.sweep_timeline import Bar, Lanes, sweep_timeline

SPANS = [
    Span("session", "", 1000.0, 1100.0),
    Span("Ray's start", "", 1001.0, 1005.0),
    Span("set-up", "t0000", 1010.0, 1012.0),
    Span("training", "t0000", 1012.0, 1050.0),
    Span("training", "t0001", 1020.0, 1060.0),
    Span("training", "t0002", 1055.0, 1100.0),
    Span("session", "", 9000.0, 9050.0),
    Span("training", "t0002", 9010.0, 9030.0),
    Span("conclusion", "", 9040.0, 9050.0),
]


def test_trials_side_by_side_have_lanes_and_the_time_between_sessions_is_left_out():
    lanes = Lanes.of(SPANS)
    assert lanes.resumed == (100.0,)
    assert set(lanes.bars) == {
        Bar("", 0, 1.0, 5.0),
        Bar("t0000", 1, 10.0, 50.0),
        Bar("t0001", 2, 20.0, 60.0),
        Bar("t0002", 1, 55.0, 100.0),
        Bar("t0002", 1, 110.0, 130.0),
        Bar("", 0, 140.0, 150.0),
    }


def test_the_picture_has_a_bar_each_and_the_best_has_a_border(tmp_path):
    board = read_board(three_trials(tmp_path))
    ax = sweep_timeline(Lanes.of(SPANS), read_records(SweepFolder(tmp_path)), board).axes[0]
    bars = {bar.get_gid(): bar for bar in ax.patches}
    assert set(bars) - {None} == {"t0000.10.000", "t0001.20.000", "t0002.55.000", "t0002.110.000"}
    assert (bars["t0001.20.000"].get_x(), bars["t0001.20.000"].get_width()) == (20.0, 40.0)
    assert bars["t0001.20.000"].get_linewidth() > 0 == bars["t0000.10.000"].get_linewidth()
    assert ax.get_xlabel() == "minutes of the sweep's sessions"
