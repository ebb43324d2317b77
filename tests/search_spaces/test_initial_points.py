"""The specification of search_spaces/initial_points.py: a list of points (test_reader.py has the other spaces)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.search_spaces.my_space import mistakes_of, read


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
        ("fixed: {lr: 1}\nfirst: [{lr: 1}]", "first, entry 1: lr: is under fixed too; keep one"),
        ("trials: 5\nfirst: [{lr: 1}]", "trials: a list of points tries each once, got 5 for 1; leave trials out"),
        ("fixed: {lr: 1}", "search: must hold a domain, or first a point; there would be nothing to try"),
    ],
)
def test_points_of_different_shapes_are_rejected(tmp_path: Path, text: str, message: str) -> None:
    assert mistakes_of(tmp_path, f"trainable: t\n{text}\n") == [f"my_space.yaml: {message}"]


def test_true_and_1_are_different_points(tmp_path: Path) -> None:
    space = read(tmp_path, "trainable: t\nfirst: [{flag: true}, {flag: 1}]\n")
    assert [domain.values for domain in space.parameters().values()] == [(True, 1)]
    assert [type(point["flag"]) for point in space.grid()] == [bool, int]


# Names

SEARCHED = "trainable: t\nsearch: {lr: {log: [1e-6, 1e-3]}}\n"


def test_a_point_may_have_a_name_which_is_no_parameter(tmp_path: Path) -> None:
    space = read(tmp_path, f"{SEARCHED}first: [{{name: paper-2024, lr: 1e-5}}, {{lr: 1e-4}}]\n")
    assert space.point_names() == ["paper-2024", ""]
    assert space.enqueued() == [{"lr": 1e-5}, {"lr": 1e-4}]
    assert all("name" not in config for config in (*space.corners(), *space.extremes()))
    assert type(space).from_dict(space.to_dict()).point_names() == ["paper-2024", ""]


def test_points_of_a_list_may_have_names_too(tmp_path: Path) -> None:
    space = read(tmp_path, "trainable: t\nfirst: [{name: slow, lr: 5e-6}, {lr: 1e-5}]\n")
    assert space.grid() == [{"lr": 5e-6}, {"lr": 1e-5}]
    assert list(space.parameters()) == ["lr"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a b", "must be up to 32 letters, digits, _ and -, the first a letter or a digit, got 'a b'; change it"),
        ("../x", "must be up to 32 letters, digits, _ and -, the first a letter or a digit, got '../x'; change it"),
        ("a.b", "must be up to 32 letters, digits, _ and -, the first a letter or a digit, got 'a.b'; change it"),
        ("é", "must be up to 32 letters, digits, _ and -, the first a letter or a digit, got 'é'; change it"),
        ("''", "must be up to 32 letters, digits, _ and -, the first a letter or a digit, got ''; change it"),
        ("7", "must be up to 32 letters, digits, _ and -, the first a letter or a digit, got 7; put it in quotes"),
        ("[a]", "must be up to 32 letters, digits, _ and -, the first a letter or a digit, got ['a']; change it"),
        ("t0003", "t0003 is what foretune calls a trial by itself; take another"),
        ("paper-r1", "paper-r1 is what foretune calls a trial by itself; take another"),
        ("SECOND", "SECOND is the name of entry 1 too; change one"),
    ],
)
def test_a_name_that_cannot_be_is_one_message(tmp_path: Path, name: str, message: str) -> None:
    text = f"{SEARCHED}first: [{{name: second, lr: 1e-5}}, {{name: {name}, lr: 1e-4}}]\n"
    assert mistakes_of(tmp_path, text) == [f"my_space.yaml: first, entry 2: name: {message}"]


def test_two_points_of_one_configuration_are_one_whatever_their_names(tmp_path: Path) -> None:
    text = f"{SEARCHED}first: [{{name: a, lr: 1e-5}}, {{name: b, lr: 1e-5}}]\n"
    assert mistakes_of(tmp_path, text) == ["my_space.yaml: first, entry 2: repeats entry 1; leave one out"]
