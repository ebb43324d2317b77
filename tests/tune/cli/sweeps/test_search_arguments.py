"""The flags of the search and of the machine, and where a sweep is kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.tune.cli.command_line import ONE_GPU, Foretune
from tune.cli import sweep_steps
from tune.planning import request


def test_all_mistakes_in_flags_are_reported_at_once(rejected: Callable[..., str]) -> None:
    flags = {
        "--split": "rato",
        "--context-length": 0,
        "--train-stride": -1,
        "--scale": "std",
        "--trials": 0,
        "--searcher": "bayes",
        "--scheduler": "hyperband",
        "--grace-period": 0,
        "--reduction-factor": 1,
        "--gpus": -1,
        "--seed": -1,
        "--metric": "loss",
    }
    message = rejected("sweep", *(word for flag in flags.items() for word in flag))
    assert message.splitlines() == [
        "--split must be 'ratio' (or 'time'), 'ratio:7:1:2', 'series', 'series:8:1:1@3', 'ett' or "
        "'date:2017-07-01,2017-11-01', got 'rato'; did you mean 'ratio'?",
        "--context-length must be 1 or more, got 0",
        "--train-stride must be 1 or more, got -1",
        "--scale must be 'none' or 'standard', got 'std'",
        "--trials must be 1 or more, got 0",
        "--searcher must be 'tpe', 'gp', 'cmaes', 'random' or 'grid', got 'bayes'",
        "--scheduler must be 'asha', 'median' or 'none', got 'hyperband'",
        "--grace-period must be 1 or more, got 0",
        "--reduction-factor must be above 1, got 1",
        "--gpus must be 0 or more, got -1",
        "--seed must be 0 or more, got -1",
        "--metric must be 'val_loss', 'val_mae', 'val_mse', 'val_rmse', 'val_mase', 'val_wql' or 'val_smape', "
        "got 'loss'",
    ]


@pytest.mark.parametrize(
    ("flag", "value", "told"),
    [
        ("--time-budget", "soon", "--time-budget must be a duration like 2h, 90m or 1h30m, got 'soon'"),
        ("--time-budget", "0h", "--time-budget must be above zero, got '0h'"),
        ("--gpu-memory", "eight", "--gpu-memory must be a size like 8GB or 7.5GiB, got 'eight'"),
        ("--gpu-memory", "0GB", "--gpu-memory must be a size like 8GB or 7.5GiB, got '0GB'"),
        ("--max-concurrent", "two", "--max-concurrent must be auto or a number from 1, got 'two'"),
        ("--max-concurrent", "0", "--max-concurrent must be auto or a number from 1, got '0'"),
        ("--max-concurrent", "3", "--max-concurrent must not exceed the CPU cores, got 3, there are 2"),
        ("--trials", "ten", "--trials must be a whole number, got 'ten'; see foretune sweep --help"),
        ("--reduction-factor", "x", "--reduction-factor must be a number, got 'x'; see foretune sweep --help"),
        ("--split", "date:2025-02-01", "--split date needs two dates, got 'date:2025-02-01'"),
        ("--split", "date:2025-13-01,2026-01-01", "--split date must be an ISO timestamp, got '2025-13-01'"),
        ("--split", "date:2031-01-01,2032-01-01", "both dates must lie inside the data, but sample runs from"),
        ("--split", "ett", "--split ett needs 14400 rows a series (20 months of 30 days, 24 rows a day)"),
        ("--searcher", "grid", "a grid needs domains that can be listed, and these cannot: lr (log:5e-06:0.0001)"),
    ],
)
def test_a_flag_that_cannot_be_honoured_is_rejected(
    rejected: Callable[..., str], flag: str, value: str, told: str
) -> None:
    message = rejected("sweep", flag, value)
    assert told in message
    assert len(message.splitlines()) == 1


def test_more_gpus_than_there_are_is_rejected(rejected: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert "--gpus must not be more than the machine has, got 1, it has 0" in rejected("sweep", "--gpus", 1)
    monkeypatch.setattr(request, "look_at_machine", lambda: ONE_GPU)
    assert "--gpus must not be more than the machine has, got 2, it has 1" in rejected("sweep", "--gpus", 2)


def test_gpu_memory_needs_a_gpu_that_has_it(rejected: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    message = rejected("sweep", "--gpu-memory", "6GB")
    assert message == "--gpu-memory limits a GPU, got 6 GB, and this sweep has none; leave it out"
    monkeypatch.setattr(request, "look_at_machine", lambda: ONE_GPU)
    assert "got 9.0 GB, it has 8.0 GB" in rejected("sweep", "--gpu-memory", "9GB")


def test_a_searcher_that_knows_no_conditions_is_refused_for_a_conditional_space(rejected: Callable[..., str]) -> None:
    message = rejected("sweep", "moirai-small", "--set", "pretrained=moirai-tiny", "--searcher", "cmaes")
    assert message.startswith("--searcher cmaes needs a space without conditions, and moirai-small has them;")
    assert "--set strategy=full" in message


def test_a_list_of_points_is_not_tried_more_often_than_it_is_long(rejected: Callable[..., str]) -> None:
    message = rejected("sweep", "moirai-grid", "--set", "pretrained=moirai-tiny", "--trials", 13)
    assert message == "--trials must be at most 12, the points of moirai-grid, got 13"


@pytest.mark.parametrize("dry", [(), ("--dry-run",)])
@pytest.mark.parametrize(
    "name",
    [
        "a/b",
        "..",
        "/tmp/x",
        ".hidden",
        "",
        "a:b",
        "a\nb",
        "\x1b[31m",
        "CON",
        "nul",
        "night.",
        "night ",
        "x" * 201,
        "ö" * 120,
    ],
)
def test_a_name_that_no_folder_can_have_everywhere_is_rejected_before_the_data_is_read(
    rejected: Callable[..., str], name: str, dry: tuple[str, ...]
) -> None:
    message = rejected("sweep", "--data", "nowhere.csv", "--name", name, *dry)
    assert message.startswith(f"--name must be a plain folder name, got {name!r:.80}")
    assert "\x1b" not in message


def test_a_name_that_looks_like_an_option_is_rejected(rejected: Callable[..., str]) -> None:
    assert rejected("sweep", "--name=-x").startswith("--name must be a plain folder name, got '-x'")


def test_a_storage_folder_without_permission_is_rejected_before_the_data_is_read(
    rejected: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tune.storage.os.access", lambda path, mode: False)  # root may write everywhere
    message = rejected("sweep", "--data", "nowhere.csv", "--dry-run", storage=tmp_path / "mine")
    assert message.endswith(f"got {tmp_path / 'mine'}: permission denied in {tmp_path}")


def test_a_sweep_that_is_there_is_never_overwritten(rejected: Callable[..., str], night1: Path) -> None:
    message = rejected("sweep", "--name", "night1", storage=night1.parent)
    assert message.startswith(f"--name night1 is already used ({night1})")
    assert "foretune resume night1" in message


def test_a_storage_folder_that_is_a_file_is_rejected(rejected: Callable[..., str], two_series: Path) -> None:
    for storage in (two_series, two_series / "below"):
        message = rejected("sweep", "--dry-run", storage=storage)
        assert message == f"--storage must be a folder, got {storage}, and {two_series} is a file; give another"
        rejected("status", storage=storage)


def test_a_storage_folder_that_cannot_be_written_is_a_mistake_not_a_crash(
    foretune: Foretune, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def full_disk(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(sweep_steps.Sweep, "create", full_disk)
    ended = foretune("sweep", "--storage", tmp_path)
    assert ended.status == 2
    assert ended.err == (
        f"foretune: --storage must be a folder that can hold the sweep, got {tmp_path}: No space left on device\n"
    )


def test_a_disk_that_cannot_hold_the_checkpoints_is_reported_before_anything_is_made(
    rejected: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep_steps, "begin_ray", lambda _: None)
    monkeypatch.setattr(sweep_steps.shutil, "disk_usage", lambda _: SimpleNamespace(free=3_000_000))
    message = rejected("sweep", "quickstart")
    # 367 k trained weights of 4 bytes: of five trials, and five times of the one that runs
    assert message.startswith("--storage must have room for the sweep's checkpoints, up to 15 MB, and ")
    assert message.endswith("3 MB free; make room, name another folder, or keep fewer trials' weights with --keep")
