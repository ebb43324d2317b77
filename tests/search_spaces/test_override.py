"""The specification of search_spaces/override.py: what --set makes of a space."""

from __future__ import annotations

from pathlib import Path

import pytest

from search_spaces.domain import Domain
from search_spaces.library import load_space
from search_spaces.mistakes import SpaceError
from search_spaces.override import override_space
from search_spaces.space import SearchSpace
from tests.search_spaces.my_space import VALID, read


def test_plain_value_fixes_a_parameter_in_every_branch() -> None:
    space = override_space(load_space("moirai-small"), {"lr": "1e-5"})
    assert space.fixed["lr"] == 1e-5
    assert all("lr" not in path.search for path in space.paths().values())
    assert len(space.initial_points) == 3
    assert space.notes == ("merged 6 initial points that became equal into 3",)


def test_plain_value_replaces_what_a_branch_fixes() -> None:
    space = override_space(load_space("moirai-small"), {"patience": "4"})
    assert [path.fixed["patience"] for path in space.paths().values()] == [4, 4, 4]
    assert len(space.initial_points) == 6


def test_fixing_the_deciding_parameter_leaves_its_branch_as_the_whole_space() -> None:
    space = override_space(load_space("moirai-small"), {"strategy": "full"})
    assert not space.is_conditional
    assert space.fixed["strategy"] == "full"
    assert space.fixed["patience"] == 3
    assert [point["lr"] for point in space.initial_points] == [5e-6, 1e-5]
    assert space.enqueued()[0].keys() == {"lr", "epochs", "batch_size", "warmup_steps", "weight_decay"}
    assert space.notes == ("strategy=full: left out 4 of 6 initial points, which it does not allow",)


def test_choice_for_the_deciding_parameter_leaves_those_branches() -> None:
    space = override_space(load_space("moirai-small"), {"strategy": "choice:full,head_only"})
    assert list(space.paths()) == ["full", "head_only"]
    assert len(space.initial_points) == 4


def test_order_of_settings_does_not_matter() -> None:
    forwards = override_space(load_space("moirai-small"), {"strategy": "full", "lr": "2e-5"})
    backwards = override_space(load_space("moirai-small"), {"lr": "2e-5", "strategy": "full"})
    assert forwards == backwards


def test_domain_replaces_a_searched_one_in_each_branch_and_moves_what_lies_outside_into_it() -> None:
    space = override_space(load_space("moirai-small"), {"lr": "log:1e-5:1e-4"})
    assert space.parameters()["full/lr"] == Domain("log", low=1e-5, high=1e-4)
    assert sorted(float(str(point["lr"])) for point in space.initial_points) == [1e-5, 1e-5, 2e-5, 5e-5, 1e-4]
    assert space.notes == (
        "lr=log:1e-05:0.0001: moved 1 of 6 initial points into it",
        "merged 6 initial points that became equal into 5",
    )


def test_a_shorter_range_keeps_every_initial_point_with_all_else_that_it_says() -> None:
    before = load_space("moirai-small").initial_points
    space = override_space(load_space("moirai-small"), {"epochs": "int:1:3"})
    assert [point["epochs"] for point in space.initial_points] == [3] * 6
    assert [point["lr"] for point in space.initial_points] == [point["lr"] for point in before]
    assert space.notes == ("epochs=int:1:3: moved 6 of 6 initial points into it",)


def test_only_a_choice_that_is_gone_costs_an_initial_point() -> None:
    space = override_space(load_space("moirai-small"), {"batch_size": "choice:16,32"})
    assert space.notes == ("batch_size=choice:16,32: left out 6 of 6 initial points, which it does not allow",)


def test_domain_of_a_fixed_parameter_starts_at_the_value_it_was_fixed_to() -> None:
    space = override_space(load_space("moirai-small"), {"patience": "int:2:8"})
    assert {(point["strategy"], point["patience"]) for point in space.initial_points} == {
        ("head_only", 8), ("freeze_ffn", 5), ("full", 3),
    }  # fmt: skip
    assert "full/patience" in space.parameters()


def test_domain_of_a_new_parameter_starts_at_its_low_end_and_says_so() -> None:
    space = override_space(load_space("moirai-small"), {"min_lr_ratio": "uniform:0:0.5"})
    assert all(point["min_lr_ratio"] == 0.0 for point in space.initial_points)
    assert space.notes == ("min_lr_ratio=uniform:0:0.5: the initial points start at 0",)


def test_domain_of_a_parameter_of_one_branch_stays_in_that_branch(tmp_path: Path) -> None:
    space = override_space(read(tmp_path, VALID), {"warmup_steps": "int:0:50:10"})
    assert "full/warmup_steps" in space.parameters()
    assert "head_only/warmup_steps" not in space.parameters()
    assert len(space.initial_points) == 2


def test_space_with_everything_fixed_is_one_trial() -> None:
    settings = {"lr": "1e-5", "epochs": "3", "warmup_steps": "0", "batch_size": "32", "weight_decay": "0.1"}
    space = override_space(load_space("moirai-small-full"), settings)
    assert space.trials == 1
    assert len(space.grid()) == 1
    assert space.grid()[0]["lr"] == 1e-5
    assert "nothing is searched: trials are 1 instead of 20" in space.notes


def test_value_set_on_a_list_of_points_overwrites_every_point() -> None:
    space = override_space(load_space("moirai-grid"), {"pretrained": "moirai-tiny"})
    assert space.trials == 12
    assert {config["pretrained"] for config in space.grid()} == {"moirai-tiny"}
    merged = override_space(load_space("moirai-grid"), {"lr": "1e-5"})
    assert merged.trials == len(merged.grid()) == 6


def test_domain_set_on_a_list_of_points_is_rejected() -> None:
    with pytest.raises(SpaceError, match="a list of points searches nothing"):
        override_space(load_space("moirai-grid"), {"lr": "log:1e-6:1e-4"})


def test_all_wrong_settings_are_reported_at_once() -> None:
    settings = {"strategy": "ful", "lr": "log:1e-4:1e-6", "epochs": "", "": "3"}
    with pytest.raises(SpaceError) as caught:
        override_space(load_space("moirai-small"), settings)
    lines = str(caught.value).splitlines()
    assert len(lines) == 4
    assert (
        "moirai-small: --set strategy=ful: must be one of head_only, freeze_ffn, full, got 'ful'; did you mean 'full'?"
    ) in lines
    assert "moirai-small: --set lr=log:1e-4:1e-6: low must be below high, got [1e-4, 1e-6]; swap them" in lines


def test_names_of_initial_points_survive_what_is_set_and_do_not_keep_equal_ones_apart() -> None:
    document = {"trainable": "t", "search": {"lr": {"log": [1e-6, 1e-3]}, "size": {"choice": [16, 32]}}}
    points = [{"name": "a", "lr": 1e-5, "size": 16}, {"name": "b", "lr": 1e-5, "size": 32}, {"lr": 1e-4, "size": 32}]
    space = SearchSpace.from_dict({**document, "name": "s", "first": points})
    assert override_space(space, {"lr": "log:5e-5:1e-3"}).point_names() == ["a", "b", ""]
    merged = override_space(space, {"size": "16"})
    assert merged.point_names() == ["a", ""]
    assert merged.enqueued() == [{"lr": 1e-5}, {"lr": 1e-4}]
