"""The specification of search_spaces/space.py: what the shipped spaces hold, and what becomes of a file."""

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

VALID = """\
description: Two branches.
trainable: moirai
trials: 7
fixed: {pretrained: moirai-tiny, gradient_clip: 1.0}
search:
  strategy: {choice: [head_only, full]}
  batch_size: {choice: [16, 32]}
conditional:
  strategy:
    head_only: {fixed: {patience: 8}, search: {lr: {log: [1e-5, 1e-4]}}}
    full: {fixed: {patience: 3}, search: {lr: {log: [5e-7, 5e-5]}, warmup_steps: {int: [0, 100, 50]}}}
first:
  - {strategy: head_only, lr: 5e-5, batch_size: 16}
  - {strategy: full, lr: 5e-6, batch_size: 32, warmup_steps: 50}
"""


def read(folder: Path, text: str) -> SearchSpace:
    path = folder / "my_space.yaml"
    path.write_text(text, encoding="utf-8")
    return load_space(str(path))


def mistakes_of(folder: Path, text: str) -> list[str]:
    with pytest.raises(SpaceError) as caught:
        read(folder, text)
    return str(caught.value).splitlines()


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


# Overrides


def test_plain_value_fixes_a_parameter_in_every_branch() -> None:
    space = load_space("moirai-small").override({"lr": "1e-5"})
    assert space.fixed["lr"] == 1e-5
    assert all("lr" not in path.search for path in space.paths().values())
    assert len(space.first) == 3
    assert space.notes == ("merged 6 first configurations that became equal into 3",)


def test_plain_value_replaces_what_a_branch_fixes() -> None:
    space = load_space("moirai-small").override({"patience": "4"})
    assert [path.fixed["patience"] for path in space.paths().values()] == [4, 4, 4]
    assert len(space.first) == 6


def test_fixing_the_deciding_parameter_leaves_its_branch_as_the_whole_space() -> None:
    space = load_space("moirai-small").override({"strategy": "full"})
    assert not space.is_conditional
    assert space.fixed["strategy"] == "full"
    assert space.fixed["patience"] == 3
    assert [point["lr"] for point in space.first] == [5e-6, 1e-5]
    assert space.enqueued()[0].keys() == {"lr", "epochs", "batch_size", "warmup_steps", "weight_decay"}
    assert space.notes == ("strategy=full: left out 4 of 6 first configurations, which it does not allow",)


def test_choice_for_the_deciding_parameter_leaves_those_branches() -> None:
    space = load_space("moirai-small").override({"strategy": "choice:full,head_only"})
    assert list(space.paths()) == ["full", "head_only"]
    assert len(space.first) == 4


def test_order_of_settings_does_not_matter() -> None:
    forwards = load_space("moirai-small").override({"strategy": "full", "lr": "2e-5"})
    backwards = load_space("moirai-small").override({"lr": "2e-5", "strategy": "full"})
    assert forwards == backwards


def test_domain_replaces_a_searched_one_in_each_branch_and_drops_what_lies_outside() -> None:
    space = load_space("moirai-small").override({"lr": "log:1e-5:1e-4"})
    assert space.parameters()["full/lr"] == Domain("log", low=1e-5, high=1e-4)
    assert sorted(float(str(point["lr"])) for point in space.first) == [1e-5, 1e-5, 2e-5, 5e-5, 1e-4]
    assert space.notes == ("lr=log:1e-05:0.0001: left out 1 of 6 first configurations, which it does not allow",)


def test_domain_of_a_fixed_parameter_starts_at_the_value_it_was_fixed_to() -> None:
    space = load_space("moirai-small").override({"patience": "int:2:8"})
    assert {(point["strategy"], point["patience"]) for point in space.first} == {
        ("head_only", 8), ("freeze_ffn", 5), ("full", 3),
    }  # fmt: skip
    assert "full/patience" in space.parameters()


def test_domain_of_a_new_parameter_starts_at_its_low_end_and_says_so() -> None:
    space = load_space("moirai-small").override({"min_lr_ratio": "uniform:0:0.5"})
    assert all(point["min_lr_ratio"] == 0.0 for point in space.first)
    assert space.notes == ("min_lr_ratio=uniform:0:0.5: the first configurations start at 0",)


def test_domain_of_a_parameter_of_one_branch_stays_in_that_branch(tmp_path: Path) -> None:
    space = read(tmp_path, VALID).override({"warmup_steps": "int:0:50:10"})
    assert "full/warmup_steps" in space.parameters()
    assert "head_only/warmup_steps" not in space.parameters()
    assert len(space.first) == 2


def test_space_with_everything_fixed_is_one_trial() -> None:
    settings = {"lr": "1e-5", "epochs": "3", "warmup_steps": "0", "batch_size": "32", "weight_decay": "0.1"}
    space = load_space("moirai-small-full").override(settings)
    assert space.trials == 1
    assert len(space.grid()) == 1
    assert space.grid()[0]["lr"] == 1e-5
    assert "nothing is searched: trials are 1 instead of 20" in space.notes


def test_value_set_on_a_list_of_points_overwrites_every_point() -> None:
    space = load_space("moirai-grid").override({"pretrained": "moirai-tiny"})
    assert space.trials == 12
    assert {config["pretrained"] for config in space.grid()} == {"moirai-tiny"}
    merged = load_space("moirai-grid").override({"lr": "1e-5"})
    assert merged.trials == len(merged.grid()) == 6


def test_domain_set_on_a_list_of_points_is_refused() -> None:
    with pytest.raises(SpaceError, match="a list of points searches nothing"):
        load_space("moirai-grid").override({"lr": "log:1e-6:1e-4"})


def test_all_wrong_settings_are_told_at_once() -> None:
    settings = {"strategy": "ful", "lr": "log:1e-4:1e-6", "epochs": "", "": "3"}
    with pytest.raises(SpaceError) as caught:
        load_space("moirai-small").override(settings)
    lines = str(caught.value).splitlines()
    assert len(lines) == 4
    assert (
        "moirai-small: --set strategy=ful: must be one of head_only, freeze_ffn, full, got 'ful'; did you mean 'full'?"
    ) in lines
    assert "moirai-small: --set lr=log:1e-4:1e-6: low must be below high, got [1e-4, 1e-6]; swap them" in lines


# Files


def test_valid_file_is_named_after_itself(tmp_path: Path) -> None:
    space = read(tmp_path, VALID)
    assert (space.name, space.trials, space.description) == ("my_space", 7, "Two branches.")


def test_number_without_a_dot_is_a_number(tmp_path: Path) -> None:
    text = "trainable: t\nfixed: {lr: 1e-5, tag: '1e-5', day: 2020-01-01, switch: on}\nsearch: {a: {int: [1, 2]}}\n"
    assert read(tmp_path, text).fixed == {"lr": 1e-5, "tag": "1e-5", "day": "2020-01-01", "switch": "on"}


def test_trials_are_twenty_unless_said(tmp_path: Path) -> None:
    assert read(tmp_path, "trainable: t\nsearch: {a: {int: [1, 2]}}\n").trials == 20


def test_merged_keys_may_be_overwritten(tmp_path: Path) -> None:
    text = VALID.replace("full: {fixed: {patience: 3}", "full: {fixed: {<<: &shared {patience: 8}, patience: 3}")
    assert read(tmp_path, text).paths()["full"].fixed["patience"] == 3


def test_range_upside_down_is_told_with_its_remedy(tmp_path: Path) -> None:
    text = "trainable: moirai\nsearch: {lr: {log: [1e-4, 5e-7]}}\n"
    assert mistakes_of(tmp_path, text) == [
        "my_space.yaml: search.lr: low must be below high, got [1e-4, 5e-7]; swap them"
    ]


def test_all_mistakes_of_a_file_are_told_at_once(tmp_path: Path) -> None:
    text = """\
descripton: misspelt
trainable: moirai
trials: 0
fixed: {batch_size: 32, nested: {a: 1}}
search:
  lr: {log: [0, 1e-4]}
  epochs: {integer: [1, 2]}
  warmup_steps: {int: [0, 1.5]}
  batch_size: {choice: []}
  dropout: 0.1
  strategy: {choice: [full, full]}
  depth: {int: [1, 3]}
  width: {int: [1, 3]}
first:
  - {lr: 1e-5, depth: 4, widht: 2}
  - 3
task: {context: 512, eval_stride: 0, scale: minmax}
"""
    prefix = "my_space.yaml: "
    lines = [line.removeprefix(prefix) for line in mistakes_of(tmp_path, text)]
    assert sorted(lines) == sorted(
        [
            "unknown key 'descripton'; did you mean 'description'?",
            "trials: must be a whole number of 1 or more, got 0",
            "fixed.nested: must be one value or a list of values, got {'a': 1}; domains stand under search",
            "search.lr: low must be above 0 for log, got 0; raise it",
            "search.epochs: unknown kind of domain 'integer'; did you mean 'int'?; the kinds are log, uniform, int, "
            "logint, choice",
            "search.warmup_steps: high must be a whole number, got 1.5; round it, or use uniform or log",
            "search.batch_size: choice takes a list of at least one value, such as [16, 32], got []",
            "search.dropout: must be one domain, such as {log: [1e-6, 1e-4]}, got 0.1; one plain value stands "
            "under fixed",
            "search.strategy: choices must differ, got 'full' twice; keep one",
            "first, entry 1: misses width; a first configuration is complete, add it",
            "first, entry 1: depth: must lie in int:1:3, got 4; widen the domain or mend it",
            "first, entry 1: widht: is not searched; did you mean 'width'?",
            "first, entry 2: must be a mapping such as {lr: 1e-5}, got 3",
            "task: unknown key 'context'; did you mean 'context_length'?",
            "task.eval_stride: must be a whole number of 1 or more, got 0",
            "task.scale: must be none or standard, got 'minmax'",
        ]
    )


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("search:\n", "serach:\n", "unknown key 'serach'; did you mean 'search'?"),
        ("trainable: moirai", "trainable:", "trainable: must be text, got nothing; write 'trainable: …'"),
        ("trials: 7", "trials: many", "trials: must be a whole number of 1 or more, got 'many'"),
        ("gradient_clip: 1.0", "batch_size: 8", "fixed.batch_size: stands under search too; keep one"),
        ("gradient_clip: 1.0", "patience: 8", "conditional.strategy.full.patience: stands under fixed too"),
        ("{patience: 3}", "{lr: 3}", "conditional.strategy.full.fixed.lr: stands under search too; keep one"),
        ("    full:", "    ful:", "conditional.strategy: misses the branch 'full'; add 'full: {}' at least"),
        ("    full:", "    ful:", "conditional.strategy: 'ful' is no choice of strategy; did you mean 'full'?"),
        (
            "  strategy:\n",
            "  stratgy:\n",
            "conditional.stratgy: the deciding parameter must be a choice under search, but stratgy is not searched; "
            "did you mean 'strategy'?",
        ),
        (
            "strategy: {choice: [head_only, full]}",
            "strategy: {int: [1, 2]}",
            "but strategy is searched as int:1:2",
        ),
        ("{fixed: {patience: 3},", "{fixd: {patience: 3},", "conditional.strategy.full: unknown key 'fixd'"),
        ("{strategy: full, lr", "{lr", "first, entry 2: misses strategy, which decides the rest; add it"),
        (
            "{strategy: full, lr",
            "{strategy: fall, lr",
            "first, entry 2: strategy: must be one of head_only, full, got 'fall'; did you mean 'full'?",
        ),
        ("lr: 5e-6", "lr: 1e-4", "first, entry 2: lr: must lie in log:5e-07:5e-05, got 1e-4; widen the domain"),
        (
            "batch_size: 32, warmup_steps: 50",
            "batch_size: 32",
            "first, entry 2: misses warmup_steps; a first configuration is complete, add it",
        ),
        (
            "lr: 5e-5, batch",
            "lr: 5e-5, warmup_steps: 50, batch",
            "first, entry 1: warmup_steps: is not searched when strategy is head_only",
        ),
        (
            "lr: 5e-5, batch",
            "lr: 5e-5, patience: 8, batch",
            "first, entry 1: patience: is fixed to 8; leave it out here",
        ),
        ("first:\n", "first: {}\nx:\n", "first: must be a list of configurations, got {}; start each with '-'"),
        (
            "  - {strategy: full, lr: 5e-6, batch_size: 32, warmup_steps: 50}",
            "  - {strategy: head_only, lr: 5e-5, batch_size: 16.0}",
            "first, entry 2: repeats entry 1; leave one out",
        ),
    ],
)
def test_one_mistake_is_told_at_its_place(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in VALID
    lines = mistakes_of(tmp_path, VALID.replace(old, new, 1))
    assert any(line.startswith(f"my_space.yaml: {message}") or message in line for line in lines), lines
    assert len(lines) <= 2, lines


def test_second_deciding_parameter_is_refused(tmp_path: Path) -> None:
    text = VALID.replace("conditional:\n", "conditional:\n  batch_size: {16: {}, 32: {}}\n")
    assert mistakes_of(tmp_path, text) == [
        "my_space.yaml: conditional: one parameter at most may decide, got batch_size, strategy; keep one"
    ]


def test_number_may_decide(tmp_path: Path) -> None:
    text = """\
trainable: t
search: {depth: {choice: [1, 2]}}
conditional: {depth: {1: {}, 2: {search: {width: {int: [1, 2]}}}}}
"""
    space = read(tmp_path, text)
    assert [config.get("width") for config in space.grid()] == [None, 1, 2]
    assert SearchSpace.from_dict(json.loads(json.dumps(space.to_dict()))) == space


def test_repeated_key_is_told_with_both_lines(tmp_path: Path) -> None:
    text = "trainable: t\nsearch:\n  lr: {log: [1e-6, 1e-4]}\n  lr: {log: [1e-5, 1e-4]}\ntrials: 0\n"
    assert mistakes_of(tmp_path, text) == [
        "my_space.yaml: line 4, column 3: key 'lr' stands twice (first on line 3); keep one",
        "my_space.yaml: trials: must be a whole number of 1 or more, got 0",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("search: {lr: [1\n", "my_space.yaml: line 2, column 1: not YAML: "),
        ("a: 1\n\tb: 2\n", "my_space.yaml: line 2, column 1: not YAML: "),
        ("a: !!python/object:os.system x\n", "my_space.yaml: line 1, column 4: not YAML: "),
        ("a: 1\n---\nb: 2\n", "my_space.yaml: line 2, column 1: not YAML: "),
        ("", "my_space.yaml: must hold keys such as 'trainable' and 'search', got an empty file"),
        ("# only a comment\n", "my_space.yaml: must hold keys such as 'trainable' and 'search', got an empty file"),
        ("- 1\n", "my_space.yaml: must hold keys such as 'trainable' and 'search', got a list"),
        ("a: \x00\n", "my_space.yaml: not YAML: "),
    ],
)
def test_file_that_is_no_mapping_is_told_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    lines = mistakes_of(tmp_path, text)
    assert len(lines) == 1
    assert lines[0].startswith(message)


def test_file_that_is_not_utf8_is_told(tmp_path: Path) -> None:
    path = tmp_path / "latin.yaml"
    path.write_bytes("description: Größe\n".encode("latin-1"))
    with pytest.raises(SpaceError, match=r"latin\.yaml: must be UTF-8 text, got byte 0xf6"):
        load_space(str(path))


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
        ("fixed: {lr: 1}\nfirst: [{lr: 1}]", "first, entry 1: lr: stands under fixed too; keep one"),
        ("trials: 5\nfirst: [{lr: 1}]", "trials: a list of points tries each once, got 5 for 1; leave trials out"),
        ("fixed: {lr: 1}", "search: must hold a domain, or first a point; there would be nothing to try"),
    ],
)
def test_points_of_different_shapes_are_refused(tmp_path: Path, text: str, message: str) -> None:
    assert mistakes_of(tmp_path, f"trainable: t\n{text}\n") == [f"my_space.yaml: {message}"]


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
