"""The specification of tune/cli/config_file.py: the schema of a file of options."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from tests.tune.cli.command_line import Foretune, strict_json


@pytest.fixture
def schema(foretune: Foretune) -> Any:
    ended = foretune("spaces", "schema", "--config")
    assert (ended.status, ended.err) == (0, "")
    return strict_json(ended.out)


def test_the_file_that_init_writes_fits_also_with_every_option(
    foretune: Foretune, schema: Any, two_series: Path
) -> None:
    text = foretune("init", two_series, "--to", "-").out
    jsonschema.Draft7Validator.check_schema(schema)
    jsonschema.validate(yaml.safe_load(text), schema)
    _, _, others = text.partition("take the first # off:\n")
    every = yaml.safe_load(others.replace("# ", "", 1).replace("\n# ", "\n"))
    assert {"trials", "time_column", "set"} <= every.keys()
    jsonschema.validate(every, schema)


@pytest.mark.parametrize(
    "options",
    [
        {"time-budget": "2h", "max_windows": 300},
        {"set": {"lr": 1e-5, "epochs": "int:2:8"}},
        {"set": ["lr=1e-5"], "na": [-999, "off"], "start_from": "night1"},
        {"futility": False, "decimal": ","},
    ],
)
def test_what_a_file_may_hold_fits(schema: Any, options: dict[str, object]) -> None:
    jsonschema.validate(options, schema)


@pytest.mark.parametrize("options", [{"trails": 3}, {"trials": "x"}, {"trials": 2.5}, {"config": "a.yaml"}])
def test_what_no_file_may_hold_does_not_fit(schema: Any, options: dict[str, object]) -> None:
    assert not jsonschema.Draft7Validator(schema).is_valid(options)


def test_the_schema_of_a_space_is_printed_for_an_editor(foretune: Foretune) -> None:
    printed = strict_json(foretune("spaces", "schema").out)
    assert {"trainable", "fixed", "search", "first"} <= printed["properties"].keys()
