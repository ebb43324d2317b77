"""The searcher after an interruption: nothing is lost, nothing is tried twice."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState
from ray.tune.search import Searcher

from search_spaces.library import load_space
from search_spaces.space import SearchSpace
from tests.tune.ray_backend.search_session import (
    TWO_NUMBERS,
    Session,
    loss_of_two,
    objective_of,
    run_trial,
    two_numbers,
)
from tune.records.repeats import Repeats

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


@pytest.mark.parametrize("moment", ["enqueue_trial", "ask", "set_user_attr"])
@pytest.mark.parametrize("killed_at", [0, 1, 3])
def test_a_kill_while_a_trial_is_proposed_changes_no_trial(
    moment: str, killed_at: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first two trials are given, the others are proposed; the kill comes right after one of the steps of it."""
    whole = Session(tmp_path / "whole", two_numbers(), trials=5)
    for _ in range(5):
        run_trial(whole, whole.suggest(), loss=loss_of_two)
    cut = Session(tmp_path / "cut", two_numbers(), trials=5)
    for _ in range(killed_at):
        run_trial(cut, cut.suggest(), loss=loss_of_two)
    owner = optuna.Trial if moment == "set_user_attr" else optuna.Study
    step = getattr(owner, moment)

    def die_after(*arguments: Any, **options: Any) -> None:
        step(*arguments, **options)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(owner, moment, die_after)
        if moment == "enqueue_trial" and killed_at == 3:
            run_trial(cut, cut.suggest(), loss=loss_of_two)  # nothing is given any more: nobody is killed
        else:
            with pytest.raises(KeyboardInterrupt):
                cut.suggest()
    cut = Session(tmp_path / "cut", two_numbers(), trials=5)
    assert cut.search.remaining == 5 - killed_at - (moment == "enqueue_trial" and killed_at == 3)
    while (config := cut.suggest()) != Searcher.FINISHED:
        run_trial(cut, config, loss=loss_of_two)
    assert [r.config for r in cut.journal.records] == [r.config for r in whole.journal.records]
    assert [t.params for t in cut.search.study.trials] == [t.params for t in whole.search.study.trials]


def lose(study: Path) -> None:
    study.unlink()


def empty(study: Path) -> None:
    study.write_bytes(b"")


def replace_by_junk(study: Path) -> None:
    study.write_bytes(b"no database at all" * 1000)


def cut_off(study: Path) -> None:
    study.write_bytes(study.read_bytes()[: study.stat().st_size // 2])


def rename(study: Path) -> None:
    """As it was while the study was called like the folder."""
    url = f"sqlite:///{study}"
    optuna.copy_study(from_study_name="sweep", from_storage=url, to_storage=url, to_study_name="night1")
    optuna.delete_study(study_name="sweep", storage=url)


def add_a_stranger(study: Path) -> None:
    optuna.load_study(study_name="sweep", storage=f"sqlite:///{study}").ask()


def opened(folder: Path) -> Session:
    return Session(folder, load_space("moirai-small"), seed=2, trials=14)


@dataclass(frozen=True)
class Cut:
    """A sweep's folder with eleven trials that have ended and an open one, and how it goes on when nothing happens."""

    folder: Path
    trials: list[optuna.trial.FrozenTrial]
    proposed_next: list[dict[str, Any]]


def go_on(session: Session) -> list[dict[str, Any]]:
    """End the open trial and run the last two; return what was proposed."""
    assert session.suggest()["trial_id"] == "t0011"  # the open one, and none that has ended
    session.end("t0011", 2, 0.25, "epochs")
    proposed = []
    for _ in range(2):
        proposed.append(session.suggest())
        run_trial(session, proposed[-1])
    assert session.suggest() == Searcher.FINISHED
    return proposed


@pytest.fixture(scope="module")
def cut(tmp_path_factory: pytest.TempPathFactory) -> Cut:
    """Twelve trials: the last two are TPE's, which proposes at random before."""
    folder = tmp_path_factory.mktemp("cut") / "sweep"
    session = opened(folder)
    for _ in range(11):
        run_trial(session, session.suggest())
    session.report(session.suggest()["trial_id"], 1, 0.5)
    shutil.copytree(folder, folder.with_name("whole"))
    whole = opened(folder.with_name("whole"))
    return Cut(folder, whole.search.study.get_trials(), go_on(whole))


@pytest.mark.parametrize("damage", [lose, empty, replace_by_junk, cut_off, rename, add_a_stranger])
def test_a_damaged_study_is_made_again_from_the_journal_and_the_search_goes_on_as_ever(
    damage: Callable[[Path], None], cut: Cut, tmp_path: Path
) -> None:
    shutil.copytree(cut.folder, tmp_path / "sweep")
    damage(tmp_path / "sweep" / "study.db")
    again = opened(tmp_path / "sweep")
    for ours, theirs in zip(again.search.study.trials, cut.trials, strict=True):
        assert (ours.state, ours.value, ours.params) == (theirs.state, theirs.value, theirs.params)
        assert ours.distributions == theirs.distributions
        assert ours.intermediate_values == theirs.intermediate_values
    assert go_on(again) == cut.proposed_next


@pytest.mark.parametrize("name", ["night 2", "50%", "a%20b", "what?", "{x}", "#1", "ä"])
def test_a_renamed_folder_goes_on_with_its_trials(name: str, tmp_path: Path) -> None:
    before = Session(tmp_path / "night", two_numbers(), trials=3)
    run_trial(before, before.suggest(), loss=loss_of_two)
    (tmp_path / "night").rename(tmp_path / name)
    after = Session(tmp_path / name, two_numbers(), trials=3)
    assert after.journal.folder.study.is_file()
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert after.search.remaining == 2
    assert after.suggest()["trial_id"] == "t0001"
    assert after.trial("t0000").state == TrialState.COMPLETE


def test_a_trial_whose_folder_was_removed_leaves_its_number_unused(open_session: Callable[..., Session]) -> None:
    before = open_session(trials=4)
    for _ in range(3):
        run_trial(before, before.suggest(), loss=loss_of_two)
    shutil.rmtree(before.journal.folder.trial("t0001").path)
    after = open_session(trials=4)
    assert [after.suggest()["trial_id"] for _ in range(2)] == ["t0003", "t0004"]
    assert after.suggest() == Searcher.FINISHED


def test_what_ray_saves_of_the_searcher_is_nothing(open_session: Callable[..., Session], tmp_path: Path) -> None:
    session = open_session()
    session.search.save(str(tmp_path / "state"))
    session.suggest()
    session.search.restore(str(tmp_path / "state"))
    assert session.suggest()["trial_id"] == "t0001"


def test_a_trial_of_a_named_point_has_the_name_in_its_id_also_after_a_resume(tmp_path: Path) -> None:
    named = [{"name": "paper", "lr": 1e-5, "batch_size": 16}, {"lr": 1e-6, "batch_size": 32}]
    named.append({"name": "big-recipe", "lr": 2e-6, "batch_size": 32})
    space = SearchSpace.from_dict({**TWO_NUMBERS, "first": named})
    first = Session(tmp_path / "s", space, searcher="random", trials=4)
    config = first.suggest()
    assert config["trial_id"] == "t0000_paper"
    first.end("t0000_paper", 1, 0.5, "epochs")
    assert first.suggest()["trial_id"] == "t0001"
    first.end("t0001", 1, 0.5, "epochs")
    opened = first.suggest()
    resumed = Session(tmp_path / "s", SearchSpace.from_dict(space.to_dict()), searcher="random", trials=4)
    assert resumed.suggest() == opened
    assert opened["trial_id"] == "t0002_big-recipe"
    resumed.end("t0002_big-recipe", 1, 0.5, "epochs")
    assert resumed.suggest()["trial_id"] == "t0003"
    assert [trial.trial_id for trial in resumed.journal.folder.trials()] == [
        "t0000_paper", "t0001", "t0002_big-recipe", "t0003",
    ]  # fmt: skip
    repeats = Repeats(top=1, seeds=1, metric="val_loss", seed=0).planned(resumed.journal.records)
    assert [config.trial_id for config in repeats] == ["t0000_paper-r1"]
