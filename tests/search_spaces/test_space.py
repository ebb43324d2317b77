"""The specification of search_spaces/space.py: what the shipped spaces hold, sampling, grids, and finding one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from search_spaces.domain import Domain
from search_spaces.space import (
    SearchSpace,
    SpaceError,
    check_keys,
    list_spaces,
    load_space,
    shipped_names,
)
from tests.search_spaces.my_space import VALID, read

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


# The shipped spaces


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
    firsts = [first_trial(space, number) for number in range(len(space.first))]
    expected = [row for row in RECOMMENDED if row[:2] == (pretrained, strategy)]
    assert [tuple(config[key] for key in KEYS) for config in firsts] == expected
    assert all(config["weight_decay"] == 0.1 and config["gradient_clip"] == 1.0 for config in firsts)
    assert all(config["schedule"] == "constant" for config in firsts)


@pytest.mark.parametrize(("name", "pretrained"), [("moirai-small", SMALL), ("moirai-base", BASE)])
def test_conditional_space_starts_with_each_strategy_once_and_then_again(name: str, pretrained: str) -> None:
    space = load_space(name)
    firsts = [first_trial(space, number) for number in range(len(space.first))]
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


def test_every_space_of_bundled_data_recommends_one_for_data_of_ones_own() -> None:
    spaces = {space.name: space for space in list_spaces()}
    for space in spaces.values():
        assert bool(space.own_data) == ("data" in space.task), space.name
        if space.own_data:
            recommended = spaces[space.own_data]
            assert recommended.trainable == space.trainable
            assert "data" not in recommended.task


def test_quickstart_brings_its_own_task_and_tries_each_strategy() -> None:
    space = load_space("quickstart")
    assert space.trials >= 8
    assert space.fixed["pretrained"] == "moirai-tiny"
    assert space.task["data"] == "sample"
    assert {"head_only", "freeze_ffn", "full"} == {point["strategy"] for point in space.first}


# Sampling, grids, names


def test_sample_asks_for_scoped_names_and_returns_plain_ones(tmp_path: Path) -> None:
    space = read(tmp_path, VALID)
    asked: dict[str, Domain] = {}

    def suggest(name: str, domain: Domain) -> object:
        asked[name] = domain
        return "full" if name == "strategy" else domain.start()

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


def test_first_configurations_are_enqueued_by_scoped_names(tmp_path: Path) -> None:
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


def test_grid_is_row_major_branch_by_branch(tmp_path: Path) -> None:
    space = read(tmp_path, VALID).override({"lr": "1e-5"})
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
    space = read(tmp_path, VALID).override({"lr": "choice:1e-5", "batch_size": "16", "strategy": "choice:full"})
    assert space.grid_points() == [
        {"strategy": "full", "full/lr": 1e-5, "full/warmup_steps": steps} for steps in (0, 50, 100)
    ]


def test_corners_hold_both_ends_of_every_domain_on_every_path(tmp_path: Path) -> None:
    space = read(tmp_path, VALID)
    corners = [(c["strategy"], c["lr"], c.get("warmup_steps"), c["batch_size"]) for c in space.corners()]
    assert corners == [
        ("head_only", 5e-5, None, 16),  # the first configurations
        ("full", 5e-6, 50, 32),
        ("head_only", 1e-5, None, 16),
        ("head_only", 1e-4, None, 32),
        ("full", 5e-7, 0, 16),
        ("full", 5e-5, 100, 32),
    ]


def test_grid_too_large_to_try_is_refused(tmp_path: Path) -> None:
    text = "trainable: moirai\nsearch: {a: {int: [1, 1000]}, b: {int: [1, 1000]}}\n"
    with pytest.raises(SpaceError, match="at most, got 1000000"):
        read(tmp_path, text).grid()


def test_every_shipped_space_comes_back_from_json_exactly() -> None:
    for space in list_spaces():
        assert SearchSpace.from_dict(json.loads(json.dumps(space.to_dict()))) == space


def test_overridden_space_comes_back_from_json_exactly() -> None:
    space = load_space("moirai-small").override({"strategy": "full", "lr": "log:6e-6:1e-5"})
    assert space.notes
    assert SearchSpace.from_dict(json.loads(json.dumps(space.to_dict()))) == space


# Finding


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("moirai-smal", "unknown space 'moirai-smal'; did you mean 'moirai-small'"),
        ("nonsense", "unknown space 'nonsense'; `foretune spaces` lists them"),
        ("quickstrt.yaml", "no such file 'quickstrt.yaml'; did you mean 'quickstart'"),
        ("nowhere/x.yaml", "x.yaml: cannot be read: No such file or directory"),
        ("", "unknown space ''"),
    ],
)
def test_unknown_space_is_told_with_near_names(name: str, message: str) -> None:
    with pytest.raises(SpaceError) as caught:
        load_space(name)
    assert message in str(caught.value)


def test_unknown_parameters_are_told_with_near_names(tmp_path: Path) -> None:
    known = ["pretrained", "strategy", "lr", "batch_size", "warmup_steps", "gradient_clip"]
    space = read(tmp_path, VALID)
    with pytest.raises(SpaceError) as caught:
        check_keys(space.override({"gradient_clp": "2"}), known)
    lines = str(caught.value).splitlines()
    assert lines[0] == ("my_space: fixed: 'moirai' has no parameter 'gradient_clp'; did you mean 'gradient_clip'?")
    assert len(lines) == 3
    assert "conditional.strategy.head_only.fixed: 'moirai' has no parameter 'patience'" in lines[1]
    check_keys(space, [*known, "patience"])


def test_example_of_the_readme_reads_without_a_mistake(tmp_path: Path) -> None:
    readme = Path(sys.modules["search_spaces.space"].__file__ or "").with_name("README.md")
    blocks = readme.read_text(encoding="utf-8").split("```yaml\n")[1:]
    spaces = [read(tmp_path, block.split("```")[0]) for block in blocks]
    assert [len(space.first) for space in spaces] == [2, 2]


def test_reading_a_space_needs_neither_torch_nor_ray_nor_optuna() -> None:
    code = (
        "import sys, search_spaces.space as s; s.list_spaces(); "
        "sys.exit(' '.join({'torch', 'ray', 'optuna', 'numpy'} & set(sys.modules)) or 0)"
    )
    root = Path(sys.modules["search_spaces.space"].__file__ or "").parents[1]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
