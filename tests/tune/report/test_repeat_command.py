"""The command that repeats a sweep, read by the command line itself."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from data.samples.bundled import SAMPLES
from search_spaces.library import load_space
from search_spaces.override import override_space
from tests.tune.report.written_sweep import make_spec
from tune.cli import main as cli
from tune.cli import sweep_steps
from tune.planning.budget import parse_memory
from tune.planning.request import CheckedRequest
from tune.records.spec import SweepSettings, SweepSpec
from tune.report.repeat_command import repeat_commands

PLAIN = {"data": {"path": str(SAMPLES["sample"].resolve())}, "searcher": "tpe", "keep": 5}


def typed(command: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> CheckedRequest:
    """What `foretune sweep` would run for a command that is typed in a folder."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr("sys.argv", shlex.split(command))
    with mock.patch.object(sweep_steps, "start_sweep", return_value=0) as start, pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 0
    ((checked,), _), _ = start.call_args
    request: CheckedRequest = checked
    return request


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"trials": 7, "seed": 3, "searcher": "random", "scheduler": "none", "metric": "val_mae", "keep": 0},
        {"time_budget_seconds": 5400.5, "confidence": 0.95, "repeats": 2},
        {"futility": False, "stop_when_flat": True, "grace_period": 2, "reduction_factor": 4.0, "max_concurrent": 2},
        {"max_gpu_temp": 85.0, "max_gpu_power": 200.0, "gpus": 0},
    ],
)
def test_the_command_searches_as_the_sweep_did(
    changed: Mapping[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = make_spec(**{**PLAIN, "task": {**make_spec().task.model_dump(), "split": "ratio"}, **changed})
    (command,) = repeat_commands(spec).commands
    checked = typed(command, tmp_path, monkeypatch)
    assert checked.settings == SweepSettings.model_validate(spec.model_dump(include=set(SweepSettings.model_fields)))
    assert checked.task == spec.task
    assert checked.name == "night1-again"
    assert checked.data == SAMPLES["sample"]


def test_the_memory_of_a_gpu_is_in_bytes() -> None:
    (command,) = repeat_commands(make_spec(**PLAIN, gpu_memory_bytes=7_900_000_001)).commands
    assert "--gpu-memory 7900000001B" in command
    assert parse_memory("7900000001B") == 7_900_000_001


def test_windows_that_were_drawn_are_drawn_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task = {"context_length": 64, "prediction_length": 8, "max_windows": 20, "max_eval_windows": 30, "window_seed": 5}
    spec = make_spec(**{**PLAIN, "task": task, "seed": 5})
    assert typed(repeat_commands(spec).commands[0], tmp_path, monkeypatch).task == spec.task


def test_how_a_file_was_read_is_in_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "my meters.csv"
    path.write_text("t;a;b\n")
    reading = {"columns": ("a", "b"), "date_format": "%d/%m/%Y %H:%M", "na": ("-999", "off"), "decimal": ","}
    spec = make_spec(**{**PLAIN, "task": {"context_length": 64, "prediction_length": 8}})
    spec = spec.model_copy(update={"data": spec.data.model_copy(update={"path": str(path), **reading})})
    checked = typed(repeat_commands(spec).commands[0], tmp_path, monkeypatch)
    assert checked.data == path
    assert dict(checked.typed.reading) == reading


@pytest.mark.parametrize("settings", [{"lr": "log:1e-6:1e-4"}, {"strategy": "full"}, {"evals_per_epoch": "2"}])
def test_a_space_that_was_changed_comes_with_the_command(
    settings: Mapping[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = override_space(load_space("quickstart"), settings)
    spec = make_spec(**{**PLAIN, "space": space.to_dict(), "task": {"context_length": 64, "prediction_length": 8}})
    found = repeat_commands(spec)
    assert found.space is not None
    (tmp_path / "space.yaml").write_text(found.space, encoding="utf-8")
    again = typed(found.commands[0], tmp_path, monkeypatch).space
    assert again.to_dict() | {"name": "", "notes": []} == space.to_dict() | {"name": "", "notes": []}


def test_repeats_of_another_number_of_the_best_are_a_command_of_their_own() -> None:
    spec = make_spec(**{**PLAIN, "repeats": 2, "repeated": 5})
    sweep, repeat = repeat_commands(spec).commands
    assert "--repeats" not in sweep
    assert repeat == "foretune repeat night1-again --top 5 --seeds 2"


def test_sweeps_that_the_searcher_learned_from_are_named() -> None:
    earlier = [{"source": f"night0 t000{i}", "hyper": {}, "value": 0.5} for i in range(2)]
    spec = SweepSpec.model_validate({**make_spec().model_dump(), "earlier": earlier})
    assert repeat_commands(spec).learned_from == ("night0",)
