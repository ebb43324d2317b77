"""The specification of tune/verdict/sentences.py: what the terminal and the page say of a verdict."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.tune.reports import config, to_its_end
from trainables.trial.report import ZERO_SHOT
from tune.leaderboard.leaderboard import Leaderboard
from tune.records.trial_record import TrialRecord
from tune.records.verdict import Decision, Flaw, Interval, OnTest, Verdict
from tune.verdict.sentences import Answer, answer_of

USE = Verdict(
    Decision.USE,
    "val_loss",
    0.9,
    candidate="t0000",
    best="t0000",
    value=0.375,
    initial=0.5,
    difference=Interval(0.125, 0.0625, 0.1875),
    p_value=0.004,
    windows=120,
    blocks=40,
    series_better=7,
    series_worse=1,
    trials_compared=12,
    confidence_set=("t0000",),
    test=OnTest(agrees=True, initial=0.5, value=0.25),
)


def answer(verdict: Verdict, initial_name: str = ZERO_SHOT) -> Answer:
    record = TrialRecord(config("t0000", {"lr": 1e-4}), tuple(to_its_end([0.5, 0.375])))
    board = Leaderboard.of(
        [record], sweep="night1", metric=verdict.metric, sweep_is_running=False, initial_name=initial_name
    )
    found = answer_of(replace(board, decided=verdict))
    assert found is not None
    return found


def test_use_it_comes_with_its_figures() -> None:
    found = answer(USE)
    assert (found.lead, found.is_good, found.is_contradicted) == ("Use t0000", True, False)
    assert found.text == (
        "val_loss 0.375 against zero-shot's 0.5, 0.1250 better (0.0625 to 0.1875 with 90 % confidence); p 0.004 after "
        "correcting for 12 candidates, on 120 windows in about 40 independent blocks, better in 7 of 8 series."
    )
    assert found.further == ("Test agrees: test_loss 0.25 against zero-shot's 0.5.",)


def test_a_mean_of_repeats_is_called_so() -> None:
    text = answer(replace(USE, seeds=3, spread=0.0125)).text
    assert text.startswith("val_loss 0.375 ± 0.0125 over 3 repeats against zero-shot's 0.5, 0.1250 better (")
    assert answer(replace(USE, seeds=1)).text.startswith("val_loss 0.375 over 1 repeat against zero-shot's 0.5")


def test_a_metric_with_a_zero_comes_with_percentages() -> None:
    assert "0.1250 better (0.0625 to 0.1875 with 90 % confidence), 25.0 % (12.5 to 37.5 %);" in (
        answer(replace(USE, metric="val_mae")).text
    )


def test_where_chance_brings_as_much_the_initial_model_is_kept() -> None:
    keep = replace(USE, decision=Decision.KEEP, p_value=0.43, difference=Interval(0.005, -0.01, 0.02), test=None)
    found = answer(keep)
    assert (found.lead, found.is_good) == ("Keep zero-shot", False)
    assert found.text == (
        "t0000, the best of 12 candidates, has val_loss 0.375 against zero-shot's 0.5, 0.0050 better (−0.0100 to "
        "0.0200 with 90 % confidence); picking the best of 12 candidates brings as much by chance (p 0.430), on 120 "
        "windows in about 40 independent blocks."
    )


def test_where_nothing_is_better_at_all_that_is_said() -> None:
    keep = replace(USE, decision=Decision.KEEP, p_value=1.0, difference=Interval(-0.05, -0.1, 0.01), test=None)
    assert "0.0500 worse (−0.0100 to 0.1000 with 90 % confidence); on 120 windows" in answer(keep).text


def test_a_trial_that_was_passed_over_is_named_with_what_it_is_worse_by() -> None:
    flaw = Flaw("t0003", "val_mae", initial=0.4, value=1.2)
    assert answer(replace(USE, passed_over=(flaw,))).further[1] == (
        "t0003 was passed over: better by val_loss, and by val_mae worse than zero-shot (1.2 against 0.4)."
    )


@pytest.mark.parametrize(("decision", "lead"), [(Decision.USE, "use t0000"), (Decision.KEEP, "keep zero-shot")])
def test_where_test_disagrees_that_is_the_headline(decision: Decision, lead: str) -> None:
    value = 0.75 if decision is Decision.USE else 0.25
    found = answer(replace(USE, decision=decision, test=OnTest(agrees=False, initial=0.5, value=value)))
    assert found.lead == f"Test disagrees with “{lead}”"
    assert (found.is_good, found.is_contradicted) == (False, True)
    what = "worse" if decision is Decision.USE else "better"
    assert found.text.startswith(
        f"On the test part t0000 is {what}: test_loss {value} against zero-shot's 0.5. On validation: "
    )


def test_few_blocks_are_said_and_what_helps() -> None:
    few = replace(USE, blocks=4, few_blocks=True)
    assert answer(few).further[-1] == (
        "About 4 independent blocks of windows say little, so the intervals are wider; a longer validation part "
        "(--split) says more."
    )


def test_a_blend_says_why_it_is_preferred_to_the_best() -> None:
    blend = replace(USE, decision=Decision.BLEND, candidate="blend(t0000, α 0.4)")
    found = answer(blend)
    assert found.lead == "Use blend(t0000, α 0.4)"
    assert found.further[1] == (
        "t0000 gains more on validation, but within a standard error, and blend(t0000, α 0.4) is closer to the start: "
        "that keeps more of its gain on other data."
    )


def test_an_untrained_start_is_not_kept_but_nothing_is() -> None:
    keep = replace(USE, decision=Decision.KEEP, p_value=0.43, test=None)
    assert answer(keep, "untrained").lead == "Nothing worth keeping"


def test_while_nothing_is_decided_there_is_no_answer() -> None:
    board = Leaderboard.of([], sweep="night1", metric="val_loss", sweep_is_running=False)
    assert answer_of(board) is None
    assert answer_of(replace(board, decided=Verdict(Decision.UNDECIDED, "val_loss", 0.9))) is None
