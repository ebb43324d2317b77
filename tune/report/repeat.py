"""How to repeat a sweep: its space as a file, and the command with every option that matters."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

import yaml

from data.errors import UserError
from search_spaces.library import load_space
from search_spaces.space import SearchSpace
from tune.format import number
from tune.records.spec import DataSource, SweepSettings, SweepSpec

_OF_SEARCH = (
    "trials",
    "searcher",
    "scheduler",
    "grace_period",
    "reduction_factor",
    "metric",
    "confidence",
    "repeats",
    "seed",
    "max_concurrent",
    "keep",
)
_OF_TASK = ("split", "context_length", "prediction_length", "train_stride", "eval_stride", "scale")
_DRAWN = ("max_windows", "max_eval_windows")
_OF_DATA = tuple(name for name in DataSource.model_fields if name not in ("path", "content_hash", "clean", "min_rows"))


@dataclass(frozen=True)
class Repetition:
    """command: the sweep again. space_file: the name under which the command expects the text of the space; empty where
    the space comes with foretune and is as it was."""

    command: str
    space_file: str
    space_text: str


def repetition_of(spec: SweepSpec) -> Repetition:
    """Return what it takes to run the same sweep on another machine."""
    space = spec.search_space()
    is_shipped = _is_shipped(space)
    file = "" if is_shipped else f"{space.name or 'space'}.yaml"
    content = {k: v for k, v in space.to_dict().items() if v and k not in ("name", "notes")}
    text = "" if is_shipped else yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
    words = ["foretune", "sweep", file or space.name, *_options(spec), "--name", f"{spec.name}-again"]
    return Repetition(shlex.join(words), file, text)


def _is_shipped(space: SearchSpace) -> bool:
    try:
        return load_space(space.name).to_dict() == space.to_dict()
    except UserError:
        return False


def _options(spec: SweepSpec) -> list[str]:
    values: dict[str, object] = {"data": spec.data.path}
    values |= {name: getattr(spec.data, name) for name in _OF_DATA}
    values |= {name: getattr(spec.task, name) for name in (*_OF_TASK, *_DRAWN)}
    defaults = SweepSettings(trials=1)
    always = ("trials", "searcher", "scheduler", "metric", "seed", "keep")
    values |= {n: v for n in _OF_SEARCH if (v := getattr(spec, n)) != getattr(defaults, n) or n in always}
    if spec.time_budget_seconds is not None:
        values["time_budget"] = f"{spec.time_budget_seconds:g}s"
    options: list[str] = []
    for name, value in values.items():
        if value is None or value == ():
            continue
        words = ",".join(map(str, value)) if isinstance(value, tuple) else number(value)
        options += [f"--{name.replace('_', '-')}", words]
    options += [] if spec.futility else ["--no-futility"]
    return options + (["--stop-when-flat"] if spec.stop_when_flat else [])
