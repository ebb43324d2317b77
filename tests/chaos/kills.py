"""A sweep that is killed again and again at random moments, and goes on each time until it is done."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.tune.service import DEADLINE, start_foretune
from tune.records.journal import read_records
from tune.records.sweep_folder import SweepFolder

GONE_WITHIN_SECONDS = 30
LONGEST_SWEEP = 1800  # seconds, on a busy machine
MOST_WORKERS = 2  # killed in one session: a trial's worker is replaced so often
VICTIMS = ("driver", "worker", "raylet", "gcs_server", "all", "SIGTERM", "SIGHUP", "SIGINT", "SIGINT twice")


@dataclass
class Outcome:
    """kills: how often each victim was killed. behind: names of processes that stayed longer than they may."""

    kills: Counter[str] = field(default_factory=Counter)
    behind: list[str] = field(default_factory=list)
    log: str = ""


def sweep_under_kills(arguments: tuple[object, ...], name: str, cwd: Path, *, kills: int, seed: int) -> Outcome:
    """Start a sweep, kill some of it so many times, resume it each time, and let it finish.

    A kill comes at a random moment after the search has begun; a sweep that is done before has had all its kills.
    """
    drawn, outcome = random.Random(seed), Outcome()
    command: tuple[object, ...] = arguments
    while True:
        process = start_foretune(*command, cwd=cwd)
        family = _kill_until_it_ends(process, cwd, kills, drawn, outcome)
        status = process.wait(timeout=LONGEST_SWEEP)
        outcome.log += (cwd / "log.txt").read_text()
        _, left = psutil.wait_procs(family, timeout=GONE_WITHIN_SECONDS)
        outcome.behind += [process.name() for process in left if process.is_running()]
        (cwd / "outcome.txt").write_text(f"{dict(outcome.kills)}, behind: {outcome.behind}\n{outcome.log}")
        if status == 0:
            return outcome
        command = ("resume", name)


def _kill_until_it_ends(
    process: subprocess.Popen[bytes], cwd: Path, kills: int, drawn: random.Random, outcome: Outcome
) -> list[psutil.Process]:
    """Kill at random moments, while kills are left and the sweep runs: it outlives its worker, and its raylet once.

    Return all that ever belonged to it.
    """
    family: dict[int, psutil.Process] = {}
    workers = 0
    if not has_begun(process, cwd / "log.txt"):
        return []
    while outcome.kills.total() < kills:
        time.sleep(drawn.uniform(0, 4))
        if process.poll() is not None:
            break
        driver = psutil.Process(process.pid)
        there = [driver, *driver.children(recursive=True)]
        family |= {member.pid: member for member in there}
        victim = drawn.choice([v for v in VICTIMS if v != "worker" or workers < MOST_WORKERS])
        workers += victim == "worker"
        _kill(victim, driver, there)
        outcome.kills[victim] += 1
    return list(family.values())


def has_begun(process: subprocess.Popen[bytes], log: Path) -> bool:
    started = time.monotonic()
    while " starts: " not in (text := log.read_text()) and " goes on: " not in text:
        if process.poll() is not None or time.monotonic() - started > DEADLINE:
            return False
        time.sleep(0.1)
    return True


def _kill(victim: str, driver: psutil.Process, family: list[psutil.Process]) -> None:
    if victim == "driver":
        driver.kill()
    elif victim == "all":
        for member in family:
            _quietly(member.kill)
    elif victim.startswith("SIG"):
        number = getattr(signal, victim.split()[0])
        os.kill(driver.pid, number)
        if victim.endswith("twice"):
            time.sleep(0.3)
            _quietly(lambda: os.kill(driver.pid, number))
    else:
        prefix = "ray::" if victim == "worker" else victim
        for member in family:
            _quietly(lambda member=member: member.kill() if member.name().startswith(prefix) else None)


def _quietly(kill: object) -> None:
    try:
        kill()
    except (psutil.NoSuchProcess, ProcessLookupError):
        return  # it has gone by itself


def repeated_epochs(folder: SweepFolder) -> dict[str, int]:
    """How many reports more than one each trial has of an epoch."""
    repeated = {}
    for record in read_records(folder):
        lines = folder.trial(record.trial_id).result.read_text().splitlines()
        repeated[record.trial_id] = len(lines) - len(record.reports)
    return repeated
