"""What a dry run says: the sweep in numbers, and nothing written."""

from __future__ import annotations

from pathlib import Path

import pytest

from data.samples.bundled import SAMPLES
from tests.tune.cli.command_line import ONE_GPU, TOY, Foretune, facts, write, write_csv
from tune.planning import request
from tune.planning.budget import Machine
from tune.planning.gpus import Gpu, GpuProcess


def test_brackets_in_the_names_of_columns_survive(foretune: Foretune, tmp_path: Path) -> None:
    lines = write_csv(tmp_path / "two.csv", 400, "load [kw]").read_text().splitlines()
    noted = [f"{line},{'note [b]' if i == 0 else 'x[a]'}" for i, line in enumerate(lines)]
    path = write(tmp_path, "[red]noted.csv", "\n".join(noted))
    out = foretune("sweep", "--data", path, "--dry-run", "--context-length", 64, "--prediction-length", 16).out
    assert "note: column 'note [b]' dropped: 'x[a]' in line 2 is not a number" in out
    assert facts(out)["data"].startswith("[red]noted: 1 series")


def test_dry_run_tells_the_bundled_default_in_numbers_and_writes_nothing(foretune: Foretune, tmp_path: Path) -> None:
    header, *lines = SAMPLES["sample"].read_text().splitlines()
    rows, n_series = len(lines), header.count(",")
    # context 256 and prediction 64; train 80 % in steps of 16, validation and test 10 % in steps of 16
    train_rows, test_rows = rows * 8 // 10, rows // 10
    train = n_series * ((train_rows - 320) // 16 + 1)
    val = n_series * ((rows - train_rows - test_rows - 64) // 16 + 1)
    test = n_series * ((test_rows - 64) // 16 + 1)
    storage = tmp_path / "ray_results"
    ended = foretune("sweep", "--dry-run", "--storage", storage)
    told = facts(ended.out)
    assert (ended.status, ended.err) == (0, "")
    assert not storage.exists()
    assert told["data"] == f"sample: {n_series} series, {n_series * rows} rows, frequency h"
    assert told["task"] == "context 256, prediction 64, split ratio, scale standard"
    assert told["windows"] == f"{train} train (stride 16), {val} validation and {test} test (stride 16)"
    steps = [f"{-(-train // batch)} at batch {batch}" for batch in (16, 32, 64)]
    assert told["optimiser steps an epoch"] == ", ".join(steps)
    assert told["space"] == "quickstart, trainable moirai"
    assert told["trials"] == "8, searcher gp, scheduler asha, metric val_loss, seed 0"
    assert told["time budget"] == "none"
    assert told["machine"] == "CPU, 1 trial(s) at once, 2 CPU core(s) each"


def test_dry_run_counts_the_windows_of_a_split_by_date(foretune: Foretune, two_series: Path) -> None:
    # ten days of training, three of validation, 88 hours of test: 240 - 80 + 1, 72 - 16 + 1 and 88 - 16 + 1, twice
    flags = ("--split", "date:2024-01-11,2024-01-14", "--context-length", 64, "--prediction-length", 16)
    strides = ("--train-stride", 1, "--eval-stride", 1)
    told = facts(foretune("sweep", "--data", two_series, "--dry-run", *flags, *strides).out)
    assert told["data"] == "two: 2 series, 800 rows, frequency h"
    assert told["windows"] == "322 train (stride 1), 114 validation and 146 test (stride 1)"


def test_dry_run_tells_every_flag_of_the_search(foretune: Foretune) -> None:
    flags = "--trials 40 --time-budget 1h30m --searcher random --scheduler median --metric val_mae --seed 7 --gpus 0"
    ended = foretune("sweep", "--dry-run", *flags.split(), "--max-concurrent", 2, "--set", "lr=log:5e-7:1e-5")
    told = facts(ended.out)
    assert told["trials"] == "40, searcher random, scheduler median, metric val_mae, seed 7"
    assert told["time budget"] == "1h 30m"
    assert told["machine"] == "CPU, 2 trial(s) at once, 1 CPU core(s) each"
    assert "lr log:5e-7:1e-5," in told["searched"]


def test_dry_run_tells_the_steps_that_a_trial_has_at_most(foretune: Foretune) -> None:
    """Of quickstart, whose warm-up is up to 30 steps."""
    out = foretune("sweep", "--dry-run", "--max-steps", 20, "--log-every", 5).out
    assert facts(out)["optimiser steps a trial"] == "20 at most (--max-steps)"
    assert "note: --max-steps 20 ends trials in their warm-up of up to 30 steps" in out
    out = foretune("sweep", "--dry-run", "--max-steps", 30).out
    assert "note: --max-steps" not in out


def test_dry_run_with_a_gpu_names_it(foretune: Foretune, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request, "look_at_machine", lambda: ONE_GPU)
    told = facts(foretune("sweep", "--dry-run", "--gpu-memory", "8GB").out)
    assert told["machine"] == "1 GPU (H200), 1 trial(s) at once, 2 CPU core(s) each"


def test_dry_run_names_who_has_memory_of_the_gpu(foretune: Foretune, monkeypatch: pytest.MonkeyPatch) -> None:
    other = GpuProcess(4711, "python", 3 * 10**9)
    used = Machine(2, (Gpu("H200", 8 * 10**9, 5 * 10**9, (other,)),))
    monkeypatch.setattr(request, "look_at_machine", lambda: used)
    out = foretune("sweep", "--dry-run").out
    note = "note: H200: 3.0 GB of 8.0 GB are used by python (4711) with 3.0 GB; trials get what is free"
    assert note in " ".join(out.split())


def test_dry_run_says_what_became_of_the_initial_points(foretune: Foretune) -> None:
    # of quickstart's four, one has batch size 16
    out = foretune("sweep", "--dry-run", "--set", "batch_size=choice:32,64").out
    assert "note: batch_size=choice:32,64: left out 1 of 4 initial points, which it does not allow" in out


def test_a_model_from_outside_is_planned_like_ours(foretune: Foretune) -> None:
    told = facts(foretune("sweep", TOY, "--dry-run").out)
    assert told["space"].startswith("toy, trainable ")


def test_dry_run_tells_what_the_last_rows_of_a_file_leave_out(foretune: Foretune, two_series: Path) -> None:
    lengths = ("--context-length", 32, "--prediction-length", 8)
    out = foretune("sweep", "--data", two_series, "--dry-run", *lengths, "--max-rows-per-file", 300).out
    assert facts(out)["data"] == "two: 2 series, 600 rows, frequency h"
    assert "note: the last 300 rows of each series taken, as --max-rows-per-file says; 200 earlier ones left out" in out
    ended = foretune("sweep", "--data", two_series, "--dry-run", *lengths, "--max-rows-per-file", 0)
    assert ended.status == 2
    assert ended.err.startswith("foretune: --max-rows-per-file")


def test_dry_run_tells_once_why_attention_auto_is_not_flash_attention(foretune: Foretune) -> None:
    out = foretune("sweep", "time-moe-quickstart", "--dry-run", "--gpus", 0, "--set", "attention=auto").out
    assert out.count("note: attention auto is sdpa here, not flash attention: ") == 1
    ended = foretune("sweep", "time-moe-quickstart", "--dry-run", "--gpus", 0, "--set", "attention=flash_attention_2")
    assert ended.status == 2
    assert "attention flash needs the package flash-attn" in ended.err
