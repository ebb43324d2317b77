"""Whole-sequence windows against those of the published Time-MoE loader (sequences/: data only, made by running it)."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from data.errors import TaskError
from data.panel import Panel
from data.task.sequences import normalize, sequence_windows

HERE = Path(__file__).parent / "sequences"
INTEGERS = 3  # the edge file's sequence of whole numbers
CONTEXT = 64


@pytest.fixture(scope="module")
def golden():
    with np.load(HERE / "windows.npz") as arrays:
        return dict(arrays)


def panel_of(file):
    lines = (HERE / file).read_text().splitlines()
    sequences = [np.array(json.loads(line)["sequence"], dtype=np.float64) for line in lines]
    return Panel.from_series(file, {f"{i:02d}": values for i, values in enumerate(sequences)})


def windows_of(panel, **settings):
    how = {"max_length": CONTEXT, "stride": 16, "normalization": "zero", **settings}
    return sequence_windows(panel, panel.lengths, **how)


def batch_of(gather):
    return gather.batch(torch.arange(len(gather)))


@pytest.mark.parametrize(
    ("case", "settings"),
    [
        ("zero_s16", {}),
        ("zero_sdefault", {"stride": CONTEXT}),
        ("max_s16", {"normalization": "max"}),
        ("none_s16", {"normalization": "none"}),
    ],
)
def test_inputs_labels_and_masks_are_the_published_loaders(golden, case, settings):
    batch = batch_of(windows_of(panel_of("windows.jsonl"), **settings))
    observed = ~batch.target.isnan()
    np.testing.assert_allclose(batch.context.nan_to_num(), golden[f"{case}.input_ids"], atol=1e-5)
    np.testing.assert_array_equal(observed, golden[f"{case}.loss_masks"].astype(bool))
    np.testing.assert_allclose(batch.target.nan_to_num(), golden[f"{case}.labels"], atol=1e-5)
    np.testing.assert_array_equal(batch.series, golden[f"{case}.seq_idx_offset"][:, 0])


def test_the_windows_of_short_constant_and_just_fitting_sequences_are_the_published_loaders(golden):
    batch = batch_of(windows_of(panel_of("windows_edge.jsonl")))
    np.testing.assert_array_equal(batch.series, golden["edge_zero_s16.seq_idx_offset"][:, 0])
    np.testing.assert_array_equal(~batch.target.isnan(), golden["edge_zero_s16.loss_masks"].astype(bool))
    real = (batch.series != INTEGERS).numpy()
    np.testing.assert_allclose(batch.context.nan_to_num()[real], golden["edge_zero_s16.input_ids"][real], atol=1e-5)


def test_sequences_of_whole_numbers_are_not_cut_back_to_whole_numbers(golden):
    """The published loader truncates them after scaling; truncating ours gives what it gives."""
    batch = batch_of(windows_of(panel_of("windows_edge.jsonl")))
    ours = batch.context[batch.series == INTEGERS].nan_to_num().numpy()
    theirs = golden["edge_zero_s16.input_ids"][golden["edge_zero_s16.seq_idx_offset"][:, 0] == INTEGERS]
    np.testing.assert_array_equal(np.trunc(ours), theirs)
    assert np.abs(ours - theirs).max() > 0.5


def test_only_rows_before_the_end_are_normalised_and_cut():
    panel = Panel.from_series("p", {"a": np.array([1.0, 3.0, 1.0, 3.0, 100.0])})
    batch = batch_of(sequence_windows(panel, np.array([4]), max_length=3, stride=1, normalization="zero"))
    assert batch.context.tolist() == [[-1, 1, -1]]  # mean 2, deviation 1
    assert batch.target.tolist() == [[1, -1, 1]]


def test_a_missing_value_stays_missing_and_does_not_count_in_the_moments():
    panel = Panel.from_series("p", {"a": np.array([1.0, np.nan, 3.0, 1.0, 3.0])})
    batch = batch_of(windows_of(panel, max_length=4))
    assert batch.context.nan_to_num(nan=9).tolist() == [[-1, 9, 1, -1]]
    assert batch.target.nan_to_num(nan=9).tolist() == [[9, 1, -1, 1]]


def test_a_panel_without_two_training_rows_anywhere_is_rejected():
    panel = Panel.from_series("p", {"a": np.array([1.0, 2.0, 3.0])})
    with pytest.raises(TaskError, match="no series has two training rows"):
        sequence_windows(panel, np.array([1]), max_length=4, stride=1, normalization="zero")


@pytest.mark.parametrize(
    ("how", "expected"), [("zero", [0, 0, 0]), ("max", [1, 1, 1]), ("none", [5, 5, 5])]
)  # a constant has no deviation to divide by
def test_a_constant_only_loses_its_mean(how, expected):
    assert normalize(np.full(3, 5, dtype=np.float32), how).tolist() == expected
