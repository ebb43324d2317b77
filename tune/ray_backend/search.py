"""Our domains to Optuna, through Ray's OptunaSearch: every trial of a sweep is one row of the study, for good."""

from __future__ import annotations

import warnings
from collections import deque
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import TrialState
from ray.tune.search import Searcher
from ray.tune.search.optuna import OptunaSearch

from search_spaces.domain import Domain
from search_spaces.space import SearchSpace
from trainables.trial.report import Report
from tune.ray_backend.messages import BEST_SO_FAR, Failure, read_result
from tune.records.journal import Journal
from tune.records.spec import lists_points
from tune.records.sweep_folder import SweepFolder
from tune.records.trial_record import TrialConfig, TrialRecord

optuna.logging.set_verbosity(optuna.logging.ERROR)
# multivariate TPE and the GP sampler are marked so; their versions are pinned and their results tested
warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)

CONFIG, POINT = "config", "point"  # a trial's configuration; the place of the point it was made of in its list


def trial_id_of(number: int) -> str:
    """t0007 for Optuna's trial number 7: also the trial's folder, short enough for Windows."""
    return f"t{number:04d}"


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


class StudySearch(OptunaSearch):
    """One sweep's study in a file that optuna-dashboard reads.

    The study is the truth about which trials exist: their numbers make the trial ids, their states say which are
    still open. A trial's suggestion depends on the seed, its number and the trials before it, never on how often the
    sweep was interrupted. Trials that an earlier session left open come first, as they were.
    """

    def __init__(self, journal: Journal, space: SearchSpace, *, searcher: str, seed: int, trials: int) -> None:
        self.journal, self.space, self.searcher_name, self.base_seed = journal, space, searcher, seed
        self.total_trials = trials
        self._by_ray_id: dict[str, optuna.Trial] = {}
        super().__init__(
            space=self._nothing_to_suggest,
            metric=BEST_SO_FAR,
            mode="min",
            sampler=make_sampler(searcher, seed),
            storage=open_storage(journal.folder),
            study_name=journal.folder.name,
        )
        self.is_list = lists_points(searcher, space)
        self._settle()
        self._enqueue()
        self._open = deque(self._open_trials())

    @staticmethod
    def _nothing_to_suggest(_: Any) -> dict[str, Any]:
        raise AssertionError("suggest is overridden")

    @property
    def study(self) -> optuna.Study:
        return self._ot_study

    @property
    def remaining(self) -> int:
        """Trials still to be run or finished in this session."""
        started = len(self._started())
        return len(self._open) + max(0, self.total_trials - started)

    @property
    def has_open_trials(self) -> bool:
        """Whether trials are left that have not come to their end."""
        running = self.study.get_trials(deepcopy=False, states=[TrialState.RUNNING])
        exhausted = self.is_list and not self._waiting()
        return bool(running) or (len(self._started()) < self.total_trials and not exhausted)

    # --- Ray's side

    def suggest(self, trial_id: str) -> Any:
        if self._open:
            trial = self._open.popleft()
            self._by_ray_id[trial_id] = trial
            return trial.user_attrs[CONFIG]
        started = self._started()
        if len(started) >= self.total_trials or (self.is_list and not self._waiting()):
            return Searcher.FINISHED
        self.study.sampler = make_sampler(self.searcher_name, derived_seed(self.base_seed, len(started)))
        trial = self.study.ask()
        self._by_ray_id[trial_id] = trial
        config = TrialConfig(
            trial_id=trial_id_of(trial.number),
            seed=derived_seed(self.base_seed, trial.number),
            hyper=self.space.sample(lambda name, domain: _suggest(trial, name, domain)),
        )
        trial.set_user_attr(CONFIG, config.to_row())
        self.journal.start(config)
        return config.to_row()

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        message = read_result(result, scheduler="")
        if not isinstance(message, Failure):
            _report(self._by_ray_id[trial_id], message)

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        trial = self._by_ray_id[trial_id]
        if result and not error:
            self.on_trial_result(trial_id, result)
        self._finish(trial.number, self.journal.record(trial_id_of(trial.number)), failed=error)

    def save(self, checkpoint_path: str) -> None:
        """Nothing to save: the study is on the disk."""
        Path(checkpoint_path).write_bytes(b"")

    def restore(self, checkpoint_path: str) -> None:
        """Nothing to restore: the study is on the disk."""

    # --- the study

    def _settle(self) -> None:
        """Bring the study up to the journal, which is ahead of it after a kill."""
        records = {record.trial_id: record for record in self.journal.records}
        for trial in self._open_trials():
            record = records.get(trial_id_of(trial.number))
            if CONFIG not in trial.user_attrs:
                self.study.tell(trial.number, state=TrialState.FAIL)
            elif record is not None:
                reported = self.study.trials[trial.number].intermediate_values
                for report in record.trained:
                    if _step(report) not in reported:
                        _report(trial, report)
                if record.is_finished:
                    self._finish(trial.number, record)

    def _enqueue(self) -> None:
        """Put the first configurations, or all points of a list, into the study, unless they are there.

        A kill may come before the last is in, or between taking a point out and making a trial of it.
        """
        started = [t for t in self.study.trials if t.state != TrialState.FAIL or CONFIG in t.user_attrs]
        there = {trial.user_attrs.get(POINT) for trial in started}
        for number, point in enumerate(self.space.grid_points() if self.is_list else self.space.enqueued()):
            if number not in there:
                self.study.enqueue_trial(point, user_attrs={POINT: number})

    def _open_trials(self) -> list[optuna.Trial]:
        running = self.study.get_trials(deepcopy=False, states=[TrialState.RUNNING])
        return [optuna.Trial(self.study, trial._trial_id) for trial in running]

    def _started(self) -> list[optuna.trial.FrozenTrial]:
        return [t for t in self.study.get_trials(deepcopy=False) if CONFIG in t.user_attrs]

    def _waiting(self) -> bool:
        return bool(self.study.get_trials(deepcopy=False, states=[TrialState.WAITING]))

    def _finish(self, number: int, record: TrialRecord, *, failed: bool = False) -> None:
        """End a trial in the study: complete, pruned if it was stopped before its own epochs, or failed."""
        values = [report.best_so_far for report in record.trained if report.best_so_far is not None]
        if failed or record.error is not None or not values:
            self.study.tell(number, state=TrialState.FAIL, skip_if_finished=True)
            return
        was_pruned = record.stopped_by is not None and record.stopped_by.is_of_scheduler
        # Optuna takes a pruned trial's last report as its value; it must not be given one
        state = TrialState.PRUNED if was_pruned else TrialState.COMPLETE
        self.study.tell(number, None if was_pruned else values[-1], state=state, skip_if_finished=True)


def open_storage(folder: SweepFolder) -> optuna.storages.RDBStorage:
    """The study's file; `optuna-dashboard sqlite:///…/study.db` shows it."""
    return optuna.storages.RDBStorage(f"sqlite:///{folder.study.as_posix()}")


def _step(report: Report) -> int:
    """Optuna's steps are whole: thousandths of an epoch."""
    return round(report.epoch * 1000)


def _report(trial: optuna.Trial, report: Report) -> None:
    """Record a report; epoch 0 is the same for all and teaches the sampler nothing."""
    if report.is_trained and report.best_so_far is not None:
        trial.report(report.best_so_far, _step(report))


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
