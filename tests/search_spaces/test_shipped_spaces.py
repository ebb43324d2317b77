"""The specification of the shipped YAML files: which there are, and what they hold."""

from __future__ import annotations

import pytest

from search_spaces.library import list_spaces, load_space, shipped_names
from search_spaces.space import SearchSpace

SMALL, BASE = "Salesforce/moirai-1.1-R-small", "Salesforce/moirai-1.1-R-base"

# The table of recommended points, typed in by hand:
# pretrained, strategy, lr, epochs, batch_size, warmup_steps, patience
RECOMMENDED = [
    (SMALL, "head_only", 5e-5, 20, 64, 50, 8),
    (SMALL, "head_only", 1e-4, 20, 64, 50, 8),
    (SMALL, "freeze_ffn", 1e-5, 10, 64, 100, 5),
    (SMALL, "freeze_ffn", 2e-5, 10, 64, 100, 5),
    (SMALL, "full", 5e-6, 5, 64, 50, 3),
    (SMALL, "full", 1e-5, 5, 64, 50, 3),
    (BASE, "head_only", 2e-5, 15, 32, 100, 6),
    (BASE, "head_only", 5e-5, 15, 32, 100, 6),
    (BASE, "freeze_ffn", 5e-6, 5, 32, 150, 3),
    (BASE, "freeze_ffn", 1e-5, 5, 32, 150, 3),
    (BASE, "full", 2e-6, 3, 32, 100, 2),
    (BASE, "full", 5e-6, 3, 32, 100, 2),
]
KEYS = ("pretrained", "strategy", "lr", "epochs", "batch_size", "warmup_steps", "patience")
SINGLE = [
    (f"moirai-{size}-{strategy.replace('_', '-')}", pretrained, strategy)
    for size, pretrained in (("small", SMALL), ("base", BASE))
    for strategy in ("full", "freeze_ffn", "head_only")
]


def first_trial(space: SearchSpace, number: int) -> dict[str, object]:
    """Replay one enqueued configuration through sample, as Optuna does."""
    values = space.enqueued()[number]
    return space.sample(lambda name, domain: values[name])


def test_every_shipped_space_is_found_by_its_file() -> None:
    assert shipped_names() == [
        "moirai-base",
        "moirai-base-freeze-ffn",
        "moirai-base-full",
        "moirai-base-head-only",
        "moirai-distill",
        "moirai-distill-quickstart",
        "moirai-grid",
        "moirai-small",
        "moirai-small-freeze-ffn",
        "moirai-small-full",
        "moirai-small-head-only",
        "quickstart",
        "time-llm",
        "time-llm-quickstart",
        "time-llm-qwen2.5-3b-4bit",
        "time-moe-200m",
        "time-moe-50m",
        "time-moe-quickstart",
    ]
    assert [space.name for space in list_spaces()] == shipped_names()
    assert all(space.description for space in list_spaces())


@pytest.mark.parametrize("name", ["time-moe-50m", "time-moe-200m", "time-moe-quickstart"])
def test_time_moe_begins_with_the_configuration_known_to_work(name: str) -> None:
    """lr 1e-5, constant, no warm-up, batch 8, stride 128, max_length 256, 5 epochs."""
    first = load_space(name).enqueued()[0]
    known = {"lr": 1e-5, "schedule": "constant", "warmup_steps": 0, "batch_size": 8, "epochs": 5}
    assert known.items() <= first.items()
    assert load_space(name).fixed.items() >= {"stride": 128, "max_length": 256}.items()
    assert min(load_space(name).numbers("epochs")) == 1


def test_moirai_grid_is_exactly_the_twelve_recommended_points() -> None:
    space = load_space("moirai-grid")
    assert space.trials == 12
    assert [tuple(config[key] for key in KEYS) for config in space.grid()] == RECOMMENDED
    for config in space.grid():
        assert config["weight_decay"] == 0.1
        assert config["gradient_clip"] == 1.0
        assert config["schedule"] == "constant"


@pytest.mark.parametrize(("name", "pretrained", "strategy"), SINGLE)
def test_single_strategy_space_starts_with_its_recommended_points(name: str, pretrained: str, strategy: str) -> None:
    space = load_space(name)
    firsts = [first_trial(space, number) for number in range(len(space.initial_points))]
    expected = [row for row in RECOMMENDED if row[:2] == (pretrained, strategy)]
    assert [tuple(config[key] for key in KEYS) for config in firsts] == expected
    assert all(config["weight_decay"] == 0.1 and config["gradient_clip"] == 1.0 for config in firsts)
    assert all(config["schedule"] == "constant" for config in firsts)


@pytest.mark.parametrize(("name", "pretrained"), [("moirai-small", SMALL), ("moirai-base", BASE)])
def test_conditional_space_starts_with_each_strategy_once_and_then_again(name: str, pretrained: str) -> None:
    space = load_space(name)
    firsts = [first_trial(space, number) for number in range(len(space.initial_points))]
    expected = [row for row in RECOMMENDED if row[0] == pretrained]
    assert [config["strategy"] for config in firsts] == ["head_only", "freeze_ffn", "full"] * 2
    assert sorted(tuple(map(str, (config[key] for key in KEYS))) for config in firsts) == sorted(
        tuple(map(str, row)) for row in expected
    )
    assert all(config["weight_decay"] == 0.1 for config in firsts)


def test_every_shipped_space_searches_the_five_hyperparameters_inside_the_bounds() -> None:
    for space in list_spaces():
        if space.is_points or space.trainable == "time-llm":  # its batch may be fixed, for a card of 6 GB
            continue
        highest = 1e-4 if space.trainable in ("moirai", "time-moe") else 1e-2  # what starts untrained needs more
        for path in space.paths().values():
            assert {"lr", "epochs", "warmup_steps", "weight_decay", "batch_size"} <= set(path.search)
            lr = path.search["lr"]
            assert lr.kind == "log"
            assert 5e-7 <= lr.low < lr.high <= highest


def test_every_space_of_bundled_data_recommends_one_for_the_users_own_data() -> None:
    spaces = {space.name: space for space in list_spaces()}
    for space in spaces.values():
        assert bool(space.recommended_space) == ("data" in space.task), space.name
        if space.recommended_space:
            recommended = spaces[space.recommended_space]
            assert recommended.trainable == space.trainable
            assert "data" not in recommended.task


def test_quickstart_brings_its_own_task_and_tries_each_strategy() -> None:
    space = load_space("quickstart")
    assert space.trials >= 8
    assert space.fixed["pretrained"] == "moirai-tiny"
    assert space.task["data"] == "sample"
    assert {"head_only", "freeze_ffn", "full"} == {point["strategy"] for point in space.initial_points}
