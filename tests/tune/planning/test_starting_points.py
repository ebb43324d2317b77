"""What a new sweep takes over from earlier ones: translated configurations, and trials for its searcher."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from search_spaces.library import load_space
from search_spaces.override import override_space
from search_spaces.space import SearchSpace
from tests.tune.reports import config, to_its_end
from tune.leaderboard.leaderboard import Leaderboard
from tune.planning.starting_points import (
    RATE_EXPONENT,
    EarlierSweep,
    rate_scale,
    recommended_rates,
    trials_to_learn_from,
    with_points_of,
)
from tune.records.spec import SweepError, SweepSpec
from tune.records.trial_record import TrialRecord

SMALL, BASE = "Salesforce/moirai-1.1-R-small", "Salesforce/moirai-1.1-R-base"
FULL = {"strategy": "full", "lr": 1e-5, "epochs": 8, "warmup_steps": 50, "weight_decay": 0.05, "batch_size": 128}
HEAD = {"strategy": "head_only", "lr": 5e-5, "epochs": 30, "warmup_steps": 0, "weight_decay": 0.1, "batch_size": 64}


def spec_of(space: SearchSpace, name: str = "night1", **changed: Any) -> SweepSpec:
    fields = {
        "name": name,
        "space": space.to_dict(),
        "trainable": space.trainable,
        "data": {"path": "a.csv", "content_hash": "1"},
        "task": {"context_length": 64, "prediction_length": 16},
        "trials": 24,
    }
    return SweepSpec.model_validate({**fields, **changed})


def whole(space: SearchSpace, hyper: Mapping[str, object]) -> dict[str, object]:
    return {**space.paths()[space.path_name(hyper)].fixed, **hyper}


def earlier(
    space: SearchSpace, trials: Sequence[tuple[Mapping[str, object], list[float], str]], **changed: Any
) -> EarlierSweep:
    """A sweep of these trials: what they were run with, their losses from epoch 0 on, and what ended them."""
    records = [
        TrialRecord(config(f"t{i:04}", whole(space, hyper)), tuple(to_its_end(losses, ended)))
        for i, (hyper, losses, ended) in enumerate(trials)
    ]
    board = Leaderboard.of(records, sweep="night1", metric="val_loss", sweep_is_running=False)
    return EarlierSweep(spec_of(space, **changed), board, records)


def no_count(_: Mapping[str, object]) -> int | None:
    raise AssertionError("the recommended rates say enough")


def points_of(space: SearchSpace, *sweeps: EarlierSweep, strict: bool = True) -> SearchSpace:
    return with_points_of(space, "moirai", "tpe", sweeps, no_count, strict=strict)


def test_the_best_of_small_come_first_in_base_with_base_rates_and_in_its_ranges() -> None:
    """By hand: full's recommended rates are 5e-6 and 1e-5 for small, 2e-6 and 5e-6 for base; the ratio of their
    geometric means is sqrt(10 / 50) = 0.447, so 1e-5 becomes 4.47e-6. Base searches 1 to 6 epochs, batches to 64."""
    small, base = load_space("moirai-small"), load_space("moirai-base")
    found = points_of(base, earlier(small, [(FULL, [1.0, 0.5], "epochs"), (HEAD, [1.0, 0.6], "epochs")]))
    first, second = found.initial_points[:2]
    assert first == {**FULL, "lr": pytest.approx(4.47e-6), "epochs": 6, "batch_size": 64}
    assert second == {**HEAD, "lr": pytest.approx(5e-5 * (10 / 50) ** 0.5, rel=1e-2), "epochs": 25}
    assert found.initial_points[2:] == base.initial_points
    assert found.notes == ("tried first, from night1: t0000 with lr × 0.45, t0001 with lr × 0.45",)


def test_a_translated_space_is_one_that_a_sweep_can_keep() -> None:
    small = load_space("moirai-small")
    found = points_of(load_space("moirai-base"), earlier(small, [(FULL, [1.0, 0.5], "epochs")]))
    assert SearchSpace.from_dict(found.to_dict()).initial_points == found.initial_points


def test_the_same_model_keeps_its_rates_and_a_point_is_tried_once() -> None:
    small = load_space("moirai-small")
    known = dict(small.initial_points[2])
    found = points_of(small, earlier(small, [(known, [1.0, 0.5], "epochs"), (FULL, [1.0, 0.6], "epochs")]))
    assert found.initial_points[:2] == (known, FULL)
    assert len(found.initial_points) == len(small.initial_points) + 1


def test_the_best_three_that_fit_are_taken_wherever_they_rank() -> None:
    small = load_space("moirai-small")
    heads = [({**HEAD, "lr": lr}, [1.0, 0.2 + lr], "epochs") for lr in (5e-5, 6e-5, 7e-5)]
    fulls = [({**FULL, "lr": lr}, [1.0, 0.5 + lr], "epochs") for lr in (1e-6, 2e-6, 3e-6, 4e-6)]
    found = points_of(override_space(small, {"strategy": "full"}), earlier(small, [*heads, *fulls]))
    assert [point["lr"] for point in found.initial_points[:4]] == [1e-6, 2e-6, 3e-6, 5e-6]


def test_several_sweeps_take_turns() -> None:
    small = load_space("moirai-small")
    a = earlier(small, [(FULL, [1.0, 0.5], "epochs"), ({**FULL, "lr": 2e-5}, [1.0, 0.6], "epochs")])
    b = earlier(small, [(HEAD, [1.0, 0.4], "epochs")], name="night2")
    assert points_of(small, a, b).initial_points[:3] == (FULL, HEAD, {**FULL, "lr": 2e-5})


def test_what_trains_other_weights_is_left_out_and_so_is_what_beat_nothing() -> None:
    small = load_space("moirai-small")
    head_alone = override_space(small, {"strategy": "head_only"})
    night = earlier(small, [(FULL, [1.0, 0.5], "epochs"), (HEAD, [1.0, 0.6], "epochs")])
    found = points_of(head_alone, night)
    assert found.initial_points[0] == {name: value for name, value in HEAD.items() if name != "strategy"}
    worse = earlier(small, [(FULL, [1.0, 1.5], "epochs")])
    with pytest.raises(SweepError, match="night1: none of its trials that beat zero-shot fits moirai-small; leave"):
        points_of(small, worse)
    lenient = points_of(small, worse, strict=False)
    assert lenient.initial_points == small.initial_points
    assert lenient.notes == (
        "nothing is taken over from night1: none of its trials that beat zero-shot fits moirai-small",
    )


def test_other_models_and_lists_of_points_are_rejected() -> None:
    small, moe = load_space("moirai-small"), load_space("time-moe-50m")
    night = earlier(small, [(FULL, [1.0, 0.5], "epochs")])
    with pytest.raises(SweepError, match="night1 is a sweep of moirai, and time-moe-50m is one of time-moe"):
        with_points_of(moe, "time-moe", "tpe", [night], no_count, strict=True)
    with pytest.raises(SweepError, match="moirai-grid is run as a list of points; leave it out"):
        points_of(load_space("moirai-grid"), night)


def test_without_recommendations_the_rate_goes_by_the_number_of_parameters() -> None:
    """small to base by the rule: (91.4 / 13.8) ** -0.4 = 0.469, near the mean 0.464 of the recommended pairs."""
    sizes = {"mine": 13_800_000, "larger": 91_400_000}
    scale = rate_scale(
        {"pretrained": "mine"}, {"pretrained": "larger"}, {}, lambda hyper: sizes[str(hyper["pretrained"])]
    )
    assert scale == pytest.approx(0.469, abs=1e-3)
    pairs = [2e-5 / 5e-5, 5e-5 / 1e-4, 5e-6 / 1e-5, 1e-5 / 2e-5, 2e-6 / 5e-6, 5e-6 / 1e-5]
    mean = 1.0
    for pair in pairs:
        mean *= pair ** (1 / 6)
    assert mean == pytest.approx((91.4 / 13.8) ** RATE_EXPONENT, rel=0.02)
    assert rate_scale({"pretrained": "mine"}, {"pretrained": "gone"}, {}, lambda _: None) == 1.0


def test_recommended_rates_are_those_of_the_shipped_spaces() -> None:
    rates = recommended_rates("moirai")
    assert rates[SMALL, "full"] == pytest.approx((5e-6 * 1e-5) ** 0.5)
    assert rates[BASE, "full"] == pytest.approx((2e-6 * 5e-6) ** 0.5)


def test_the_searcher_learns_from_what_its_space_holds_over_the_same_windows() -> None:
    small = load_space("moirai-small")
    trials = [
        (FULL, [1.0, 0.5, 0.4], "epochs"),
        (HEAD, [1.0, 0.9, 0.8], "asha"),
        ({**FULL, "lr": 4e-5}, [1.0, 0.7], "epochs"),
        (FULL, [1.0, None], "diverged"),
    ]
    night = earlier(small, trials)
    narrow = override_space(small, {"strategy": "full", "lr": "log:1e-6:2e-5"})
    (known,) = trials_to_learn_from(spec_of(narrow), [night])
    assert (known.source, known.value, known.stopped_at, known.hyper["lr"]) == ("night1 t0000", 0.4, None, 1e-5)
    assert [t.stopped_at for t in trials_to_learn_from(spec_of(small), [night])] == [None, 2, None]
    other = {"path": "b.csv", "content_hash": "2"}
    assert trials_to_learn_from(spec_of(small, data=other), [night]) == []
    assert trials_to_learn_from(spec_of(small, metric="val_mae"), [night]) == []
