"""Extremes: every three parameters meet with all their marks, on every path, within the space."""

from __future__ import annotations

import itertools

from search_spaces.domain import parse_domain
from search_spaces.library import load_space
from search_spaces.override import override_space
from search_spaces.space import SearchSpace


def space_of(**search: str) -> SearchSpace:
    domains = {name: parse_domain(text) for name, text in search.items()}
    return SearchSpace("mine", "", "moirai", {"patience": 2}, domains, {}, (), 4)  # type: ignore[arg-type]


def test_three_parameters_meet_at_all_their_ends() -> None:
    found = list(space_of(lr="log:1e-6:1e-4", epochs="int:1:100", batch_size="choice:8,16").extremes())
    wanted = {(lr, e, b) for lr in (1e-6, 1e-4, 5.05e-5) for e in (1, 100) for b in (8, 16)}
    assert {(c["lr"], c["epochs"], c["batch_size"]) for c in found} == wanted
    assert len(found) == 12
    assert all(c["patience"] == 2 for c in found)


def test_any_three_of_more_parameters_meet() -> None:
    names = ("a", "b", "c", "d", "e")
    found = list(space_of(**dict.fromkeys(names, "uniform:0:1")).extremes())
    for three in itertools.combinations(names, 3):
        assert {tuple(c[name] for name in three) for c in found} == set(itertools.product((0.0, 0.5, 1.0), repeat=3))
    assert len(found) == len({tuple(c[name] for name in names) for c in found}) < 3**5


def test_a_short_list_of_whole_numbers_is_taken_whole_and_a_long_one_at_its_ends() -> None:
    found = list(space_of(d_model="int:32:96:32", epochs="int:1:10").extremes())
    assert {c["d_model"] for c in found} == {32, 64, 96}
    assert {c["epochs"] for c in found} == {1, 10}


def test_every_path_has_its_own_and_a_list_of_points_is_itself() -> None:
    space = load_space("moirai-small")
    strategies = {c["strategy"] for c in space.extremes()}
    assert strategies == {"head_only", "freeze_ffn", "full"}
    for config in space.extremes():
        path = space.paths()[space.path_name(config)]
        assert all(path.search[name].contains(config[name]) for name in path.search)
    points = load_space("moirai-grid")
    assert list(points.extremes()) == points.grid()


def test_a_space_with_one_value_each_has_one() -> None:
    fixed = override_space(space_of(lr="log:1e-6:1e-4"), {"lr": "choice:1e-5"})
    assert [c["lr"] for c in fixed.extremes()] == [1e-5]
