"""The specification of tune/verdict/resampling.py: blocks of neighbours, and never across two series."""

from __future__ import annotations

import numpy as np
import pytest

from tune.verdict.resampling import MOST_UNITS, REPETITIONS, SeriesBootstrap, Units

SERIES = np.repeat([3, 0, 7], [5, 1, 10])  # in the order of a panel's windows, whatever their numbers


def draws(block_size: int, repetitions: int = 400) -> np.ndarray:
    bootstrap = SeriesBootstrap(block_size, np.arange(len(SERIES)), series=SERIES, seed=1)
    return np.stack([data[0][0] for data in bootstrap.bootstrap(repetitions)])


def test_within_a_block_one_window_follows_the_other_and_the_last_of_a_series_its_first() -> None:
    after = {**{i: i + 1 for i in range(15)}, 4: 0, 5: 5, 15: 6}
    indices = draws(1_000_000)  # one block
    for sample in indices:
        assert [after[i] for i in sample[:-1].tolist()] == sample[1:].tolist()


def test_blocks_have_the_length_asked_for_on_average() -> None:
    indices = draws(4)
    after = np.array([1, 2, 3, 4, 0, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 6])
    goes_on = after[indices[:, :-1]] == indices[:, 1:]
    # with 1 - 1/4 a block goes on; one that begins anew does so at its next window once in 16 (at the lone one: once)
    assert goes_on.mean() == pytest.approx(3 / 4 + 1 / 4 / 16, abs=0.02)


def test_every_window_is_drawn_as_often_as_any_other() -> None:
    counts = np.bincount(draws(3, 4_000).ravel(), minlength=16) / 4_000
    assert counts == pytest.approx(np.ones(16), abs=0.12)


def test_a_mean_is_the_same_over_units_and_over_windows() -> None:
    series = np.repeat([0, 1], [MOST_UNITS, MOST_UNITS + 7])
    shares = np.random.default_rng(0).normal(size=(len(series), 3))
    units = Units.of(series, overlap=4)
    assert len(units.series) <= MOST_UNITS + 2
    assert units.means(shares).mean(axis=0) == pytest.approx(shares.mean(axis=0))
    assert (np.diff(units.series) >= 0).all()  # no unit has windows of both


@pytest.mark.parametrize(("overlap", "block_size", "blocks"), [(1, 1, 16), (2, 4, 1 + 1 + 2), (24, 48, 3)])
def test_blocks_are_twice_as_long_as_windows_overlap(overlap: int, block_size: int, blocks: int) -> None:
    units = Units.of(SERIES, overlap)
    assert (units.block_size, units.blocks) == (block_size, blocks)
    assert units.are_few


def test_differences_that_stay_alike_for_long_make_longer_blocks_but_of_a_third_at_most() -> None:
    rng = np.random.default_rng(0)
    units = Units.of(np.zeros(300, dtype=np.int64), overlap=1)
    assert units.with_memory_of(rng.normal(size=(300, 4))).block_size <= 3
    slow = np.repeat(rng.normal(size=(10, 4)), 30, axis=0) + 0.1 * rng.normal(size=(300, 4))
    assert 15 <= units.with_memory_of(slow).block_size <= 100


def test_means_of_samples_are_those_of_the_bootstrap_itself() -> None:
    units = Units.of(np.repeat([0, 1], [30, 20]), overlap=3)
    gains = np.random.default_rng(5).normal(size=(50, 2))
    plain = units.bootstrap(gains).apply(lambda sample: sample.mean(axis=0), reps=REPETITIONS)
    np.testing.assert_allclose(units.resampled_means(gains), plain, atol=1e-12)
    np.testing.assert_allclose(units.resampled_means(gains[:, 1]), plain[:, 1], atol=1e-12)
