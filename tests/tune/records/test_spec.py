"""The specification of tune/records/spec.py: which searcher fits which space."""

from __future__ import annotations

import json

import pytest

from search_spaces.library import load_space
from search_spaces.mistakes import SpaceError
from search_spaces.override import override_space
from tune.records.spec import FORMAT_VERSION, SweepError, SweepSpec, check_searcher
from tune.sweep import Sweep


@pytest.mark.parametrize("searcher", ["gp", "cmaes"])
def test_a_searcher_that_knows_no_conditions_is_refused_on_a_conditional_space(searcher: str) -> None:
    with pytest.raises(SweepError, match=f"--searcher {searcher} needs a space without conditions"):
        check_searcher(searcher, load_space("moirai-small"))
    check_searcher(searcher, override_space(load_space("moirai-small"), {"strategy": "full"}))
    check_searcher(searcher, load_space("quickstart"))


def test_a_grid_of_an_endless_space_is_rejected() -> None:
    with pytest.raises(SpaceError, match="a grid needs domains that can be listed"):
        check_searcher("grid", load_space("quickstart"))
    check_searcher("grid", load_space("moirai-grid"))


@pytest.mark.parametrize(
    ("version", "said"), [(None, "one before versions"), (1, "version 1"), ("two", "version 'two'")]
)
def test_a_folder_of_another_format_version_is_rejected_with_one_message(
    better: Sweep, version: object, said: str
) -> None:
    record = json.loads(better.folder.spec.read_text())
    assert record["format_version"] == FORMAT_VERSION
    record = {key: value for key, value in record.items() if key != "format_version"}
    better.folder.spec.write_text(json.dumps(record if version is None else {**record, "format_version": version}))
    with pytest.raises(SweepError, match=f"must be of format version {FORMAT_VERSION}, got {said}; read it with"):
        SweepSpec.read(better.folder)


def test_a_record_from_before_validation_had_its_own_limit_keeps_the_windows_it_was_measured_on(better: Sweep) -> None:
    record = json.loads(better.folder.spec.read_text())
    record["task"] |= {"max_windows": 2000, "window_seed": 0}
    record["task"].pop("max_eval_windows", None)
    better.folder.spec.write_text(json.dumps(record))
    task = SweepSpec.read(better.folder).task
    assert (task.most_windows("train"), task.most_windows("val"), task.most_windows("test")) == (2000, 250, 250)
    record["task"]["max_eval_windows"] = None
    better.folder.spec.write_text(json.dumps(record))
    assert SweepSpec.read(better.folder).task.most_windows("val") is None
