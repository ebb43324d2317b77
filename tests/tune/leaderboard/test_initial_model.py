"""The specification of tune/leaderboard/initial_model.py: the words for epoch 0, and what the records say of it."""

from __future__ import annotations

from tests.tune.untrained_sweep import UNTRAINED
from tune.leaderboard.initial_model import InitialModel
from tune.sweep import Sweep


def test_the_words_of_zero_shot_are_its_name() -> None:
    words = InitialModel()
    assert words.is_pretrained
    assert {words.name, words.model, words.own} == {"zero-shot"}
    assert (words.when_beaten, words.when_unbeaten) == ("beats zero-shot", "keep zero-shot")


def test_json_says_what_the_start_is(better: Sweep, worse: Sweep) -> None:
    document = better.leaderboard().to_dict()
    assert document["start"] == UNTRAINED
    assert document["zero_shot"]["val_loss"] == 0.5
    assert document["verdict"]["text"] == "beats its untrained start"
    assert worse.leaderboard().to_dict()["verdict"]["text"] == "nothing worth keeping"


def test_csv_calls_the_start_by_its_name(better: Sweep) -> None:
    assert better.leaderboard().to_csv().splitlines()[1].startswith(",untrained,untrained,,0,")
