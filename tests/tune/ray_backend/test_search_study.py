"""What the Optuna study of a sweep says of its trials."""

from __future__ import annotations

import math
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from tests.tune.ray_backend.search_session import Session, loss_of_two, run_trial, two_numbers
from tune.ray_backend.search import make_sampler
from tune.records.earlier_trial import EarlierTrial

# pytest forgets the filter that tune/search.py sets
pytestmark = pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Session:
    """Trials that ended in every way; objective is the best loss so far, as trials report it."""
    session = Session(tmp_path_factory.mktemp("ended") / "night", two_numbers())
    for _ in range(8):
        trial_id = session.suggest()["trial_id"]
        session.report(trial_id, 0, 0.125)  # zero-shot, the same for all
    session.report("t0000", 1, 0.5)
    session.report("t0000", 2, 0.25)
    session.end("t0000", 3, 0.25, "epochs")
    session.report("t0001", 0.5, 0.75)
    session.end("t0001", 1, 0.75, "patience")
    session.report("t0002", 1, 0.875)
    session.end("t0002", 2, 0.8125, "asha")
    session.end("t0003", 1, 0.9375, "median")
    session.report("t0004", 1, 0.5)
    session.fail("t0004")
    session.end("t0005", 1, math.nan, "diverged")
    session.report("t0006", 1, 0.625)
    session.end("t0006", 2, 0.625, "diverged")  # its loss became NaN; its best so far is a number
    return session


@pytest.mark.parametrize(
    ("trial_id", "state", "value"),
    [
        ("t0000", TrialState.COMPLETE, 0.25),
        ("t0001", TrialState.COMPLETE, 0.75),
        ("t0002", TrialState.PRUNED, 0.8125),
        ("t0003", TrialState.PRUNED, 0.9375),
        ("t0004", TrialState.FAIL, None),
        ("t0005", TrialState.COMPLETE, math.inf),
        ("t0006", TrialState.COMPLETE, 0.625),
        ("t0007", TrialState.RUNNING, None),
    ],
)
def test_the_study_holds_how_each_trial_ended_and_its_best_value(
    trial_id: str, state: TrialState, value: float | None, ended: Session
) -> None:
    assert (ended.trial(trial_id).state, ended.trial(trial_id).value) == (state, value)


@pytest.mark.parametrize("searcher", ["tpe", "gp", "cmaes", "random"])
def test_searchers_go_on_after_trials_that_diverged(searcher: str) -> None:
    """Half of them, from the first on, or all."""
    for good in (0, 2):
        study = optuna.create_study(sampler=make_sampler(searcher, 0))
        for number in range(16):
            study.sampler = make_sampler(searcher, number)
            trial = study.ask()
            lr, decay = trial.suggest_float("lr", 1e-5, 1e-2, log=True), trial.suggest_float("decay", 0, 1)
            assert 1e-5 <= lr <= 1e-2
            study.tell(trial, decay if good and number % good else math.inf)


def test_the_study_holds_a_value_an_epoch_in_thousandths_without_epoch_0(ended: Session) -> None:
    assert ended.trial("t0000").intermediate_values == {1000: 0.5, 2000: 0.25, 3000: 0.25}
    assert ended.trial("t0001").intermediate_values == {500: 0.75, 1000: 0.75}
    assert ended.trial("t0003").intermediate_values == {1000: 0.9375}
    assert ended.trial("t0005").intermediate_values == {}


def test_optuna_loads_the_study_from_its_file_by_itself(ended: Session) -> None:
    folder = ended.journal.folder
    study = optuna.load_study(study_name="sweep", storage=f"sqlite:///{folder.study}")
    assert study.direction == optuna.study.StudyDirection.MINIMIZE
    assert len(study.trials) == 8
    assert study.best_trial.number == 0
    assert study.best_params == {"lr": 1e-5, "batch_size": 16}
    assert study.trials[0].user_attrs["config"]["trial_id"] == "t0000"


EARLIER = [
    EarlierTrial(source="night0 t0000", hyper={"lr": 1e-5, "batch_size": 16}, value=0.25),
    EarlierTrial(source="night0 t0001", hyper={"lr": 1e-6, "batch_size": 32}, value=0.75, stopped_at=2.0),
]


def test_a_study_begins_with_the_trials_of_earlier_sweeps(tmp_path: Path) -> None:
    session = Session(tmp_path / "night", two_numbers(), earlier=EARLIER)
    for _ in range(3):
        session.suggest()
    first, second, own, *_ = session.search.study.trials
    assert (first.state, first.value, first.params) == (TrialState.COMPLETE, 0.25, EARLIER[0].hyper)
    assert (second.state, second.value, second.intermediate_values) == (TrialState.PRUNED, 0.75, {2000: 0.75})
    assert own.user_attrs["config"]["trial_id"] == "t0000"
    assert own.params == {"lr": 1e-5, "batch_size": 16}  # the space's own first point, all the same


def test_a_resumed_search_and_a_lost_study_keep_what_was_learned(tmp_path: Path) -> None:
    """Three sessions on one folder, the study lost in between, propose what one alone would have."""

    def run(folder: Path, *, sessions: int) -> list[dict[str, object]]:
        proposed = []
        for number in range(sessions):
            session = Session(folder, two_numbers(), trials=12, earlier=EARLIER)
            if number == 1:
                (folder / "study.db").unlink()
                session = Session(folder, two_numbers(), trials=12, earlier=EARLIER)
            for _ in range(12 // sessions):
                suggested = session.suggest()
                run_trial(session, suggested, loss=loss_of_two)
                proposed.append(suggested["hyper"])
        return proposed

    whole = run(tmp_path / "whole", sessions=1)
    assert run(tmp_path / "cut", sessions=3) == whole
    alone = Session(tmp_path / "alone", two_numbers(), trials=12)
    plain = []
    for _ in range(12):
        suggested = alone.suggest()
        run_trial(alone, suggested, loss=loss_of_two)
        plain.append(suggested["hyper"])
    assert plain != whole
