"""Everything that defines a sweep: written to its folder before the first trial, read back to resume."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from data.errors import DamagedFileError, UserError
from data.files import read_object, replace_text
from data.read_options import ReadOptions
from data.task.task_spec import TaskSpec
from search_spaces.space import SearchSpace
from trainables.trial.report import ZERO_SHOT
from tune.records.earlier_trial import EarlierTrial
from tune.records.repeats import Repeats
from tune.records.sweep_folder import SweepFolder
from tune.records.verdict import CONFIDENCE
from tune.validation_messages import flag_messages, validation_messages

if TYPE_CHECKING:
    from data.panel import Panel

FORMAT_VERSION = 2  # of a sweep's folder; one of another version is rejected
ASHA_SHARE = 1 / 3  # of all epochs, that a search with ASHA trains
MOST_REPEATS = 100  # of a configuration, and configurations with repeats
Metric = Literal["val_loss", "val_mae", "val_mse", "val_rmse", "val_mase", "val_wql", "val_smape"]
Units = Literal["scaled", "data"]
Searcher = Literal["tpe", "gp", "cmaes", "random", "grid"]
Scheduler = Literal["asha", "median", "none"]


LIST_SEARCHER = "grid"


def lists_points(searcher: str, space: SearchSpace) -> bool:
    """Whether the trials are a list of points, run in order, after which nothing is left to suggest."""
    return searcher == LIST_SEARCHER or space.is_points


class SweepError(UserError):
    """A sweep that cannot be started, found or resumed."""


class NoRoomError(SweepError):
    """A sweep that stopped because its disk is full; what was on record stays."""


class DataSource(ReadOptions):
    """Where the series came from, and how they were read; the sweep's folder holds its own copy of them.

    max_files, clean, min_rows: of a folder, see `data.readers.folder_reader.read_folder`.
    """

    path: str
    max_files: int | None = None
    clean: bool = False
    min_rows: int = 1
    content_hash: str = ""

    @classmethod
    def checked(cls, **values: object) -> DataSource:
        """Make one of values as they were typed; SweepError with all mistakes."""
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise SweepError("\n".join(flag_messages(error))) from error

    def read(self) -> Panel:
        """Read the series; raises DataError."""
        from data.readers.panel_reader import (
            read_panel,  # pandas: half a second, and a sweep's record is read without it
        )

        return read_panel(Path(self.path), **self.model_dump(exclude={"path", "content_hash"}))


class SweepSettings(BaseModel):
    """How to search, and with what of the machine.

    time_budget_seconds counts the search alone, over all its sessions; gpu_memory_bytes is for one GPU. confidence: of
    the verdict, which calls a trial better than the initial model. futility, stop_when_flat: whether the
    search ends early where nothing comes near the initial model, or nothing gets better. repeats: how often the best
    `repeated` configurations are trained again with other seeds, after the search. keep: how many trials' weights stay
    on the disk, 0 for all. max_gpu_temp: degrees Celsius above which trials wait. max_gpu_power: watts above which it
    is said. log_every: optimiser steps from one point of the training loss by step to the next, 0 for none.
    max_steps: optimiser steps after which a trial ends, whatever its epochs. units: in which leaderboards show errors.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    trials: int = Field(ge=1, le=10**6)
    time_budget_seconds: float | None = Field(default=None, gt=0)
    searcher: Searcher = "tpe"
    scheduler: Scheduler = "asha"
    grace_period: int = Field(default=1, ge=1, le=10**6)
    reduction_factor: float = Field(default=3, gt=1, allow_inf_nan=False)
    max_concurrent: Annotated[int, Field(ge=1, le=10**6)] | Literal["auto"] | None = None
    gpus: int | None = Field(default=None, ge=0)
    gpu_memory_bytes: int | None = Field(default=None, gt=0)
    max_gpu_temp: float | None = Field(default=None, ge=40, le=120, allow_inf_nan=False)
    max_gpu_power: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    seed: int = Field(default=0, ge=0, lt=10**9)
    metric: Metric = "val_loss"
    confidence: float = Field(default=CONFIDENCE, ge=0.5, le=0.999, allow_inf_nan=False)
    futility: bool = True
    stop_when_flat: bool = False
    keep: int = Field(default=0, ge=0, le=10**6)
    repeats: int = Field(default=0, ge=0, le=MOST_REPEATS)
    repeated: int = Field(default=3, ge=1, le=MOST_REPEATS)
    log_every: int = Field(default=0, ge=0, le=10**9)
    units: Units = "scaled"
    max_steps: int | None = Field(default=None, ge=1, le=10**9)

    @property
    def repetition(self) -> Repeats:
        """What is trained again after the search."""
        return Repeats(self.repeated, self.repeats, self.metric, self.seed)

    @property
    def share_trained(self) -> float:
        """How much of all the epochs that its trials may have a search is expected to train."""
        return ASHA_SHARE if self.scheduler == "asha" else 1.0

    @property
    def planned_trials(self) -> int:
        """Trials of the search, and repeats of its best."""
        return self.trials + self.repeats * min(self.repeated, self.trials)


class SweepSpec(SweepSettings):
    """A sweep whole: its settings, the space and the model, the data and the task.

    initial_name: what the model is at epoch 0, zero-shot or untrained. earlier: trials that the searcher learns from.
    then: the requests of the sweeps that follow this one, each from the best of the one before.
    """

    format_version: int = FORMAT_VERSION
    name: str
    space: dict[str, object]
    trainable: str
    initial_name: str = ZERO_SHOT
    data: DataSource
    task: TaskSpec
    earlier: tuple[EarlierTrial, ...] = ()
    then: tuple[dict[str, object], ...] = ()
    created: str = ""
    versions: dict[str, str] = Field(default_factory=dict)

    def search_space(self) -> SearchSpace:
        return SearchSpace.from_dict(self.space)

    def write(self, folder: SweepFolder) -> None:
        """Write sweep.json in one step."""
        replace_text(folder.spec, self.model_dump_json(indent=1))

    @classmethod
    def read(cls, folder: SweepFolder) -> SweepSpec:
        """Read sweep.json; raises SweepError if it is missing, damaged, or of another version of the format."""
        try:
            content = read_object(folder.spec)
            _check_version(folder, content)
            _name_eval_windows(content)
            return cls.model_validate(content)
        except FileNotFoundError as error:
            raise SweepError(f"{folder.path}: a sweep's folder holds sweep.json, and there is none") from error
        except (DamagedFileError, ValidationError) as error:
            reason = (
                ", ".join(f"{name} {text}" for name, text in validation_messages(error).items())
                if isinstance(error, ValidationError)
                else str(error)
            )
            raise SweepError(
                f"{folder.spec}: cannot be read as a sweep: {reason.removeprefix(f'{folder.spec}: ')}; "
                "put back a copy of it, or start a new sweep"
            ) from error


def _check_version(folder: SweepFolder, content: Mapping[str, object]) -> None:
    found = content.get("format_version")
    if found != FORMAT_VERSION:
        was = "one before versions" if found is None else f"version {found!r}"
        raise SweepError(
            f"{folder.spec}: a sweep's folder must be of format version {FORMAT_VERSION}, got {was}; "
            "read it with the foretune that wrote it, or start a new sweep"
        )


def _name_eval_windows(content: Mapping[str, object]) -> None:
    """Give a record from before validation had a limit of its own the one it had: an eighth of training's."""
    task = content.get("task")
    if isinstance(task, dict) and isinstance(most := task.get("max_windows"), int):
        task.setdefault("max_eval_windows", max(1, most // 8))


def check_searcher(name: str, space: SearchSpace) -> None:
    """Reject a searcher that cannot search this space; raises SweepError or SpaceError."""
    if name in ("gp", "cmaes") and space.is_conditional:
        raise SweepError(
            f"--searcher {name} needs a space without conditions, and {space.name} has them; "
            "use tpe or random, or fix the deciding parameter with --set, like --set strategy=full"
        )
    if name == LIST_SEARCHER:
        space.grid()


def check_trials(searcher: str, space: SearchSpace, trials: int) -> None:
    """Reject more trials than a list of points has; SweepError."""
    if lists_points(searcher, space) and trials > (points := len(space.grid())):
        raise SweepError(f"--trials must be at most {points}, the points of {space.name}, got {trials}")
