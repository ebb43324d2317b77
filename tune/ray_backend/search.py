"""What is tried next: the trials that were left open, the first configurations, then what Optuna proposes; and repeats
of what was best."""

from __future__ import annotations

import logging
import warnings
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from ray.tune.search import Searcher
from ray.tune.search.optuna import OptunaSearch

from search_spaces.domain import Domain
from search_spaces.space import SearchSpace
from tune.ray_backend.messages import BEST_SO_FAR, Failure, read_result
from tune.ray_backend.study import CONFIG, add_report, finish, open_study
from tune.records.earlier_trial import EarlierTrial
from tune.records.journal import Journal
from tune.records.spec import lists_points
from tune.records.trial_record import TrialConfig, TrialId

logger = logging.getLogger(__name__)

optuna.logging.set_verbosity(optuna.logging.ERROR)
# multivariate TPE and the GP sampler are marked so; their versions are pinned and their results tested
warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
warnings.filterwarnings("ignore", message="Clip non-finite values")  # of trials that diverged; so it is meant


def derived_seed(base: int, number: int) -> int:
    """A seed of its own for each trial number, small enough for numpy, which takes 32 bits."""
    return (base * 10_007 + number) % 2**32


def make_sampler(name: str, seed: int) -> optuna.samplers.BaseSampler:
    """tpe, gp, cmaes or random; grid needs none, its points wait in the study."""
    match name:
        case "tpe":
            return optuna.samplers.TPESampler(seed=seed, multivariate=True, group=True, constant_liar=True)
        case "gp":
            return optuna.samplers.GPSampler(seed=seed)
        case "cmaes":
            return optuna.samplers.CmaEsSampler(seed=seed)
        case _:
            return optuna.samplers.RandomSampler(seed=seed)


@dataclass(frozen=True)
class _Running:
    """A trial that Ray has: its id in the sweep, and its place in the study."""

    trial_id: str
    trial: optuna.Trial


class Places:
    """How many trials may run at once: no limit but Ray's, until the machine's memory has run out a second time."""

    def __init__(self) -> None:
        self.limit: int | None = None
        self.running: set[str] = set()  # Ray's ids
        self._deaths = 0

    @property
    def is_full(self) -> bool:
        return self.limit is not None and len(self.running) >= self.limit

    def memory_ran_out(self, at_once: int) -> None:
        """Let one trial fewer run, if it is not the first time; at_once: how many Ray runs."""
        self._deaths += 1
        if self._deaths == 1:
            logger.warning("the machine's memory ran out; the trial goes on with fewer windows at once")
            return
        self.limit = max(1, (at_once if self.limit is None else self.limit) - 1)
        logger.warning("the machine's memory ran out again: from now on %d trial(s) at once", self.limit)


class StudySearch(OptunaSearch):
    """Proposes a sweep's trials; its study follows the journal.

    Ids, seeds and the places of the first configurations come from the number of trials on record. A proposal depends
    on the seed, its number and the trials before it, never on how often the sweep was interrupted. Trials that an
    earlier session left open come first, as they were. earlier: trials of other sweeps that the study begins with.
    """

    def __init__(
        self,
        journal: Journal,
        space: SearchSpace,
        *,
        searcher: str,
        seed: int,
        trials: int,
        earlier: Sequence[EarlierTrial] = (),
    ) -> None:
        self.journal, self.space, self.searcher_name, self.base_seed = journal, space, searcher, seed
        self.is_list = lists_points(searcher, space)
        self.points = space.grid_points() if self.is_list else space.enqueued()
        self.names = [] if self.is_list and not space.is_points else space.point_names()  # a grid has its own order
        self.total_trials = min(trials, len(self.points)) if self.is_list else trials
        self._by_ray_id: dict[str, _Running] = {}
        self.places = Places()
        study = open_study(journal.folder, journal.searched, space, earlier)
        super().__init__(
            space=self._nothing_to_suggest,
            metric=BEST_SO_FAR,
            mode="min",
            sampler=make_sampler(searcher, seed),
            storage=study._storage,
            study_name=study.study_name,
        )
        self._open = deque(
            _Running(record.trial_id, optuna.Trial(self.study, trial._trial_id))
            for record, trial in zip(
                journal.searched, self.study.get_trials(deepcopy=False)[len(earlier) :], strict=True
            )
            if not record.is_finished
        )

    @staticmethod
    def _nothing_to_suggest(_: Any) -> dict[str, Any]:
        raise AssertionError("suggest is overridden")

    @property
    def study(self) -> optuna.Study:
        return self._ot_study

    @property
    def remaining(self) -> int:
        """Trials still to be run or finished in this session."""
        return len(self._open) + max(0, self.total_trials - len(self.journal.searched))

    @property
    def has_open_trials(self) -> bool:
        """Whether trials are left that have not come to their end."""
        records = self.journal.searched
        return len(records) < self.total_trials or not all(record.is_finished for record in records)

    # --- Ray's side

    def suggest(self, trial_id: str) -> Any:
        if not self._open and len(self.journal.searched) >= self.total_trials:
            return Searcher.FINISHED
        if self.places.is_full:
            return None  # Ray asks again
        self.places.running.add(trial_id)
        if self._open:
            running = self._by_ray_id[trial_id] = self._open.popleft()
            return self.journal.record(running.trial_id).config.to_row()
        config, trial = self._propose(self.journal.next_number)
        self.journal.start(config)  # first: a trial that is not on record has never been
        trial.set_user_attr(CONFIG, config.to_row())
        self._by_ray_id[trial_id] = _Running(config.trial_id, trial)
        return config.to_row()

    def _propose(self, number: int) -> tuple[TrialConfig, optuna.Trial]:
        self.study.sampler = make_sampler(self.searcher_name, derived_seed(self.base_seed, number))
        if number < len(self.points):
            self.study.enqueue_trial(self.points[number])
        trial = self.study.ask()
        config = TrialConfig(
            trial_id=str(TrialId(number, self.names[number] if number < len(self.names) else "")),
            seed=derived_seed(self.base_seed, number),
            hyper=self.space.sample(lambda name, domain: _suggest(trial, name, domain)),
        )
        return config, trial

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        message = read_result(result, scheduler="")
        if not isinstance(message, Failure):
            add_report(self._by_ray_id[trial_id].trial, message)

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        running = self._by_ray_id[trial_id]
        self.places.running.discard(trial_id)
        if result and not error:
            self.on_trial_result(trial_id, result)
        finish(self.study, running.trial.number, self.journal.record(running.trial_id), failed=error)

    def save(self, checkpoint_path: str) -> None:
        """Nothing to save: the study is on the disk."""
        Path(checkpoint_path).write_bytes(b"")

    def restore(self, checkpoint_path: str) -> None:
        """Nothing to restore: the study is on the disk."""


class ListedTrials(Searcher):
    """Hands out configurations in their order; what becomes of them is in the journal."""

    def __init__(self, journal: Journal, configs: Sequence[TrialConfig]) -> None:
        super().__init__(metric=BEST_SO_FAR, mode="min")
        self.journal, self.left = journal, deque(configs)
        self.places = Places()

    def suggest(self, trial_id: str) -> Any:
        if not self.left:
            return Searcher.FINISHED
        if self.places.is_full:
            return None
        self.places.running.add(trial_id)
        config = self.left.popleft()
        self.journal.start(config)
        return config.to_row()

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Nothing to learn."""
        self.places.running.discard(trial_id)

    def save(self, checkpoint_path: str) -> None:
        """Nothing to save: the journal is on the disk."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing to restore: the journal is on the disk."""


def _suggest(trial: optuna.Trial, name: str, domain: Domain) -> Any:
    low, high = domain.low, domain.high
    match domain.kind:
        case "choice":
            return trial.suggest_categorical(name, list(domain.values))
        case "int":
            return trial.suggest_int(name, int(low), int(high), step=domain.step)
        case "logint":
            return trial.suggest_int(name, int(low), int(high), log=True)
        case _:
            return trial.suggest_float(name, float(low), float(high), log=domain.kind == "log")
