"""What a checkpoint is asked to forecast: flags first, then what its export records, then plain defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import ValidationError

from data.errors import DataError, near_names
from data.files import expand
from data.normalization import series_normalization
from data.panel import Panel
from data.samples.bundled import SAMPLES
from data.task.task import ForecastTask
from data.task.task_spec import TaskSpec
from tune.forecasts.forecaster import NORMS, Checkpoint, Norm
from tune.forecasts.scales import VALIDATION_FILE, Normalization, RequestError, Scales
from tune.planning.budget import look_at_machine, plan_budget
from tune.records.spec import DataSource
from tune.records.sweep_folder import SweepFolder
from tune.validation_messages import validation_messages

NO_TRAIN_ROWS = "rows:0"  # a split: every window is measured
FLAGS = {"eval_stride": "stride"}  # of a task's fields, those whose flag is called otherwise


@dataclass(frozen=True)
class ForecastRequest:
    """What the user typed; None where it was left out. trust: the file or module of a model of the user's own; reading:
    those of `data.read_options.ReadOptions` that were given."""

    checkpoint: str
    trust: str | None = None
    data: str | None = None
    reading: Mapping[str, object] = field(default_factory=dict)
    context_length: int | None = None
    prediction_length: int | None = None
    stride: int | None = None
    split: str | None = None
    scale: str | None = None
    norm: str | None = None
    gpus: int | None = None


@dataclass(frozen=True)
class Data:
    """The series that a forecast is made on.

    is_recorded: they are what the checkpoint's export was trained and measured on.
    """

    panel: Panel
    path: Path
    is_recorded: bool = False
    scales: Scales | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Assignment:
    """A checkpoint, the series, how they are cut, scaled and normalised, and where it is computed."""

    checkpoint: Checkpoint
    data: Data
    spec: TaskSpec
    norm: Norm
    device: torch.device

    def normalization(self, task: ForecastTask, ends: NDArray[np.int64]) -> Normalization | None:
        """Return what norm 'series' takes each series by, in the task's scale; None for the other norms.

        ends: (n_series,), of how many first rows, where no scales.json says; NaN where nothing is observed in them.
        """
        if self.norm != "series":
            return None
        panel = task.panel
        if self.data.scales is None:
            mean, std = series_normalization(panel, ends)
        else:
            mean, std = self.data.scales.normalization(panel.ids)
            mean = mean - panel.centers
        return (mean - task.mean) / task.std, std / task.std


def assign(request: ForecastRequest, checkpoint: Checkpoint) -> Assignment:
    """Read the series and fill in what was left out; UserErrors for whatever cannot be."""
    DataSource.checked(**request.reading, path="")  # what was typed comes before what must be read
    _reject_missing(request, checkpoint)
    device = choose_device(request.gpus)
    data = _read(request, checkpoint)
    spec, norm = _spec(request, checkpoint, data)
    return Assignment(checkpoint, data, spec, norm, device)


def also(assignment: Assignment, checkpoint: Checkpoint, norm: str | None) -> Assignment:
    """Give another checkpoint the same series and windows. norm: as it was typed, None for the checkpoint's own."""
    data, export = assignment.data, checkpoint.export
    is_recorded = export is not None and export.data.content_hash == data.panel.content_hash
    data = replace(data, is_recorded=is_recorded)
    scale = assignment.spec.scale
    chosen = default_norm(checkpoint, is_recorded=is_recorded, scale=scale) if norm is None else norm
    return replace(assignment, checkpoint=checkpoint, data=data, norm=next(n for n in NORMS if n == chosen))


def _reject_missing(request: ForecastRequest, checkpoint: Checkpoint) -> None:
    if checkpoint.export is not None:
        return
    needed = ("data", "context_length", "prediction_length")
    missing = [f"--{name.replace('_', '-')}" for name in needed if getattr(request, name) is None]
    if missing:
        raise RequestError(
            f"{checkpoint.name} is no export of a sweep, which would record its data and lengths: give "
            f"{' and '.join([', '.join(missing[:-1]), missing[-1]] if len(missing) > 1 else missing)}"
        )


def choose_device(gpus: int | None) -> torch.device:
    """Return the GPU, or the CPU where there is none or gpus is 0; UserError for more than the machine has."""
    budget = plan_budget(look_at_machine(), gpus=gpus, max_concurrent=None, gpu_memory_bytes=None)
    return torch.device("cuda" if budget.gpus > 0 and torch.cuda.is_available() else "cpu")


def _read(request: ForecastRequest, checkpoint: Checkpoint) -> Data:
    recorded = None if checkpoint.export is None else checkpoint.export.data
    if request.data is None:
        assert recorded is not None
        return _read_recorded(request, checkpoint, recorded)
    path = SAMPLES.get(request.data, expand(request.data))
    if not request.data or not path.exists():
        siblings = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
        raise RequestError(
            f"--data must name a file, a folder or a bundled dataset ({', '.join(SAMPLES)}), and there is no "
            f"{request.data!r}{near_names(path.name, [*SAMPLES, *siblings]) or '; check the path'}"
        )
    path = path.resolve()
    same_file = recorded is not None and recorded_path(checkpoint.folder, recorded) == path
    panel = _panel(path, request, recorded if same_file else None)
    is_recorded = recorded is not None and recorded.content_hash == panel.content_hash
    return Data(panel, path, is_recorded, None if is_recorded else Scales.beside(path), panel.notes)


def _panel(path: Path, request: ForecastRequest, recorded: DataSource | None) -> Panel:
    """Read a file as the flags say or, where they do not, as it was read for the sweep."""
    known = {} if recorded is None else recorded.model_dump()
    return DataSource.checked(**{**known, **request.reading, "path": str(path)}).read()


def _read_recorded(request: ForecastRequest, checkpoint: Checkpoint, recorded: DataSource) -> Data:
    """Read the series of the sweep where they were, or from the sweep's own copy beside the export."""
    path = recorded_path(checkpoint.folder, recorded)
    if not path.exists():
        return _sweeps_copy(checkpoint, recorded)
    panel = _panel(path, request, recorded)
    notes = panel.notes
    if panel.content_hash != recorded.content_hash:
        notes += (f"{path} is not what the sweep was run on: its content has changed, and so will the figures",)
    return Data(panel, path, True, None, notes)


def recorded_path(folder: Path, recorded: DataSource) -> Path:
    """Return where the series were: bundled, or at a path as it is seen from the export's folder."""
    return SAMPLES.get(recorded.path, folder / recorded.path).resolve()


def _sweeps_copy(checkpoint: Checkpoint, recorded: DataSource) -> Data:
    gone, copy = recorded_path(checkpoint.folder, recorded), SweepFolder(checkpoint.folder.parent).data
    try:
        panel = Panel.load(copy)
        if panel.content_hash != recorded.content_hash:
            raise DataError(f"{copy} holds other series")
    except DataError as error:
        raise RequestError(
            f"{checkpoint.name} was made on {gone}, and that file is gone; say with --data where its series are"
        ) from error
    note = f"{gone} is gone; these are the series that the sweep has kept"
    return Data(panel, copy, True, None, (*panel.notes, note))


def _spec(request: ForecastRequest, checkpoint: Checkpoint, data: Data) -> tuple[TaskSpec, Norm]:
    """Return the task's spec and the norm; RequestError with all mistakes, as they were typed."""
    export = checkpoint.export
    recorded = {} if export is None else export.task.model_dump(exclude={"train_stride", "freq"})
    if not data.is_recorded:
        of_its_data = ("split", "scale", "max_windows", "max_eval_windows", "window_seed")
        recorded = {key: value for key, value in recorded.items() if key not in of_its_data}
    given: dict[str, object] = {
        "context_length": request.context_length,
        "prediction_length": request.prediction_length,
        "eval_stride": request.stride,
        "split": request.split,
        "scale": request.scale,
    }
    given = {key: value for key, value in given.items() if value is not None}
    length = request.prediction_length
    stride = max(1, length) if isinstance(length, int) else 1  # for another, the spec says what is wrong
    plain = {"eval_stride": stride, "split": _first_targets(data), "scale": "none"}
    values = {**plain, **recorded, **given}
    chosen = default_norm(checkpoint, is_recorded=data.is_recorded, scale=values["scale"])
    norm = chosen if request.norm is None else request.norm
    mistakes = _norm_mistakes(norm)
    spec = None
    try:
        spec = TaskSpec(**values)
    except ValidationError as error:
        for field, message in validation_messages(error).items():
            flag = f"--{FLAGS.get(field, field).replace('_', '-')}"
            mistakes.append(message if message.startswith("--") else f"{flag} {message}")
    if spec is not None and spec.scale == "standard" and spec.split == NO_TRAIN_ROWS:
        mistakes.append(
            f"--scale standard goes by each series' train rows, and split {spec.split}, the one for data that no "
            "export records, has none; add --split ratio, as a sweep has, or --split rows:N"
        )
    if mistakes or spec is None:
        raise RequestError("\n".join(mistakes))
    return spec, next(known for known in NORMS if known == norm)


def _norm_mistakes(norm: str) -> list[str]:
    known = f"{', '.join(NORMS[:-1])} or {NORMS[-1]}"
    return [] if norm in NORMS else [f"--norm must be {known}, got {norm!r}{near_names(norm, NORMS)}"]


def _first_targets(data: Data) -> str:
    """Name the split whose validation begins where a val.jsonl's targets do, or right after the first context."""
    is_validation = data.scales is not None and data.path.name == VALIDATION_FILE
    return f"rows:{data.scales.target_start_idx if data.scales and is_validation else 0}"


def check_norm(norm: str) -> None:
    """Reject a norm that there is not; RequestError."""
    if mistakes := _norm_mistakes(norm):
        raise RequestError(mistakes[0])


def default_norm(checkpoint: Checkpoint, *, is_recorded: bool, scale: str) -> str:
    """Show the model what a trial of a sweep shows it: contexts in the task's scale, or by its own norm.

    A model that was trained on scaled series gets them scaled where the task does not do it: by its training rows on
    its own series, by each context on others.
    """
    export = checkpoint.export
    if checkpoint.model_class.inference.get("norm") == "none":
        return "context" if export is None else str(export.hyperparameters.get("norm", "context"))
    if export is None or export.task.scale == "none" or scale == "standard":
        return "none"
    return "series" if is_recorded else "context"


def without_windows(assignment: Assignment) -> ForecastTask:
    """Make the task that a model is built for, whatever windows it has: none are listed."""
    return ForecastTask(assignment.data.panel, assignment.spec, parts=())
