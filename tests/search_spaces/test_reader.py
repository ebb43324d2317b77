"""The specification of search_spaces/reader.py: what becomes of a file, and its mistakes all at once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from search_spaces.space import SearchSpace
from tests.search_spaces.my_space import VALID, mistakes_of, read


def test_valid_file_is_named_after_itself(tmp_path: Path) -> None:
    space = read(tmp_path, VALID)
    assert (space.name, space.trials, space.description) == ("my_space", 7, "Two branches.")


def test_trials_are_twenty_by_default(tmp_path: Path) -> None:
    assert read(tmp_path, "trainable: t\nsearch: {a: {int: [1, 2]}}\n").trials == 20


def test_range_upside_down_is_reported_with_its_remedy(tmp_path: Path) -> None:
    text = "trainable: moirai\nsearch: {lr: {log: [1e-4, 5e-7]}}\n"
    assert mistakes_of(tmp_path, text) == [
        "my_space.yaml: search.lr: low must be below high, got [1e-4, 5e-7]; swap them"
    ]


def test_all_mistakes_of_a_file_are_reported_at_once(tmp_path: Path) -> None:
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
            "fixed.nested: must be one value or a list of values, got {'a': 1}; domains go under search",
            "search.lr: low must be above 0 for log, got 0; raise it",
            "search.epochs: unknown kind of domain 'integer'; did you mean 'int'?; the kinds are log, uniform, int, "
            "logint, choice",
            "search.warmup_steps: high must be a whole number, got 1.5; round it, or use uniform or log",
            "search.batch_size: choice takes a list of at least one value, such as [16, 32], got []",
            "search.dropout: must be one domain, such as {log: [1e-6, 1e-4]}, got 0.1; one plain value goes "
            "under fixed",
            "search.strategy: choices must differ, got 'full' twice; keep one",
            "first, entry 1: misses width; an initial point is complete, add it",
            "first, entry 1: depth: must lie in int:1:3, got 4; widen the domain or change it",
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
        ("gradient_clip: 1.0", "batch_size: 8", "fixed.batch_size: is under search too; keep one"),
        ("gradient_clip: 1.0", "patience: 8", "conditional.strategy.full.patience: is under fixed too"),
        ("{patience: 3}", "{lr: 3}", "conditional.strategy.full.fixed.lr: is under search too; keep one"),
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
            "first, entry 2: misses warmup_steps; an initial point is complete, add it",
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
def test_one_mistake_is_reported_at_its_place(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in VALID
    lines = mistakes_of(tmp_path, VALID.replace(old, new, 1))
    assert any(line.startswith(f"my_space.yaml: {message}") or message in line for line in lines), lines
    assert len(lines) <= 2, lines


def test_second_deciding_parameter_is_rejected(tmp_path: Path) -> None:
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
