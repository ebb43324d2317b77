"""The specification of search_spaces/library.py: a space found by its name or its file."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from search_spaces.library import load_space
from search_spaces.mistakes import SpaceError
from tests.search_spaces.my_space import read


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
def test_unknown_space_is_reported_with_near_names(name: str, message: str) -> None:
    with pytest.raises(SpaceError) as caught:
        load_space(name)
    assert message in str(caught.value)


def test_example_of_the_readme_reads_without_a_mistake(tmp_path: Path) -> None:
    readme = Path(sys.modules["search_spaces.space"].__file__ or "").with_name("README.md")
    blocks = readme.read_text(encoding="utf-8").split("```yaml\n")[1:]
    spaces = [read(tmp_path, block.split("```")[0]) for block in blocks]
    assert [len(space.initial_points) for space in spaces] == [2, 2]
