"""The searcher over real Optuna studies on the disk, driven as Ray drives it; no Ray session is needed."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState
from ray.tune.search import Searcher

from search_spaces.space import SearchSpace, SpaceError, load_space
from tune.ray_backend.search import STUDY_FILE, StudySearch
from tune.records.journal import Journal
from tune.records.spec import SweepError, check_searcher

# pytest forgets the filter that tune/search.py sets
pytestmark = pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")

# strategy, lr, epochs, batch_size, warmup_steps, patience: typed in from the table of recommended points
KEYS = ("strategy", "lr", "epochs", "batch_size", "warmup_steps", "patience")
SMALL = [
    ("head_only", 5e-5, 20, 64, 50, 8),
    ("freeze_ffn", 1e-5, 10, 64, 100, 5),
    ("full", 5e-6, 5, 64, 50, 3),
    ("head_only", 1e-4, 20, 64, 50, 8),
    ("freeze_ffn", 2e-5, 10, 64, 100, 5),
    ("full", 1e-5, 5, 64, 50, 3),
]
GRID = [
    ("head_only", 5e-5, 20, 64, 50, 8),
    ("head_only", 1e-4, 20, 64, 50, 8),
    ("freeze_ffn", 1e-5, 10, 64, 100, 5),
    ("freeze_ffn", 2e-5, 10, 64, 100, 5),
    ("full", 5e-6, 5, 64, 50, 3),
    ("full", 1e-5, 5, 64, 50, 3),
    ("head_only", 2e-5, 15, 32, 100, 6),
    ("head_only", 5e-5, 15, 32, 100, 6),
    ("freeze_ffn", 5e-6, 5, 32, 150, 3),
    ("freeze_ffn", 1e-5, 5, 32, 150, 3),
    ("full", 2e-6, 3, 32, 100, 2),
    ("full", 5e-6, 3, 32, 100, 2),
]
# A space of its own for what needs neither first configurations nor models
TWO_NUMBERS = {
    "name": "two-numbers",
    "description": "Two numbers.",
    "trainable": "moirai",
    "trials": 5,
    "search": {"lr": {"log": [1e-6, 1e-4]}, "batch_size": {"choice": [16, 32]}},
    "first": [{"lr": 1e-5, "batch_size": 16}, {"lr": 1e-6, "batch_size": 32}],
}


def two_numbers() -> SearchSpace:
    return SearchSpace.from_dict(TWO_NUMBERS)


def point(config: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(config["hyper"][key] for key in KEYS)


class Session:
    """One session of a sweep: the searcher and the journal, as Ray's controller and our callback call them."""

    def __init__(self, folder: Path, space: SearchSpace, *, searcher: str = "tpe", seed: int = 0, trials: int = 20):
        folder.mkdir(exist_ok=True)
        self.journal = Journal(folder)
        self.search = StudySearch(folder, space, searcher=searcher, seed=seed, trials=trials)
        self._ray_ids: dict[str, str] = {}

    def suggest(self) -> Any:
        """Ask for a trial under a fresh Ray id; return its config, or Ray's word for the end."""
        ray_id = f"{id(self):x}_{len(self._ray_ids)}"
        config = self.search.suggest(ray_id)
        if config != Searcher.FINISHED:
            self._ray_ids[config["trial_id"]] = ray_id
            self.journal.start(config["trial_id"], config)
        return config

    def record(self, trial_id: str, epoch: float, objective: float, stopped_by: str | None = None) -> dict[str, Any]:
        """Write a report into the journal; the searcher has not heard of it yet."""
        row = {"epoch": epoch, "objective": objective, "stopped_by": stopped_by}
        self.journal.append(trial_id, row)
        return row

    def report(self, trial_id: str, epoch: float, objective: float) -> None:
        self.search.on_trial_result(self._ray_ids[trial_id], self.record(trial_id, epoch, objective))

    def end(self, trial_id: str, epoch: float, objective: float, stopped_by: str) -> None:
        row = self.record(trial_id, epoch, objective, stopped_by)
        self.search.on_trial_complete(self._ray_ids[trial_id], row)

    def fail(self, trial_id: str) -> None:
        self.journal.fail(trial_id, "ValueError: no")
        self.search.on_trial_complete(self._ray_ids[trial_id], error=True)

    def trial(self, trial_id: str) -> optuna.trial.FrozenTrial:
        return self.search.study.trials[int(trial_id[1:])]


@pytest.fixture
def open_session(tmp_path: Path) -> Callable[..., Session]:
    """`open_session()` opens the sweep in tmp_path, again and again: nobody closes it, as after a kill."""
    return lambda space=None, **options: Session(tmp_path / "sweep", space or two_numbers(), **options)


def objective_of(config: dict[str, Any], epoch: int) -> float:
    """A made-up loss with its best at lr 3e-5 for `full`."""
    hyper = config["hyper"]
    distance = abs(math.log10(hyper["lr"] / 3e-5)) + 0.01 * hyper["warmup_steps"]
    return distance + 1 / epoch + {"full": 0.0, "freeze_ffn": 0.5, "head_only": 1.0}[hyper["strategy"]]


def run_trial(session: Session, config: dict[str, Any]) -> None:
    """Run a suggested trial to its end: each third is stopped by ASHA after one epoch, the others run for three."""
    trial_id = config["trial_id"]
    last = 1 if int(trial_id[1:]) % 3 == 2 else 3
    for epoch in range(1, last):
        session.report(trial_id, epoch, objective_of(config, epoch))
    session.end(trial_id, last, objective_of(config, last), "asha" if last == 1 else "epochs")


# What is tried first


def test_first_configurations_come_first_and_exactly(open_session: Callable[..., Session]) -> None:
    session = open_session(load_space("quickstart"))
    assert session.suggest() == {
        "trial_id": "t0000",
        "seed": 0,
        "hyper": {
            "pretrained": "moirai-tiny",
            "patch_size": "auto",
            "gradient_clip": 1.0,
            "schedule": "constant",
            "patience": 3,
            "strategy": "head_only",
            "lr": 1e-4,
            "epochs": 6,
            "batch_size": 32,
            "warmup_steps": 10,
            "weight_decay": 0.1,
        },
    }
    assert [point(session.suggest()) for _ in range(3)] == [
        ("freeze_ffn", 1e-4, 6, 32, 10, 3),
        ("full", 1e-4, 6, 32, 10, 3),
        ("full", 5e-5, 6, 16, 10, 3),
    ]


def test_first_configurations_of_a_conditional_space_take_their_own_branches(
    open_session: Callable[..., Session],
) -> None:
    session = open_session(load_space("moirai-small"))
    assert [point(session.suggest()) for _ in range(6)] == SMALL


def test_trials_are_numbered_and_seeded_by_their_number(open_session: Callable[..., Session]) -> None:
    """Seeds of different trials and sweeps differ: 10007 times the sweep's seed, and the number."""
    session = open_session(seed=3)
    configs = [session.suggest() for _ in range(3)]
    assert [c["trial_id"] for c in configs] == ["t0000", "t0001", "t0002"]
    assert [c["seed"] for c in configs] == [30021, 30022, 30023]


# What is tried next


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
    assert [r.config for r in cut.journal.read()] == [r.config for r in whole.journal.read()]
    assert [r.config for r in cut.journal.read()] == [t.user_attrs["config"] for t in whole.search.study.trials]
    for ours, theirs in zip(cut.search.study.trials, whole.search.study.trials, strict=True):
        assert (ours.state, ours.value, ours.params) == (theirs.state, theirs.value, theirs.params)
        assert ours.intermediate_values == theirs.intermediate_values


def test_another_seed_gives_other_configurations_after_the_first_ones(tmp_path: Path) -> None:
    points = []
    for seed in (0, 1):
        session = Session(tmp_path / f"seed-{seed}", two_numbers(), seed=seed)
        points.append([session.suggest()["hyper"]["lr"] for _ in range(3)])
    assert points[0][:2] == points[1][:2] == [1e-5, 1e-6]
    assert points[0][2] != points[1][2]


@pytest.mark.parametrize("searcher", ["tpe", "gp", "cmaes", "random"])
def test_every_searcher_stays_inside_the_domains(searcher: str, open_session: Callable[..., Session]) -> None:
    """Twelve trials: the Gaussian process takes over from random search after ten."""
    space = load_space("quickstart")
    session = open_session(space, searcher=searcher)
    domains = space.parameters()
    seen = []
    for _ in range(12):
        config = session.suggest()
        assert json.loads(json.dumps(config)) == config
        for name, domain in domains.items():
            assert domain.contains(config["hyper"][name]), (name, config["hyper"][name])
        assert isinstance(config["hyper"]["epochs"], int)
        seen.append(config["hyper"]["lr"])
        run_trial(session, config)
    assert len(set(seen)) > 6


@pytest.mark.parametrize("searcher", ["gp", "cmaes"])
def test_a_searcher_that_knows_no_conditions_is_refused_on_a_conditional_space(searcher: str) -> None:
    with pytest.raises(SweepError, match=f"--searcher {searcher} needs a space without conditions"):
        check_searcher(searcher, load_space("moirai-small"))
    check_searcher(searcher, load_space("moirai-small").override({"strategy": "full"}))
    check_searcher(searcher, load_space("quickstart"))


def test_a_grid_of_an_endless_space_is_refused() -> None:
    with pytest.raises(SpaceError, match="a grid needs domains that can be listed"):
        check_searcher("grid", load_space("quickstart"))
    check_searcher("grid", load_space("moirai-grid"))


# How many


def test_there_are_as_many_trials_as_asked_for_and_more_after_an_extension(
    open_session: Callable[..., Session],
) -> None:
    session = open_session(trials=3)
    assert session.search.remaining == 3
    assert [session.suggest()["trial_id"] for _ in range(3)] == ["t0000", "t0001", "t0002"]
    assert session.suggest() == Searcher.FINISHED
    for trial_id in ("t0000", "t0001", "t0002"):
        session.end(trial_id, 1, 0.5, "epochs")
    assert not session.search.has_open_trials
    assert session.search.remaining == 0
    longer = open_session(trials=4)
    assert longer.search.remaining == 1
    assert longer.search.has_open_trials
    assert longer.suggest()["trial_id"] == "t0003"
    assert longer.suggest() == Searcher.FINISHED


def test_grid_lists_every_point_once_and_then_ends(open_session: Callable[..., Session]) -> None:
    space = two_numbers().override({"lr": "choice:1e-5,2e-5,3e-5"})
    session = open_session(space, searcher="grid", trials=100)
    points = [session.suggest()["hyper"] for _ in range(6)]
    assert [(p["lr"], p["batch_size"]) for p in points] == [
        (1e-5, 16), (1e-5, 32), (2e-5, 16), (2e-5, 32), (3e-5, 16), (3e-5, 32),
    ]  # fmt: skip
    assert session.suggest() == Searcher.FINISHED


def test_a_list_of_points_is_run_in_order_and_ends(open_session: Callable[..., Session]) -> None:
    space = load_space("moirai-grid").override({"pretrained": "moirai-tiny"})
    session = open_session(space, trials=100)
    configs = []
    for _ in range(12):
        assert session.search.has_open_trials
        configs.append(session.suggest())
        session.end(configs[-1]["trial_id"], 1, 0.5, "epochs")
    assert [point(config) for config in configs] == GRID
    assert all(config["hyper"]["pretrained"] == "moirai-tiny" for config in configs)
    assert session.suggest() == Searcher.FINISHED
    assert not session.search.has_open_trials
    assert open_session(space, trials=100).suggest() == Searcher.FINISHED


# Going on after an interruption


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


def test_trials_that_ended_in_the_journal_alone_are_told_at_reopening(open_session: Callable[..., Session]) -> None:
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
    space = load_space("moirai-grid").override({"pretrained": "moirai-tiny"})
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


# What the study says


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
        ("t0005", TrialState.FAIL, None),
        ("t0006", TrialState.COMPLETE, 0.625),
        ("t0007", TrialState.RUNNING, None),
    ],
)
def test_the_study_holds_how_each_trial_ended_and_its_best_value(
    trial_id: str, state: TrialState, value: float | None, ended: Session
) -> None:
    assert (ended.trial(trial_id).state, ended.trial(trial_id).value) == (state, value)


def test_the_study_holds_a_value_an_epoch_in_thousandths_without_epoch_0(ended: Session) -> None:
    assert ended.trial("t0000").intermediate_values == {1000: 0.5, 2000: 0.25, 3000: 0.25}
    assert ended.trial("t0001").intermediate_values == {500: 0.75, 1000: 0.75}
    assert ended.trial("t0003").intermediate_values == {1000: 0.9375}
    assert ended.trial("t0005").intermediate_values == {}


def test_optuna_loads_the_study_from_its_file_by_itself(ended: Session) -> None:
    folder = ended.journal.sweep_folder
    study = optuna.load_study(study_name="night", storage=f"sqlite:///{folder / STUDY_FILE}")
    assert study.direction == optuna.study.StudyDirection.MINIMIZE
    assert len(study.trials) == 8
    assert study.best_trial.number == 0
    assert study.best_params == {"lr": 1e-5, "batch_size": 16}
    assert study.trials[0].user_attrs["config"]["trial_id"] == "t0000"
