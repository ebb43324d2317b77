"""The windows: which there are, and that a batch holds exactly their rows."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from data.panel import Panel
from data.task.windows import WindowGather, WindowIndex, WindowShape, index_windows


def index(panel, first, end, **shape):
    """Windows of context 3 and prediction 2 unless told, as (series, start) pairs."""
    shape = WindowShape(**{"context_length": 3, "prediction_length": 2, **shape})
    windows = index_windows(panel, np.array(first), np.array(end), shape=shape)
    assert windows.starts.dtype == windows.series.dtype == np.int64
    return list(zip(windows.series.tolist(), windows.starts.tolist(), strict=True))


def counting(*lengths):
    """A panel whose values count 0, 1, 2 ... through all series."""
    parts = np.split(np.arange(sum(lengths), dtype=np.float64), np.cumsum(lengths)[:-1])
    return Panel.from_series("p", {f"s{i}": part for i, part in enumerate(parts)})


def test_windows_come_series_after_series_and_in_time_order():
    # length 7: starts 0, 1, 2; length 6: starts 7, 8
    assert index(counting(7, 6), [0, 0], [7, 6]) == [(0, 0), (0, 1), (0, 2), (1, 7), (1, 8)]


def test_a_context_reaches_back_before_the_first_target():
    assert index(counting(10), [6], [9]) == [(0, 3), (0, 4)]  # targets 6..7 and 7..8


def test_a_first_target_without_history_waits_for_the_context():
    assert index(counting(10), [1], [6]) == [(0, 0), (0, 1)]  # targets 3..4 and 4..5


def test_a_stride_steps_over_windows():
    assert index(counting(10), [0], [10], stride=2) == [(0, 0), (0, 2), (0, 4)]
    assert index(counting(11), [0], [11], stride=5) == [(0, 0), (0, 5)]


def test_a_series_too_short_contributes_none():
    assert index(counting(4, 5, 0), [0, 0, 0], [4, 5, 0]) == [(1, 4)]


def test_windows_without_an_observed_context_or_target_are_left_out():
    values = np.array([np.nan, np.nan, np.nan, 1, 2, np.nan, np.nan, 3])
    panel = Panel.from_series("p", {"a": values})
    # start 0: empty context; 1: context nan nan 1, target 2 nan; 2: target nan nan; 3: context 1 2 nan, target nan 3
    assert index(panel, [0], [8]) == [(0, 1), (0, 3)]


def gather_of(rows=40, windows=9):
    """A gather over 0, 1, 2 ... with windows at every third row."""
    starts = np.arange(windows) * 3
    windows = WindowIndex(starts, np.arange(windows) % 2)
    return WindowGather(torch.arange(rows, dtype=torch.float32), windows, context_length=3, prediction_length=2)


def test_a_batch_holds_the_rows_of_its_windows():
    batch = gather_of().batch(torch.tensor([4, 0, 4]))
    assert batch.context.tolist() == [[12, 13, 14], [0, 1, 2], [12, 13, 14]]
    assert batch.target.tolist() == [[15, 16], [3, 4], [15, 16]]
    assert batch.series.tolist() == [0, 0, 0]
    assert batch.context.dtype == batch.target.dtype == torch.float32
    assert batch.series.dtype == torch.int64


def test_the_last_window_may_end_at_the_last_row():
    windows = WindowIndex(np.array([35]), np.array([0]))
    gather = WindowGather(torch.arange(40.0), windows, context_length=3, prediction_length=2)
    assert gather.batch(torch.tensor([0])).target.tolist() == [[38, 39]]


def test_missing_values_stay_missing():
    values = torch.tensor([1.0, torch.nan, 3.0])
    gather = WindowGather(values, WindowIndex(np.array([0]), np.array([0])), context_length=2, prediction_length=1)
    assert gather.batch(torch.tensor([0])).context.isnan().tolist() == [[False, True]]


def test_batches_visit_every_window_once_and_keep_the_last_small_one():
    batches = list(gather_of().batches(4))
    assert [len(batch.series) for batch in batches] == [4, 4, 1]
    assert torch.cat([batch.context[:, 0] for batch in batches]).tolist() == [3 * i for i in range(9)]


def test_batches_follow_a_given_order():
    batches = list(gather_of().batches(2, order=torch.tensor([8, 1, 5])))
    assert [batch.context[:, 0].tolist() for batch in batches] == [[24, 3], [15]]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_batch_stays_on_the_panels_device():
    windows = WindowIndex(np.arange(5), np.zeros(5, dtype=np.int64))
    gather = WindowGather(torch.arange(40.0, device="cuda"), windows, context_length=3, prediction_length=2)
    batch = gather.batch(torch.tensor([1, 3]))
    assert batch.context.is_cuda
    assert batch.series.is_cuda
    assert batch.target.tolist() == [[4, 5], [6, 7]]


def test_windows_are_drawn_once_each_and_stay_in_order():
    panel = counting(40, 40)
    shape = WindowShape(3, 2)
    whole = index_windows(panel, np.array([0, 0]), np.array([40, 40]), shape=shape)
    drawn = whole.draw(10, np.random.default_rng(0))
    pairs = list(zip(drawn.series.tolist(), drawn.starts.tolist(), strict=True))
    assert len(set(pairs)) == 10
    assert pairs == sorted(pairs)
    assert set(pairs) <= set(zip(whole.series.tolist(), whole.starts.tolist(), strict=True))
    assert whole.draw(len(whole), np.random.default_rng(0)) is whole
