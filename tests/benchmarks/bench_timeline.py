"""Where the time of a sweep goes: the default sweep, and twenty head_only trials of twenty epochs.

    uv run python tests/benchmarks/bench_timeline.py

Each is run by `foretune sweep` in an empty folder and asked for its timeline. Beside the twenty trials, one of them
is trained the plain way: the encoder computed in every step.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

import tune  # noqa: F401  (sets what torch reads when it is imported)
from trainables.moirai.trainable import Moirai
from trainables.trial.folders import SharedFolder
from trainables.trial.trial import Trial, TrialSpec
from tune.planning.plan import plan_sweep
from tune.planning.request import SweepRequest, check_request
from tune.records.sweep_folder import SweepFolder
from tune.records.timeline import read_timeline, time_spent

HEAD_ONLY = (
    *("quickstart", "--set", "strategy=head_only", "--set", "epochs=20", "--set", "patience=20"),
    *("--set", "batch_size=32", "--set", "lr=log:1e-5:1e-3", "--trials", "20", "--scheduler", "none", "--no-futility"),
)


def run(name: str, *arguments: str) -> float:
    """Run a sweep and print its timeline; return its seconds."""
    with TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "tune", "sweep", *arguments, "--name", name, "--storage", folder]
        started = time.perf_counter()
        ended = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
        wall = time.perf_counter() - started
        assert ended.returncode == 0, ended.stdout + ended.stderr
        found = time_spent(read_timeline(SweepFolder(Path(folder) / name).timeline))
    print(f"\n{name}: {wall:.1f} s")
    for heading, seconds in found.seconds.items():
        print(f"  {heading:16} {seconds:7.2f} s {seconds / found.wall:6.1%} {found.counts[heading] or '':>5}")
    after_ray = found.wall - found.seconds["start"] - found.seconds["Ray's start"]
    print(f"  after Ray's start / training and evaluation: {after_ray / found.own:.2f}")
    print(f"  from one trial to the next: {found.middle_hand_over:.2f} s, the longest {max(found.hand_overs):.2f} s")
    return wall


def plain_head_only() -> float:
    """Train one of the twenty without kept features, every window through the whole model; return its seconds."""

    class Plain(Moirai):
        def frozen_part(self, hyper: object, part: object) -> None:
            return None

    settings = {"strategy": "head_only", "epochs": "20", "patience": "20", "batch_size": "32", "lr": "1e-4"}
    plan = plan_sweep(check_request(SweepRequest(space="quickstart", set=settings)))
    with TemporaryDirectory() as folder:
        spec = TrialSpec(
            folder=Path(folder) / "t0000",
            shared=SharedFolder(Path(folder)),
            hyper=plan.proposals.corners[0].hyper.model_dump(),
            metric="val_loss",
            seed=0,
        )
        trial = Trial(Plain(), spec, plan.task, torch.device("cpu"))
        started = time.perf_counter()
        while trial.step().stopped_by is None:
            continue
        return time.perf_counter() - started


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads")
    run("default")
    twenty = run("twenty", *HEAD_ONLY)
    plain = plain_head_only()
    print(f"\none of them without kept features: {plain:.1f} s; twenty trials take {twenty / plain:.2f} of it")


if __name__ == "__main__":
    main()
