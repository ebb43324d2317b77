"""The specification of search_spaces/grid.py: every configuration of a space, in order."""

from __future__ import annotations

from pathlib import Path

import pytest

from search_spaces.mistakes import SpaceError
from search_spaces.override import override_space
from tests.search_spaces.my_space import VALID, read


def test_grid_is_row_major_branch_by_branch(tmp_path: Path) -> None:
    space = override_space(read(tmp_path, VALID), {"lr": "1e-5"})
    rows = [(c["strategy"], c["batch_size"], c.get("warmup_steps")) for c in space.grid()]
    assert rows == [
        ("head_only", 16, None),
        ("head_only", 32, None),
        ("full", 16, 0),
        ("full", 16, 50),
        ("full", 16, 100),
        ("full", 32, 0),
        ("full", 32, 50),
        ("full", 32, 100),
    ]
    assert space.is_finite
    assert all(config["lr"] == 1e-5 and config["pretrained"] == "moirai-tiny" for config in space.grid())


def test_grid_of_an_infinite_space_names_the_parameters_and_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(SpaceError) as caught:
        read(tmp_path, VALID).grid()
    message = str(caught.value)
    assert "head_only/lr (log:1e-05:0.0001), full/lr (log:5e-07:5e-05)" in message
    assert "--set lr=choice:A,B" in message


def test_grid_points_are_the_grid_by_scoped_names(tmp_path: Path) -> None:
    space = override_space(read(tmp_path, VALID), {"lr": "choice:1e-5", "batch_size": "16", "strategy": "choice:full"})
    assert space.grid_points() == [
        {"strategy": "full", "full/lr": 1e-5, "full/warmup_steps": steps} for steps in (0, 50, 100)
    ]


def test_grid_too_large_to_try_is_rejected(tmp_path: Path) -> None:
    text = "trainable: moirai\nsearch: {a: {int: [1, 1000]}, b: {int: [1, 1000]}}\n"
    with pytest.raises(SpaceError, match="at most, got 1000000"):
        read(tmp_path, text).grid()
