"""The examples in docstrings, run as they are printed: on everything that a user may import."""

from __future__ import annotations

import doctest
from importlib import import_module

import pytest

EXAMPLES = {
    "data.panel": "Panel",
    "data.task.task": "ForecastTask",
    "search_spaces.space": "SearchSpace",
    "tune.api.forecaster": "load_forecaster",
    "tune.leaderboard.leaderboard": "Leaderboard",
    "trainables.moirai_distill.student": "Student",
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_example_in_the_docstring_is_right(name: str) -> None:
    module = import_module(name)
    finder, runner = doctest.DocTestFinder(), doctest.DocTestRunner()
    tests = [test for test in finder.find(module) if test.examples]
    assert f"{name}.{EXAMPLES[name]}" in [test.name for test in tests]
    for test in tests:
        runner.run(test)
    assert runner.summarize(verbose=False).failed == 0
