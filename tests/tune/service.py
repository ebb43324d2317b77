"""Sweeps as the user runs them: the real command line in processes of its own, watched, and killed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

import psutil

from tests.paths import REPOSITORY, TOYS
from tune.records.journal import read_record
from tune.records.sweep_folder import SweepFolder

UNREPEATABLE = ("seconds", "peak_memory_bytes")
DEADLINE = 240  # seconds that a wait may take on a busy machine


def toy_sweep(name):
    """The arguments that sweep the toy, a trial at a time."""
    return ("sweep", TOYS / "toy.yaml", "--data", "sample", "--name", name, "--seed", "3", "--max-concurrent", "1")


def foretune(*arguments, cwd, **options):
    """Run the command line in a process of its own and return it, ended."""
    return subprocess.run(
        [sys.executable, "-m", "tune", *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
        **options,
    )


def start_foretune(*arguments, cwd):
    log = (cwd / "log.txt").open("w")
    return subprocess.Popen(
        [sys.executable, "-m", "tune", *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def wait_for_epoch(process, folder, trial_id, epoch):
    """Wait until a trial has reported an epoch, and no other has started."""
    started = time.monotonic()
    while time.monotonic() - started < DEADLINE:
        assert process.poll() is None, (folder.parents[1] / "log.txt").read_text()
        if (folder / trial_id / "result.json").exists():
            reports = read_record(SweepFolder(folder).trial(trial_id)).reports
            if reports and reports[-1].epoch >= epoch:
                return
        time.sleep(0.05)
    raise AssertionError(f"{trial_id} did not reach epoch {epoch} in {DEADLINE} s")


def kill_all(process):
    """SIGKILL to driver and workers at once."""
    family = [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]
    for member in family:
        member.kill()
    psutil.wait_procs(family, timeout=30)
    process.wait()


def repeatable(board):
    for trial in board["trials"]:
        for run in (trial, *trial.get("runs", ())):
            for key in UNREPEATABLE:
                run.pop(key)
    return {key: value for key, value in board.items() if key != "sweep"}


def leaderboard_of(name, cwd):
    done = foretune("leaderboard", name, "--format", "json", cwd=cwd)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
