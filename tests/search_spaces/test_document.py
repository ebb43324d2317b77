"""The specification of search_spaces/document.py: what the YAML text of a space may be."""

from __future__ import annotations

from pathlib import Path

import pytest

from search_spaces.library import load_space
from search_spaces.mistakes import SpaceError
from tests.search_spaces.my_space import VALID, mistakes_of, read


def test_merged_keys_may_be_overwritten(tmp_path: Path) -> None:
    text = VALID.replace("full: {fixed: {patience: 3}", "full: {fixed: {<<: &shared {patience: 8}, patience: 3}")
    assert read(tmp_path, text).paths()["full"].fixed["patience"] == 3


def test_number_without_a_dot_is_a_number(tmp_path: Path) -> None:
    text = "trainable: t\nfixed: {lr: 1e-5, tag: '1e-5', day: 2020-01-01, switch: on}\nsearch: {a: {int: [1, 2]}}\n"
    assert read(tmp_path, text).fixed == {"lr": 1e-5, "tag": "1e-5", "day": "2020-01-01", "switch": "on"}


def test_repeated_key_is_reported_with_both_lines(tmp_path: Path) -> None:
    text = "trainable: t\nsearch:\n  lr: {log: [1e-6, 1e-4]}\n  lr: {log: [1e-5, 1e-4]}\ntrials: 0\n"
    assert mistakes_of(tmp_path, text) == [
        "my_space.yaml: line 4, column 3: key 'lr' is given twice (first on line 3); keep one",
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
def test_file_that_is_no_mapping_is_reported_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    lines = mistakes_of(tmp_path, text)
    assert len(lines) == 1
    assert lines[0].startswith(message)


def test_file_that_is_not_utf8_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "latin.yaml"
    path.write_bytes("description: Größe\n".encode("latin-1"))
    with pytest.raises(SpaceError, match=r"latin\.yaml: must be UTF-8 text, got byte 0xf6"):
        load_space(str(path))


def test_aliases_are_allowed(tmp_path: Path) -> None:
    text = "trainable: t\nsearch: {a: &range {int: [1, 2]}, b: *range}\n"
    space = read(tmp_path, text)
    assert space.search["a"] == space.search["b"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("trainable: t\nfirst: &f [*f]\n", "aliases (*name) make it without end"),
        (
            "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
            + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 30)),
            "aliases (*name) make it of",
        ),
        ("a: " + "[" * 50_000, "must not be nested so deeply"),
    ],
    ids=["recursive", "bomb", "deep"],
)
def test_a_document_without_measure_is_one_message(tmp_path: Path, text: str, message: str) -> None:
    (found,) = mistakes_of(tmp_path, text)
    assert message in found


def test_a_file_far_larger_than_any_space_is_not_parsed(tmp_path: Path) -> None:
    (found,) = mistakes_of(tmp_path, "#" * 200_000)
    assert "a space has 131,072 bytes at most, and this file has 200,000" in found


def test_a_section_of_far_more_names_than_a_model_has_is_one_mistake(tmp_path: Path) -> None:
    names = ", ".join(f"p{i}: 1" for i in range(3000))
    assert mistakes_of(tmp_path, f"trainable: t\nfixed: {{{names}}}\nsearch: {{a: {{int: [1, 2]}}}}\n") == [
        "my_space.yaml: fixed: must hold 200 names at most, got 3000; leave some out"
    ]


def test_of_many_mistakes_the_first_are_reported(tmp_path: Path) -> None:
    points = ", ".join(["{a: 1}"] * 500)
    found = mistakes_of(tmp_path, f"trainable: t\nsearch: {{a: {{int: [1, 2]}}}}\nfirst: [{points}]\n")
    assert found[0] == "my_space.yaml: first, entry 2: repeats entry 1; leave one out"
    assert len(found) == 41
    assert found[-1] == "and 459 more mistakes"  # 499 of them, without the first 40
