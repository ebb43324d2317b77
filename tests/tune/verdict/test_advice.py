"""The specification of tune/verdict/advice.py: made curves, each shape with its line, a healthy search with none."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from search_spaces.library import load_space
from search_spaces.override import override_space
from search_spaces.space import SearchSpace
from tests.tune.reports import config, report
from tune.leaderboard.leaderboard import Leaderboard
from tune.records.trial_record import TrialRecord
from tune.records.verdict import Decision, OnTest, Verdict
from tune.verdict.advice import Advice, advise

SPACE = load_space("moirai-small-full")  # lr log:5e-7:5e-5
HYPER = {"strategy": "full", "lr": 5e-6, "epochs": 5, "warmup_steps": 10, "weight_decay": 0.1, "batch_size": 32}
HEALTHY = [1.0, 0.9, 0.85, 0.82, 0.8]


def trial(
    number: int, values: list[float], *, rates: list[float] | None = None, stopped_by: str = "epochs", **hyper: Any
):
    reports = [
        report(
            i,
            value,
            lr=None if rates is None or i == 0 else rates[i - 1],
            stopped_by=stopped_by if i == len(values) - 1 else None,
        )
        for i, value in enumerate(values)
    ]
    return TrialRecord(config(f"t{number:04}", {**HYPER, **hyper}), tuple(reports))


def advised(*records: TrialRecord, space: SearchSpace = SPACE, decided: Verdict | None = None) -> list[Advice]:
    board = Leaderboard.of(records, sweep="night1", metric="val_loss", sweep_is_running=False)
    return advise(replace(board, decided=decided), records, space)


def test_a_healthy_search_gets_none() -> None:
    assert advised(*(trial(i, HEALTHY) for i in range(6))) == []


def test_no_trial_at_all_gets_none() -> None:
    assert advised() == []


@pytest.mark.parametrize(
    ("values", "kind", "text", "options"),
    [
        (
            [1.0, 0.8, 1.1, 0.8, 1.2, 0.8],
            "oscillation",
            "3 of 4 trials go up and down: their rates are too high.",
            "--set lr=log:1e-6:2.5e-6 --set warmup_steps=20",
        ),
        (
            [1.0, 0.9995, 0.9994, 0.9993],
            "flat",
            "3 of 4 trials hardly moved: try higher rates.",
            "--set lr=log:1e-5:2.5e-5",
        ),
        (
            [1.0, 0.9, 0.95, 1.0, 1.1],
            "overfitting",
            "3 of 4 trials were best at their first evaluation and got worse after it.",
            "--evals-per-epoch 4 --set epochs=int:1:3 --set weight_decay=uniform:0.1:0.4",
        ),
    ],
)
def test_each_shape_gets_its_line(values: list[float], kind: str, text: str, options: str) -> None:
    assert advised(*(trial(i, values) for i in range(3)), trial(3, HEALTHY)) == [Advice(kind, text, options)]


def test_a_shape_of_few_trials_is_not_mentioned() -> None:
    odd = trial(0, [1.0, 0.8, 1.1, 0.8, 1.2, 0.8])
    assert advised(odd, *(trial(i, HEALTHY) for i in range(1, 6))) == []


def test_small_steps_back_are_no_oscillation() -> None:
    assert advised(*(trial(i, [1.0, 0.9, 0.905, 0.85, 0.855, 0.8]) for i in range(4))) == []


def test_flat_trials_of_a_head_are_advised_to_train_more() -> None:
    space = load_space("quickstart")
    head = {"strategy": "head_only", "lr": 1e-5}
    (advice,) = advised(*(trial(i, [1.0, 0.9999, 0.9998], **head) for i in range(3)), space=space)
    assert advice.text.endswith("try higher rates with a strategy that trains more.")
    assert advice.options == "--set lr=log:2e-5:5e-5 --set strategy=full"


def test_trials_that_were_ended_in_their_warm_up_ask_for_patience() -> None:
    early = [trial(i, [1.0, 0.99], rates=[2e-6], stopped_by="patience") for i in range(3)]
    (advice,) = advised(*early, trial(3, HEALTHY))
    assert (advice.kind, advice.options) == ("warm-up", "--set patience=2")
    assert advice.text == "3 of 3 stopped trials were still warming up when they were judged."
    late = [trial(i, [1.0, 0.99], rates=[5e-6], stopped_by="patience") for i in range(3)]
    assert advised(*late, trial(3, HEALTHY)) == []


@pytest.mark.parametrize(("lr", "side", "wider"), [(5e-5, "high", "log:5e-7:2.5e-4"), (5e-7, "low", "log:1e-7:5e-5")])
def test_the_best_on_the_edge_of_a_range_asks_for_a_wider_one(lr: float, side: str, wider: str) -> None:
    (advice,) = advised(trial(0, [1.0, 0.7, 0.6], lr=lr), trial(1, HEALTHY))
    assert advice.kind == "edge"
    assert f"the {side} end of what was searched" in advice.text
    assert advice.options == f"--set lr={wider}"


def test_an_edge_of_trials_that_are_no_gain_says_nothing() -> None:
    assert advised(trial(0, [1.0, 1.2, 1.1], lr=5e-5), trial(1, [1.0, 1.3, 1.25])) == []


def test_lower_rates_are_tried_where_the_closest_to_the_start_has_a_low_one() -> None:
    rates = (1e-5, 2e-5, 3e-5, 4e-5, 5e-5, 5e-5)
    worse = [trial(i, [1.0, 1.1 + i / 10, 1.05 + i / 10], lr=lr) for i, lr in enumerate(rates)]
    (advice,) = advised(*worse)
    assert (advice.kind, advice.options) == ("rate", "--set lr=log:5e-7:1e-5")
    assert advice.text.startswith("No trial beat zero-shot")
    high = [trial(i, [1.0, 1.1 + i / 10, 1.05 + i / 10], lr=lr) for i, lr in enumerate(reversed(rates))]
    assert advised(*high) == []


def test_one_strategy_that_is_alone_among_the_best_gets_the_next_budget() -> None:
    space = load_space("quickstart")
    full = [trial(i, [1.0, 0.7, 0.6], lr=3e-5) for i in range(2)]
    head = [trial(i, [1.0, 0.95, 0.94], lr=3e-5, strategy="head_only") for i in range(2, 5)]
    verdict = Verdict(Decision.USE, "val_loss", 0.9, candidate="t0000", confidence_set=("t0000", "t0001"))
    (advice,) = advised(*full, *head, space=space, decided=verdict)
    assert (advice.kind, advice.options) == ("strategy", "--set strategy=full")
    assert advised(*full, *head, space=space, decided=replace(verdict, confidence_set=("t0000", "t0003"))) == []


def test_where_test_disagrees_that_comes_first_and_three_lines_are_the_most() -> None:
    wild = [trial(i, [1.0, 0.8, 1.1, 0.8, 1.2, 0.7], lr=5e-5) for i in range(3)]
    early = [trial(i, [1.0, 0.99], rates=[2e-6], stopped_by="asha") for i in range(3, 6)]
    decided = Verdict(Decision.USE, "val_loss", 0.9, candidate="t0000", test=OnTest(agrees=False, initial=1, value=2))
    kinds = [advice.kind for advice in advised(*wild, *early, decided=decided)]
    assert kinds == ["disagreement", "warm-up", "oscillation"]


def test_every_option_that_is_given_is_one_that_a_sweep_takes() -> None:
    """The values of --set go through the same reader as the command line's."""
    wild = [trial(i, [1.0, 0.8, 1.1, 0.8, 1.2, 0.7], lr=5e-5) for i in range(3)]
    found = [*advised(*wild), *advised(*(trial(i, [1.0, 0.9, 0.95, 1.0, 1.1]) for i in range(3)))]
    settings = [part for advice in found for part in advice.options.split(" ") if "=" in part]
    assert len(settings) >= 5
    for setting in settings:
        name, _, text = setting.partition("=")
        override_space(SPACE, {name: text})
