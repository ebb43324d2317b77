"""The specification of tune/planning/space_schema.py: a schema accepts what is read, and rejects what is no space."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest

from search_spaces.document import read_document
from search_spaces.library import shipped_names
from search_spaces.mistakes import Mistakes
from tests.paths import REPOSITORY, TOYS
from tune.planning.space_schema import space_schema

SPACE: dict[str, Any] = {
    "trainable": "moirai",
    "fixed": {"pretrained": "moirai-tiny", "epochs": 2, "batch_size": 32},
    "search": {"lr": {"log": [1e-6, 1e-4]}, "strategy": {"choice": ["full", "head_only"]}},
    "conditional": {"strategy": {"full": {"fixed": {"patience": 3}}, "head_only": {}}},
    "first": [{"name": "paper", "lr": 1e-5, "strategy": "full"}],
    "task": {"context_length": 64, "scale": "standard"},
}


@pytest.fixture(scope="module")
def validator() -> Any:
    schema = space_schema()
    jsonschema.Draft7Validator.check_schema(schema)
    return jsonschema.Draft7Validator(schema)


def test_every_shipped_space_and_the_toys_fit(validator: Any) -> None:
    files = [*(REPOSITORY / "search_spaces").glob("*/*.yaml"), TOYS / "toy.yaml"]
    assert len(files) == len(shipped_names()) + 1
    for file in files:
        validator.validate(read_document(file, Mistakes(file.name)))


def test_the_examples_of_the_formats_page_fit(validator: Any, tmp_path: Path) -> None:
    page = (REPOSITORY / "search_spaces" / "README.md").read_text(encoding="utf-8")
    blocks = page.split("```yaml\n")[1:]
    assert len(blocks) >= 2
    for block in blocks:
        (tmp_path / "space.yaml").write_text(block.split("```")[0], encoding="utf-8")
        validator.validate(read_document(tmp_path / "space.yaml", Mistakes("README.md")))


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("serach",), {}),
        (("trainable",), None),
        (("trials",), 0),
        (("fixed", "batchsize"), 32),
        (("fixed", "epochs"), -2),
        (("fixed", "pretrained"), ["a"]),
        (("search", "lr"), 1e-5),
        (("search", "lr"), {"lg": [1e-6, 1e-4]}),
        (("search", "lr"), {"log": [1e-6]}),
        (("search", "lr"), {"log": [1e-6, 1e-4, 1]}),
        (("search", "learning_rate"), {"log": [1e-6, 1e-4]}),
        (("search", "strategy"), {"choice": []}),
        (("conditional", "lr"), {"full": {}}),
        (("conditional", "strategy"), {"full": {"fixd": {}}}),
        (("first",), {"lr": 1e-5}),
        (("first",), [{"lrr": 1e-5}]),
        (("first",), [{"name": "a paper", "lr": 1e-5}]),
        (("task", "contextlength"), 64),
        (("task", "scale"), "robust"),
    ],
)
def test_what_is_no_space_does_not_fit(validator: Any, place: tuple[str, ...], value: object) -> None:
    assert validator.is_valid(SPACE)
    *above, name = place
    section = SPACE[above[0]] if above else SPACE
    changed = {**section, name: value}
    assert not validator.is_valid({**SPACE, above[0]: changed} if above else changed)


def test_a_model_of_ones_own_may_have_any_parameter(validator: Any) -> None:
    own = {"trainable": "my_model.py", "search": {"width": {"int": [1, 9]}}, "first": [{"width": 3}]}
    assert validator.is_valid(own)
    assert not validator.is_valid({**own, "search": {"width": 3}})


def test_a_parameter_has_its_limits_and_its_default() -> None:
    lr = space_schema()["definitions"]["moirai-values"]["properties"]["lr"]
    assert lr == {"type": "number", "exclusiveMinimum": 0, "maximum": 1}
    patience = space_schema()["definitions"]["time-moe-values"]["properties"]["patience"]
    assert (patience["default"], patience["minimum"]) == (3, 1)


def test_the_schema_names_no_path_of_the_machine() -> None:
    assert str(Path.home()) not in str(space_schema())
