"""The specification of search_spaces/space.py: sampling, names, corners, and the way to JSON and back."""

from __future__ import annotations

import json
from pathlib import Path

from search_spaces.domain import Domain
from search_spaces.library import list_spaces, load_space
from search_spaces.override import override_space
from search_spaces.space import SearchSpace
from tests.search_spaces.my_space import VALID, read


def test_sample_asks_for_scoped_names_and_returns_plain_ones(tmp_path: Path) -> None:
    space = read(tmp_path, VALID)
    asked: dict[str, Domain] = {}

    def suggest(name: str, domain: Domain) -> object:
        asked[name] = domain
        return "full" if name == "strategy" else domain.first_value()

    assert space.sample(suggest) == {
        "pretrained": "moirai-tiny",
        "gradient_clip": 1.0,
        "strategy": "full",
        "batch_size": 16,
        "patience": 3,
        "lr": 5e-7,
        "warmup_steps": 0,
    }
    assert list(asked) == ["strategy", "batch_size", "full/lr", "full/warmup_steps"]
    assert asked["full/lr"] == Domain("log", low=5e-7, high=5e-5)


def test_initial_points_are_enqueued_by_scoped_names(tmp_path: Path) -> None:
    assert read(tmp_path, VALID).enqueued() == [
        {"strategy": "head_only", "head_only/lr": 5e-5, "batch_size": 16},
        {"strategy": "full", "full/lr": 5e-6, "batch_size": 32, "full/warmup_steps": 50},
    ]


def test_parameters_lists_every_scoped_name(tmp_path: Path) -> None:
    space = read(tmp_path, VALID)
    assert list(space.parameters()) == [
        "strategy", "batch_size", "head_only/lr", "full/lr", "full/warmup_steps",
    ]  # fmt: skip
    assert space.is_conditional
    assert not space.is_finite


def test_parameters_of_a_list_of_points_are_the_values_seen() -> None:
    parameters = load_space("moirai-grid").parameters()
    assert parameters["strategy"] == Domain("choice", values=("head_only", "freeze_ffn", "full"))
    assert parameters["lr"] == Domain("choice", values=(5e-5, 1e-4, 1e-5, 2e-5, 5e-6, 2e-6))


def test_corners_hold_both_ends_of_every_domain_on_every_path(tmp_path: Path) -> None:
    space = read(tmp_path, VALID)
    corners = [(c["strategy"], c["lr"], c.get("warmup_steps"), c["batch_size"]) for c in space.corners()]
    assert corners == [
        ("head_only", 5e-5, None, 16),  # the initial points
        ("full", 5e-6, 50, 32),
        ("head_only", 1e-5, None, 16),
        ("head_only", 1e-4, None, 32),
        ("full", 5e-7, 0, 16),
        ("full", 5e-5, 100, 32),
    ]


def test_every_shipped_space_comes_back_from_json_exactly() -> None:
    for space in list_spaces():
        assert SearchSpace.from_dict(json.loads(json.dumps(space.to_dict()))) == space


def test_overridden_space_comes_back_from_json_exactly() -> None:
    space = override_space(load_space("moirai-small"), {"strategy": "full", "lr": "log:6e-6:1e-5"})
    assert space.notes
    assert SearchSpace.from_dict(json.loads(json.dumps(space.to_dict()))) == space
