"""The searcher over real Optuna studies on the disk, driven as Ray drives it: what is tried, and how many."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from ray.tune.search import Searcher

from search_spaces.library import load_space
from search_spaces.override import override_space
from tests.tune.ray_backend.search_session import GRID, SMALL, Session, point, run_trial, two_numbers

# pytest forgets the filter that tune/search.py sets
pytestmark = pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")


def test_first_configurations_come_first_and_exactly(open_session: Callable[..., Session]) -> None:
    session = open_session(load_space("quickstart"))
    assert session.suggest() == {
        "trial_id": "t0000",
        "seed": 0,
        "hyper": {
            "pretrained": "moirai-tiny",
            "patch_size": "auto",
            "gradient_clip": 1.0,
            "schedule": "constant",
            "patience": 3,
            "strategy": "head_only",
            "lr": 1e-4,
            "epochs": 6,
            "batch_size": 32,
            "warmup_steps": 10,
            "weight_decay": 0.1,
        },
    }
    assert [point(session.suggest()) for _ in range(3)] == [
        ("freeze_ffn", 1e-4, 6, 32, 10, 3),
        ("full", 1e-4, 6, 32, 10, 3),
        ("full", 5e-5, 6, 16, 10, 3),
    ]


def test_first_configurations_of_a_conditional_space_take_their_own_branches(
    open_session: Callable[..., Session],
) -> None:
    session = open_session(load_space("moirai-small"))
    assert [point(session.suggest()) for _ in range(6)] == SMALL


def test_trials_are_numbered_and_seeded_by_their_number(open_session: Callable[..., Session]) -> None:
    """Seeds of different trials and sweeps differ: 10007 times the sweep's seed, and the number."""
    session = open_session(seed=3)
    configs = [session.suggest() for _ in range(3)]
    assert [c["trial_id"] for c in configs] == ["t0000", "t0001", "t0002"]
    assert [c["seed"] for c in configs] == [30021, 30022, 30023]


def test_another_seed_gives_other_configurations_after_the_first_ones(tmp_path: Path) -> None:
    points = []
    for seed in (0, 1):
        session = Session(tmp_path / f"seed-{seed}", two_numbers(), seed=seed)
        points.append([session.suggest()["hyper"]["lr"] for _ in range(3)])
    assert points[0][:2] == points[1][:2] == [1e-5, 1e-6]
    assert points[0][2] != points[1][2]


@pytest.mark.parametrize("searcher", ["tpe", "gp", "cmaes", "random"])
def test_every_searcher_stays_inside_the_domains(searcher: str, open_session: Callable[..., Session]) -> None:
    """Twelve trials: the Gaussian process takes over from random search after ten."""
    space = load_space("quickstart")
    session = open_session(space, searcher=searcher)
    domains = space.parameters()
    seen = []
    for _ in range(12):
        config = session.suggest()
        assert json.loads(json.dumps(config)) == config
        for name, domain in domains.items():
            assert domain.contains(config["hyper"][name]), (name, config["hyper"][name])
        assert isinstance(config["hyper"]["epochs"], int)
        seen.append(config["hyper"]["lr"])
        run_trial(session, config)
    assert len(set(seen)) > 6


def test_there_are_as_many_trials_as_asked_for_and_more_after_an_extension(
    open_session: Callable[..., Session],
) -> None:
    session = open_session(trials=3)
    assert session.search.remaining == 3
    assert [session.suggest()["trial_id"] for _ in range(3)] == ["t0000", "t0001", "t0002"]
    assert session.suggest() == Searcher.FINISHED
    for trial_id in ("t0000", "t0001", "t0002"):
        session.end(trial_id, 1, 0.5, "epochs")
    assert not session.search.has_open_trials
    assert session.search.remaining == 0
    longer = open_session(trials=4)
    assert longer.search.remaining == 1
    assert longer.search.has_open_trials
    assert longer.suggest()["trial_id"] == "t0003"
    assert longer.suggest() == Searcher.FINISHED


def test_grid_lists_every_point_once_and_then_ends(open_session: Callable[..., Session]) -> None:
    space = override_space(two_numbers(), {"lr": "choice:1e-5,2e-5,3e-5"})
    session = open_session(space, searcher="grid", trials=100)
    points = [session.suggest()["hyper"] for _ in range(6)]
    assert [(p["lr"], p["batch_size"]) for p in points] == [
        (1e-5, 16), (1e-5, 32), (2e-5, 16), (2e-5, 32), (3e-5, 16), (3e-5, 32),
    ]  # fmt: skip
    assert session.suggest() == Searcher.FINISHED


def test_a_list_of_points_is_run_in_order_and_ends(open_session: Callable[..., Session]) -> None:
    space = override_space(load_space("moirai-grid"), {"pretrained": "moirai-tiny"})
    session = open_session(space, trials=100)
    configs = []
    for _ in range(12):
        assert session.search.has_open_trials
        configs.append(session.suggest())
        session.end(configs[-1]["trial_id"], 1, 0.5, "epochs")
    assert [point(config) for config in configs] == GRID
    assert all(config["hyper"]["pretrained"] == "moirai-tiny" for config in configs)
    assert session.suggest() == Searcher.FINISHED
    assert not session.search.has_open_trials
    assert open_session(space, trials=100).suggest() == Searcher.FINISHED
