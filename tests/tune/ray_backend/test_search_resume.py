"""The searcher after an interruption: nothing is lost, nothing is tried twice."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState
from ray.tune.search import Searcher

from search_spaces.library import load_space
from search_spaces.override import override_space
from tests.tune.ray_backend.search_session import GRID, Session, objective_of, point, run_trial

# pytest forgets the filter that tune/search.py sets
pytestmark = pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")


def test_same_seed_and_reports_give_the_same_configurations_however_often_it_was_killed(tmp_path: Path) -> None:
    """14 trials, the last of which TPE models: the second sweep is cut off at every kind of moment."""
    space = load_space("moirai-small")
    whole = Session(tmp_path / "whole", space, seed=5)
    for _ in range(14):
        run_trial(whole, whole.suggest())

    def opened() -> Session:
        return Session(tmp_path / "cut", space, seed=5)

    cut = opened()
    for number in range(14):
        config = cut.suggest()
        if number == 4:  # just suggested
            cut = opened()
            assert cut.suggest() == config
        if number == 5:  # stopped by ASHA: in the journal, and the searcher has not heard of it
            cut.record(config["trial_id"], 1, objective_of(config, 1), "asha")
            cut = opened()
        elif number == 6:  # in the middle, the last report heard of or not
            cut.report(config["trial_id"], 1, objective_of(config, 1))
            cut.record(config["trial_id"], 2, objective_of(config, 2))
            cut = opened()
            assert cut.suggest() == config
            cut.end(config["trial_id"], 3, objective_of(config, 3), "epochs")
        else:
            run_trial(cut, config)
        if number == 11:  # between two trials
            cut = opened()
    assert [r.config for r in cut.journal.records] == [r.config for r in whole.journal.records]
    assert [r.config.to_row() for r in cut.journal.records] == [
        t.user_attrs["config"] for t in whole.search.study.trials
    ]
    for ours, theirs in zip(cut.search.study.trials, whole.search.study.trials, strict=True):
        assert (ours.state, ours.value, ours.params) == (theirs.state, theirs.value, theirs.params)
        assert ours.intermediate_values == theirs.intermediate_values


def test_open_trials_are_suggested_again_first_unchanged_and_with_their_ids(
    open_session: Callable[..., Session],
) -> None:
    before = open_session(trials=4)
    configs = [before.suggest() for _ in range(3)]
    before.report("t0001", 1, 0.5)
    before.end("t0000", 1, 0.5, "epochs")
    after = open_session(trials=4)
    assert after.search.remaining == 3  # two open, one to come
    assert [after.suggest() for _ in range(2)] == configs[1:]
    assert after.suggest()["trial_id"] == "t0003"
    after.end("t0001", 2, 0.25, "epochs")
    assert (after.trial("t0001").state, after.trial("t0001").value) == (TrialState.COMPLETE, 0.25)


def test_trials_that_ended_in_the_journal_alone_are_reported_at_reopening(open_session: Callable[..., Session]) -> None:
    before = open_session()
    for stopped_by in ("epochs", "patience", "asha"):
        trial_id = before.suggest()["trial_id"]
        before.record(trial_id, 0, 9.0)
        before.record(trial_id, 1, 0.5)
        before.record(trial_id, 2, 0.25, stopped_by)
    after = open_session()
    trials = after.search.study.trials[:3]
    assert [t.state for t in trials] == [TrialState.COMPLETE, TrialState.COMPLETE, TrialState.PRUNED]
    assert [t.value for t in trials] == [0.25, 0.25, 0.25]
    assert [t.intermediate_values for t in trials] == [{1000: 0.5, 2000: 0.25}] * 3
    assert after.suggest()["trial_id"] == "t0003"


def test_a_trial_that_failed_in_the_journal_alone_is_failed_at_reopening(open_session: Callable[..., Session]) -> None:
    before = open_session()
    before.suggest()
    before.record("t0000", 1, 0.5)
    before.journal.fail("t0000", "the worker died")
    assert open_session().trial("t0000").state == TrialState.FAIL


def test_a_trial_without_a_configuration_is_failed_not_counted_and_its_point_is_tried_all_the_same(
    open_session: Callable[..., Session],
) -> None:
    """A kill came between Optuna's making the trial and our writing down what it is."""
    open_session(trials=3).search.study.ask()
    session = open_session(trials=3)
    assert session.trial("t0000").state == TrialState.FAIL
    assert session.search.remaining == 3
    configs = [session.suggest() for _ in range(3)]
    assert session.suggest() == Searcher.FINISHED
    assert {(c["hyper"]["lr"], c["hyper"]["batch_size"]) for c in configs} > {(1e-5, 16), (1e-6, 32)}
    assert "t0000" not in [c["trial_id"] for c in configs]


def test_a_kill_while_the_points_are_put_in_loses_and_doubles_none(
    tmp_path: Path, open_session: Callable[..., Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    space = override_space(load_space("moirai-grid"), {"pretrained": "moirai-tiny"})
    enqueue = optuna.Study.enqueue_trial

    def die_after_three(study: optuna.Study, *arguments: Any, **options: Any) -> None:
        enqueue(study, *arguments, **options)
        if len(study.trials) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(optuna.Study, "enqueue_trial", die_after_three)
    with pytest.raises(KeyboardInterrupt):
        open_session(space, trials=12)
    monkeypatch.undo()
    session = open_session(space, trials=12)
    assert [point(session.suggest()) for _ in range(12)] == GRID
    assert session.suggest() == Searcher.FINISHED


def test_what_ray_saves_of_the_searcher_is_nothing(open_session: Callable[..., Session], tmp_path: Path) -> None:
    session = open_session()
    session.search.save(str(tmp_path / "state"))
    session.suggest()
    session.search.restore(str(tmp_path / "state"))
    assert session.suggest()["trial_id"] == "t0001"
