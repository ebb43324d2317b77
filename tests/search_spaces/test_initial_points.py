"""The specification of search_spaces/initial_points.py: a list of points (test_reader.py has the other spaces)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.search_spaces.my_space import mistakes_of, read


def test_list_of_points_is_a_file_without_search(tmp_path: Path) -> None:
    space = read(tmp_path, "trainable: t\nfixed: {epochs: 5}\nfirst: [{lr: 5e-6}, {lr: 1e-5}]\n")
    assert space.trials == 2
    assert space.grid() == [{"epochs": 5, "lr": 5e-6}, {"epochs": 5, "lr": 1e-5}]
    assert space.enqueued() == [{"lr": 5e-6}, {"lr": 1e-5}]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("first: [{lr: 1}, {lr: 2, b: 1}]", "first, entry 2: has b, which entry 1 lacks"),
        ("first: [{lr: 1, b: 1}, {lr: 2}]", "first, entry 2: misses b, which entry 1 has"),
        ("first: [{lr: 1}, {lr: 1}]", "first, entry 2: repeats entry 1; leave one out"),
        ("first: [{lr: [1, 2]}]", "first, entry 1: lr: must be one value, got [1, 2]"),
        ("fixed: {lr: 1}\nfirst: [{lr: 1}]", "first, entry 1: lr: is under fixed too; keep one"),
        ("trials: 5\nfirst: [{lr: 1}]", "trials: a list of points tries each once, got 5 for 1; leave trials out"),
        ("fixed: {lr: 1}", "search: must hold a domain, or first a point; there would be nothing to try"),
    ],
)
def test_points_of_different_shapes_are_rejected(tmp_path: Path, text: str, message: str) -> None:
    assert mistakes_of(tmp_path, f"trainable: t\n{text}\n") == [f"my_space.yaml: {message}"]


def test_true_and_1_are_different_points(tmp_path: Path) -> None:
    space = read(tmp_path, "trainable: t\nfirst: [{flag: true}, {flag: 1}]\n")
    assert [domain.values for domain in space.parameters().values()] == [(True, 1)]
    assert [type(point["flag"]) for point in space.grid()] == [bool, int]
