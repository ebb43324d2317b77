"""What TensorBoard shows of a sweep: a run a trial, and HPARAMS with every domain."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader
from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.hparams import api_pb2, plugin_data_pb2
from tensorboard.plugins.hparams import metadata as hparams
from tensorboard.plugins.scalar.summary_v2 import scalar_pb
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from search_spaces.domain import Domain
from search_spaces.space import SearchSpace
from trainables.device.card_use import CARD_COLUMNS
from trainables.trial.report import METRICS, Report
from tune.records.journal import Journal
from tune.records.trial_record import TrialConfig, TrialRecord

CURVES = ("train_loss", "gradient_norm", "lr", "seconds", "waited_seconds", "peak_memory_bytes", *CARD_COLUMNS)
BEST = "best/"
EVENT_FILES = "events.out.tfevents.*"


class TensorBoardCallback:
    """Writes each trial's run into the trial's folder; a report is on the disk when a call returns.

    Steps are epochs. TensorBoard's steps are whole, so a trial with several evaluations an epoch counts evaluations
    instead, and its curve 'epoch' says how far each one is. best/val_loss and the like are written when an epoch is
    the best so far, at its step: their last point is the trial's result, and what HPARAMS shows.
    A trial that runs or was interrupted has no end yet: HPARAMS calls its status unknown, and a resumed sweep goes on
    in its run.
    """

    def __init__(self, journal: Journal, space: SearchSpace, *, metrics: tuple[str, ...] = METRICS) -> None:
        self.folder, self.journal = journal.folder, journal
        self.columns = hyperparameter_columns(space)
        self._runs: dict[str, _Run] = {}
        if hparams.EXPERIMENT_TAG not in _Past.read(self.folder.path).tags:
            self._write_experiment(space, metrics)
        for record in journal.records:
            if record.is_finished:
                self._settle(record)

    def trial_started(self, config: TrialConfig) -> None:
        self._run(config.trial_id)

    def trial_reported(self, trial_id: str, report: Report) -> None:
        self._run(trial_id).report(report)

    def trial_ended(self, trial_id: str) -> None:
        record = self.journal.record(trial_id)
        run = self._run(trial_id)
        if record.is_finished:
            run.end(failed=record.error is not None)
        self._runs.pop(trial_id).close()

    def tick(self) -> None:
        """Nothing waits: every report was written at once."""

    def close(self) -> None:
        for run in self._runs.values():
            run.close()
        self._runs.clear()

    def _run(self, trial_id: str) -> _Run:
        """The trial's run in this session, with all that is on record of it."""
        if trial_id not in self._runs:
            record = self.journal.record(trial_id)
            self._runs[trial_id] = self._open(record, _Past.read(self.folder.trial(trial_id).path))
        return self._runs[trial_id]

    def _open(self, record: TrialRecord, past: _Past) -> _Run:
        run = _Run(self.folder.trial(record.trial_id).path, record.hyper, past, self.columns)
        for report in record.reports:
            if run.step(report) > past.last_step:
                run.report(report)
        return run

    def _settle(self, record: TrialRecord) -> None:
        """Complete the run of a trial that ended when nobody could write it: the journal is ahead after a kill."""
        past = _Past.read(self.folder.trial(record.trial_id).path)
        if hparams.SESSION_END_INFO_TAG in past.tags:
            return
        run = self._open(record, past)
        run.end(failed=record.error is not None)
        run.close()

    def _write_experiment(self, space: SearchSpace, metrics: tuple[str, ...]) -> None:
        titles = {f"{BEST}{name}": f"best {name}" for name in metrics} | {name: f"last {name}" for name in metrics}
        infos = [
            api_pb2.MetricInfo(
                name=api_pb2.MetricName(tag=tag), display_name=title, dataset_type=api_pb2.DATASET_VALIDATION
            )
            for tag, title in titles.items()
        ]
        experiment = api_pb2.Experiment(
            description=space.description,
            time_created_secs=time.time(),
            hparam_infos=self.columns.values(),
            metric_infos=infos,
        )
        writer = EventFileWriter(str(self.folder.path))
        summary = _hparams_summary(hparams.EXPERIMENT_TAG, experiment=experiment)
        writer.add_event(Event(wall_time=time.time(), summary=summary))
        writer.close()


class _Run:
    """One trial's event file of this session, beside those of earlier ones."""

    def __init__(
        self, folder: Path, hyper: Mapping[str, object], past: _Past, columns: Mapping[str, api_pb2.HParamInfo]
    ) -> None:
        evals_per_epoch = hyper.get("evals_per_epoch")
        self.evals_per_epoch = evals_per_epoch if isinstance(evals_per_epoch, int) else 1
        self.last_step = past.last_step
        self._writer = EventFileWriter(str(folder))
        self._forget_from(past.last_step + 1)
        if hparams.SESSION_START_INFO_TAG not in past.tags:
            start = plugin_data_pb2.SessionStartInfo(group_name=folder.name, start_time_secs=time.time())
            for name, value in hyper.items():
                as_text = name in columns and columns[name].type == api_pb2.DATA_TYPE_STRING
                _set_hyperparameter(start, name, value, as_text=as_text)
            self._add(_hparams_summary(hparams.SESSION_START_INFO_TAG, session_start_info=start), step=0)

    def step(self, report: Report) -> int:
        return round(report.epoch * self.evals_per_epoch)

    def report(self, report: Report) -> None:
        """Add a report's curves; one that comes again takes the place of the first."""
        step = self.step(report)
        if step <= self.last_step:
            self._forget_from(step)
        self.last_step = step
        scores = report.scores.to_row()
        row = report.to_row()
        values = {**{name: row[name] for name in CURVES}, **scores}
        if self.evals_per_epoch > 1:
            values["epoch"] = report.epoch
        if report.is_best:
            values |= {f"{BEST}{name}": value for name, value in scores.items()}
        self._add(_curves(values), step=step)

    def end(self, *, failed: bool) -> None:
        status = api_pb2.STATUS_FAILURE if failed else api_pb2.STATUS_SUCCESS
        info = plugin_data_pb2.SessionEndInfo(status=status, end_time_secs=time.time())
        self._add(_hparams_summary(hparams.SESSION_END_INFO_TAG, session_end_info=info), step=max(self.last_step, 0))

    def close(self) -> None:
        self._writer.close()

    def _forget_from(self, step: int) -> None:
        """Let TensorBoard know that a session starts here: earlier ones' points at this step or later do not count."""
        self._writer.add_event(Event(wall_time=time.time(), step=step, session_log=SessionLog(status=SessionLog.START)))

    def _add(self, summary: Summary, *, step: int) -> None:
        self._writer.add_event(Event(wall_time=time.time(), step=step, summary=summary))
        self._writer.flush()


@dataclass(frozen=True)
class _Past:
    """What the event files of earlier sessions hold: their tags, and the last step with a curve's point (or -1)."""

    tags: frozenset[str]
    last_step: int

    @classmethod
    def read(cls, folder: Path) -> _Past:
        tags, last_step = set[str](), -1
        for path in folder.glob(EVENT_FILES):
            for event in LegacyEventFileLoader(str(path)).Load():
                here = {value.tag for value in event.summary.value}
                tags |= here
                if any(not tag.startswith("_hparams_/") for tag in here):
                    last_step = max(last_step, event.step)
        return cls(frozenset(tags), last_step)


# --- hyperparameters as HPARAMS describes them


def hyperparameter_columns(space: SearchSpace) -> dict[str, api_pb2.HParamInfo]:
    """Return each hyperparameter that may differ between trials, by its plain name, with its whole domain.

    The domains that branches give one name are joined: ranges to their hull, choices to their union. A value that
    a branch fixes counts as a choice. What is the same for every trial is left out.
    """
    domains: dict[str, list[Domain]] = {}
    for scoped, domain in space.parameters().items():
        domains.setdefault(scoped.rpartition("/")[2], []).append(domain)
    paths = list(space.paths().values())
    for name in dict.fromkeys(name for path in paths for name in path.fixed):
        values = _distinct(path.fixed[name] for path in paths if name in path.fixed)
        is_constant = len(values) == 1 and all(name in path.fixed for path in paths)
        if name in domains or not is_constant:
            domains.setdefault(name, []).append(Domain("choice", values=tuple(values)))
    return {name: _column(name, joined) for name, joined in domains.items()}


def _column(name: str, domains: list[Domain]) -> api_pb2.HParamInfo:
    """Describe joined domains; those of numbers and text together have no domain that HPARAMS can hold."""
    column = api_pb2.HParamInfo(name=name, differs=True)
    choices = _distinct(value for domain in domains for value in domain.values)
    ends = [end for domain in domains if domain.kind != "choice" for end in (domain.low, domain.high)]
    if all(map(_is_number, choices)):
        column.type = api_pb2.DATA_TYPE_FLOAT64
        if ends:
            column.domain_interval.min_value = min(ends + choices)
            column.domain_interval.max_value = max(ends + choices)
        else:
            column.domain_discrete.extend(sorted(choices))
        return column
    is_bool = not ends and all(isinstance(value, bool) for value in choices)
    column.type = api_pb2.DATA_TYPE_BOOL if is_bool else api_pb2.DATA_TYPE_STRING
    if not ends:
        column.domain_discrete.extend(choices if is_bool else map(_text, choices))
    return column


def _set_hyperparameter(start: plugin_data_pb2.SessionStartInfo, name: str, value: Any, *, as_text: bool) -> None:
    """Keep a number to its last bit, and as text what is no number, or is in a column of text."""
    if as_text or not (isinstance(value, bool) or _is_number(value)):
        start.hparams[name].string_value = _text(value)
    elif isinstance(value, bool):
        start.hparams[name].bool_value = value
    else:
        start.hparams[name].number_value = value


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _distinct(values: Iterable[Any]) -> list[Any]:
    """Each value once, in order; true is not 1, 5.0 is 5."""
    return list({value if _is_number(value) else _text(value): value for value in values}.values())


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


# --- TensorBoard's messages


def _hparams_summary(tag: str, **content: Any) -> Summary:
    plugin_data = plugin_data_pb2.HParamsPluginData(**content)
    about = hparams.create_summary_metadata(plugin_data)
    return Summary(value=[Summary.Value(tag=tag, metadata=about, tensor=hparams.NULL_TENSOR)])


def _curves(values: Mapping[str, Any]) -> Summary:
    """A point of each curve whose value is a number; float32, as the data server of `tensorboard` reads no other."""
    return Summary(value=[scalar_pb(tag, value).value[0] for tag, value in values.items() if _is_number(value)])
