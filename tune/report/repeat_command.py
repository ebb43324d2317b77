"""The command that runs a sweep again: the same series, windows, space and search."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from data.read_options import ReadOptions
from data.samples.bundled import SAMPLES
from search_spaces.library import load_space, shipped_names
from search_spaces.space import SearchSpace
from tune.records.spec import SweepSettings, SweepSpec

SPACE_FILE = "space.yaml"
_FLAGS = {"time_budget_seconds": "time-budget", "gpu_memory_bytes": "gpu-memory"}
_UNITS = {"time_budget_seconds": "s", "gpu_memory_bytes": "B"}
_ALWAYS = ("trials", "searcher", "seed", "keep")  # their defaults follow from other things
_OF_VERDICT = ("repeats", "repeated")


@dataclass(frozen=True)
class Repetition:
    """commands: to be typed one after the other. space: the text of SPACE_FILE, None where a shipped space is searched.

    learned_from: earlier sweeps whose trials the searcher knew.
    """

    commands: tuple[str, ...]
    space: str | None
    learned_from: tuple[str, ...]


def repeat_commands(spec: SweepSpec) -> Repetition:
    """Return what repeats a sweep. Sweeps that follow it, or that it started from, are repeated by their own."""
    space = spec.search_space()
    is_shipped = space.name in shipped_names() and _as_text(load_space(space.name)) == _as_text(space)
    name = f"{spec.name}-again"
    words = [space.name if is_shipped else SPACE_FILE, *_data(spec), *_task(spec), *_settings(spec), "--name", name]
    commands = [shlex.join(["foretune", "sweep", *words])]
    if spec.repeats and not _is_default("repeated", spec):
        repeat = ["repeat", name, "--top", str(spec.repeated), "--seeds", str(spec.repeats)]
        commands.append(shlex.join(["foretune", *repeat]))
    earlier = dict.fromkeys(trial.source.partition(" ")[0] for trial in spec.earlier)
    return Repetition(tuple(commands), None if is_shipped else _as_text(space), tuple(earlier))


def _as_text(space: SearchSpace) -> str:
    """Return a space as the text of its file, without its name, which is the file's."""
    content = {key: value for key, value in space.to_dict().items() if value and key not in ("name", "notes")}
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=100)


def _data(spec: SweepSpec) -> Iterator[str]:
    bundled = {str(path.resolve()): name for name, path in SAMPLES.items()}
    yield from ("--data", bundled.get(spec.data.path, spec.data.path))
    for name in ReadOptions.model_fields:
        value = getattr(spec.data, name)
        if value:
            yield f"--{_dashed(name)}={','.join(value) if isinstance(value, tuple) else value}"
    if spec.data.max_files is not None and not Path(spec.data.path).is_file():
        yield from ("--max-files", str(spec.data.max_files))


def _task(spec: SweepSpec) -> Iterator[str]:
    for name, value in spec.task.model_dump(exclude={"window_seed"}).items():
        if value is not None:
            yield from (f"--{_dashed(name)}", str(value))


def _settings(spec: SweepSpec) -> Iterator[str]:
    for name in SweepSettings.model_fields:
        value = getattr(spec, name)
        left_out = name in _OF_VERDICT and not _is_default("repeated", spec)
        if name == "repeated" or left_out or value is None or (name not in _ALWAYS and _is_default(name, spec)):
            continue
        if isinstance(value, bool):
            yield f"--{'' if value else 'no-'}{_dashed(name)}"
        else:
            text = f"{value:.12g}" if isinstance(value, float) else str(value)
            yield from (f"--{_FLAGS.get(name, _dashed(name))}", text + _UNITS.get(name, ""))


def _is_default(name: str, spec: SweepSpec) -> bool:
    return bool(getattr(spec, name) == SweepSettings.model_fields[name].default)


def _dashed(name: str) -> str:
    return name.replace("_", "-")
