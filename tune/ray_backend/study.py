"""The Optuna study of a sweep: what the journal says, in a file that optuna-dashboard reads."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress

import optuna
import sqlalchemy
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState

from data.files import replace_text
from search_spaces.domain import Domain
from search_spaces.space import SearchSpace
from trainables.trial.report import Report, StopReason
from tune.records.earlier_trial import EarlierTrial
from tune.records.sweep_folder import SweepFolder
from tune.records.trial_record import TrialConfig, TrialRecord

logger = logging.getLogger(__name__)

STUDY = "sweep"  # its name in every file: a sweep's folder may be renamed or copied
CONFIG = "config"  # the user attribute with a trial's configuration
EARLIER = "earlier"  # the user attribute with the source of a trial of an earlier sweep
_UNREADABLE = (sqlalchemy.exc.SQLAlchemyError, optuna.exceptions.OptunaError, RuntimeError, KeyError, ValueError)


def open_study(
    folder: SweepFolder, records: Sequence[TrialRecord], space: SearchSpace, earlier: Sequence[EarlierTrial] = ()
) -> optuna.Study:
    """Open the study with the trials of earlier sweeps and then one trial a record, in their order.

    The journal is the truth. A study that is missing, damaged, of another name, without some of the trials or with
    others than the journal has is made anew; what samplers keep with a trial is taken over where it can be read.
    """
    trials = _read_trials(folder)
    if trials is None or not _are_of(trials, records, earlier):
        known = {_trial_id(trial): trial for trial in trials or ()}
        _write(folder, [_frozen_earlier(e, space) for e in earlier] + [_frozen(r, known, space) for r in records])
    study = optuna.load_study(study_name=STUDY, storage=_storage(folder))
    _catch_up(study, records, len(earlier))
    return study


def finish(study: optuna.Study, number: int, record: TrialRecord, *, failed: bool = False) -> None:
    """End a trial in the study: complete, pruned if it was stopped before its own epochs, or failed."""
    state, value = _end_of(record)
    if failed:
        state, value = TrialState.FAIL, None
    study.tell(number, value, state=state, skip_if_finished=True)


def add_report(trial: optuna.Trial, report: Report) -> None:
    """Record a report; epoch 0 is the same for all and teaches the sampler nothing."""
    if report.is_trained and report.best_so_far is not None:
        trial.report(report.best_so_far, _step(report))


def distribution_of(domain: Domain) -> BaseDistribution:
    """Return Optuna's distribution of a domain, the one that its `suggest_...` makes."""
    low, high = domain.low, domain.high
    match domain.kind:
        case "choice":
            return CategoricalDistribution(list(domain.values))
        case "int":
            return IntDistribution(int(low), int(high), step=domain.step)
        case "logint":
            return IntDistribution(int(low), int(high), log=True)
        case _:
            return FloatDistribution(float(low), float(high), log=domain.kind == "log")


def recover_configurations(folder: SweepFolder, records: Sequence[TrialRecord]) -> list[str]:
    """Write the lost params.json of trials again, from the study; return the ids of those trials."""
    lost = {record.trial_id for record in records if not record.hyper}
    recovered = []
    for trial in (_read_trials(folder) or ()) if lost else ():
        trial_id = _trial_id(trial)
        if trial_id in lost:
            row = TrialConfig.from_row(trial.user_attrs[CONFIG]).to_row()
            replace_text(folder.trial(trial_id).params, json.dumps(row, indent=1))
            recovered.append(trial_id)
    return recovered


def _storage(folder: SweepFolder) -> optuna.storages.RDBStorage:
    # made of parts, because a path may hold what means something in a URL
    url = sqlalchemy.engine.URL.create("sqlite", database=folder.study.as_posix())
    return optuna.storages.RDBStorage(url.render_as_string())


def _read_trials(folder: SweepFolder) -> list[FrozenTrial] | None:
    """Return the trials of the file's one study; None where there is no such file or study, or it cannot be read."""
    if not folder.study.is_file():
        return None
    try:
        storage = _storage(folder)
        names = [study.study_name for study in storage.get_all_studies()]
        if names != [STUDY]:
            return None
        trials: list[FrozenTrial] = optuna.load_study(study_name=STUDY, storage=storage).trials
        return trials
    except _UNREADABLE as error:
        logger.warning("%s could not be read (%s): it is made anew", folder.study, str(error).splitlines()[0])
        return None


def _trial_id(trial: FrozenTrial) -> str | None:
    config = trial.user_attrs.get(CONFIG)
    return str(config["trial_id"]) if isinstance(config, dict) and "trial_id" in config else None


def _are_of(trials: Sequence[FrozenTrial], records: Sequence[TrialRecord], earlier: Sequence[EarlierTrial]) -> bool:
    sources, configs = [trial.source for trial in earlier], [record.config.to_row() for record in records]
    of_earlier, own = trials[: len(sources)], trials[len(sources) :]
    if [trial.user_attrs.get(EARLIER) for trial in of_earlier] != sources:
        return False
    if [trial.user_attrs.get(CONFIG) for trial in own] != configs:
        return False
    pairs = zip(own, records, strict=True)
    return all(record.is_finished or trial.state is TrialState.RUNNING for trial, record in pairs)


def _write(folder: SweepFolder, trials: Iterable[FrozenTrial]) -> None:
    """Write a study of these trials beside the old one, and put it in its place."""
    unfinished = SweepFolder(folder.path / ".study")
    unfinished.path.mkdir(exist_ok=True)
    unfinished.study.unlink(missing_ok=True)
    storage = _storage(unfinished)
    study = optuna.create_study(study_name=STUDY, storage=storage, direction="minimize")
    for trial in trials:
        study.add_trial(trial)
    storage.engine.dispose()
    unfinished.study.replace(folder.study)
    with suppress(OSError):
        unfinished.path.rmdir()


def _frozen_earlier(trial: EarlierTrial, space: SearchSpace) -> FrozenTrial:
    params, distributions = _recalled(trial.hyper, space)
    return optuna.trial.create_trial(
        state=TrialState.COMPLETE if trial.stopped_at is None else TrialState.PRUNED,
        value=trial.value,
        params=params,
        distributions=distributions,
        intermediate_values={} if trial.stopped_at is None else {_thousandths(trial.stopped_at): trial.value},
        user_attrs={EARLIER: trial.source},
    )


def _recalled(hyper: Mapping[str, object], space: SearchSpace) -> tuple[dict[str, object], dict[str, BaseDistribution]]:
    """Return what a space suggested of a configuration, and from which distributions, by its scoped names."""
    params: dict[str, object] = {}
    distributions: dict[str, BaseDistribution] = {}

    def recall(name: str, domain: Domain) -> object:
        params[name], distributions[name] = hyper[name.rpartition("/")[2]], distribution_of(domain)
        return params[name]

    space.sample(recall)
    return params, distributions


def _frozen(record: TrialRecord, known: Mapping[str | None, FrozenTrial], space: SearchSpace) -> FrozenTrial:
    """Return a record as a trial of a study. known: trials of the study before, for what samplers keep with them."""
    before = known.get(record.trial_id)
    # of a trial whose configuration is lost, nothing is known
    params, distributions = _recalled(record.hyper, space) if record.hyper else ({}, {})
    state, value = _end_of(record)
    by_step = {_step(r): r.best_so_far for r in record.trained if r.best_so_far is not None}
    return optuna.trial.create_trial(
        state=state,
        value=by_step[max(by_step)] if state is TrialState.PRUNED else value,  # as `tell` does
        params=params,
        distributions=distributions,
        intermediate_values=by_step,
        user_attrs={CONFIG: record.config.to_row()},
        system_attrs=dict(before.system_attrs) if before is not None else {},
    )


def _end_of(record: TrialRecord) -> tuple[TrialState, float | None]:
    """Return how a trial ended, and its value where the study is to be given one.

    One that diverged before it had a value is infinitely bad: left out as failed, its like would be tried again and
    again (docs/benchmarks.md).
    """
    if not record.is_finished:
        return TrialState.RUNNING, None
    values = [report.best_so_far for report in record.trained if report.best_so_far is not None]
    if record.error is None and not values and record.stopped_by is StopReason.DIVERGED:
        return TrialState.COMPLETE, math.inf
    if record.error is not None or not values:
        return TrialState.FAIL, None
    if record.stopped_by is not None and record.stopped_by.is_of_scheduler:
        return TrialState.PRUNED, None  # Optuna takes its last report as its value; it must not be given one
    return TrialState.COMPLETE, values[-1]


def _catch_up(study: optuna.Study, records: Sequence[TrialRecord], earlier: int) -> None:
    """Bring open trials up to the journal, which is ahead of the study after a kill. earlier: trials before them."""
    for record, trial in zip(records, study.get_trials(deepcopy=False)[earlier:], strict=True):
        if trial.state is not TrialState.RUNNING:
            continue
        for report in record.trained:
            if _step(report) not in trial.intermediate_values:
                add_report(optuna.Trial(study, trial._trial_id), report)
        if record.is_finished:
            finish(study, trial.number, record)


def _step(report: Report) -> int:
    return _thousandths(report.epoch)


def _thousandths(epoch: float) -> int:
    """Optuna's steps are whole: thousandths of an epoch."""
    return round(epoch * 1000)
