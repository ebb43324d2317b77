"""What the page says of how to repeat a sweep runs the same sweep."""

from __future__ import annotations

import itertools
import shlex

from search_spaces.library import load_space
from search_spaces.override import override_space
from tests.tune.report.written_sweep import make_spec
from tune.report.repeat import repetition_of


def test_the_command_has_the_shipped_spaces_name_and_all_that_differs():
    found = repetition_of(make_spec(repeats=2, futility=False, time_budget_seconds=5400.0))
    words = shlex.split(found.command)
    assert words[:3] == ["foretune", "sweep", "moirai-small"]
    pairs = dict(itertools.pairwise(words))
    assert pairs["--data"] == "/data/<b>etth1</b>.csv"
    assert (pairs["--split"], pairs["--scale"], pairs["--context-length"]) == ("ett", "standard", "512")
    assert (pairs["--seed"], pairs["--trials"], pairs["--searcher"], pairs["--repeats"]) == ("1234", "24", "gp", "2")
    assert pairs["--time-budget"] == "5400s"
    assert "--no-futility" in words
    assert "--stop-when-flat" not in words
    assert (found.space_file, found.space_text) == ("", "")


def test_a_changed_space_is_a_file_that_reads_as_the_same_space(tmp_path):
    space = override_space(load_space("moirai-small"), {"lr": "log:1e-6:1e-5"})
    found = repetition_of(make_spec(space=space.to_dict()))
    assert found.space_file == "moirai-small.yaml"
    assert shlex.split(found.command)[2] == "moirai-small.yaml"
    file = tmp_path / found.space_file
    file.write_text(found.space_text, encoding="utf-8")
    again = load_space(str(file)).to_dict()
    assert {k: v for k, v in again.items() if k not in ("name", "notes")} == {
        k: v for k, v in space.to_dict().items() if k not in ("name", "notes")
    }
