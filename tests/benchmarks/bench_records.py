"""Measures what a trial costs the process that drives a sweep, with few trials on record and with many, in one run.

    python tests/benchmarks/bench_records.py [--trials 500] [--epochs 6] [--searcher random]

No model trains and no Ray runs: reports go to the real journal, study, leaderboard file, TensorBoard writer and
terminal view, as Ray's callbacks hand them over. Seconds are of this process's CPU: waiting for the disk is left out.
"""

from __future__ import annotations

import argparse
import io
import math
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

sys.path.insert(0, str(Path(__file__).parents[2]))

from rich.console import Console

from search_spaces.library import load_space
from trainables.trial.report import Report, Scores, StopReason
from tune.cli.live.progress import PlainProgress
from tune.cli.live.sweep_state import SweepState
from tune.leaderboard.leaderboard_file import LeaderboardFile
from tune.planning.plan import plan_sweep
from tune.planning.request import SweepRequest, check_request
from tune.ray_backend.callback import RayCallback
from tune.ray_backend.clock import SearchClock
from tune.ray_backend.messages import to_result
from tune.ray_backend.search import StudySearch
from tune.records.journal import Journal
from tune.report.tensorboard.callback import TensorBoardCallback
from tune.sweep import Sweep

WINDOW = 50  # trials averaged at the beginning and at the end


@dataclass(frozen=True)
class Driver:
    """What the driver of a sweep consists of, but for Ray."""

    search: StudySearch
    callback: RayCallback

    @classmethod
    def of(cls, storage: Path, trials: int, searcher: str) -> Driver:
        plan = plan_sweep(check_request(SweepRequest(name="many", sweep={"trials": trials, "searcher": searcher})))
        sweep = Sweep.create(storage, plan.spec, plan.panel)
        space = load_space("quickstart")
        journal = Journal(sweep.folder)
        state = SweepState(name="many", metric="val_loss", total=trials, budget_left=None)
        callbacks = [
            SearchClock(sweep.folder, None),
            LeaderboardFile(sweep.spec, journal),
            TensorBoardCallback(journal, space),
            PlainProgress(Console(file=io.StringIO()), journal, state),
        ]
        search = StudySearch(journal, space, searcher=searcher, seed=0, trials=trials)
        return cls(search, RayCallback(journal, callbacks, scheduler="asha", on_memory_death=lambda: None))

    def run_trial(self, number: int, epochs: int) -> None:
        ray_id = f"ray{number}"
        metadata = SimpleNamespace(metric_analysis={}, metric_n_steps={})
        trial = SimpleNamespace(config=self.search.suggest(ray_id), error_file=None, run_metadata=metadata)
        self.callback.on_trial_start(0, [], trial)
        result: dict[str, object] = {}
        for epoch in range(epochs + 1):
            loss = 1.0 + math.sin(number) / (epoch + 1)
            report = Report(
                epoch=epoch,
                scores=Scores(loss, loss, loss),
                best_epoch=epoch or None,
                best_so_far=loss,
                stopped_by=StopReason.EPOCHS if epoch == epochs else None,
            )
            result = to_result(report)
            self.search.on_trial_result(ray_id, result)
            self.callback.on_trial_result(0, [], trial, result)
            self.callback.on_step_end(0, [])
        self.search.on_trial_complete(ray_id, result)
        self.callback.on_trial_complete(0, [], trial)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=500)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--searcher", default="random", choices=["random", "tpe"])
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        driver = Driver.of(Path(folder), arguments.trials, arguments.searcher)
        seconds = []
        for number in range(arguments.trials):
            started = time.process_time()
            driver.run_trial(number, arguments.epochs)
            seconds.append(time.process_time() - started)
    first, last = seconds[1 : WINDOW + 1], seconds[-WINDOW:]  # the very first imports what it needs
    few, many = sum(first) / len(first), sum(last) / len(last)
    print(f"{arguments.epochs + 1} reports a trial, searcher {arguments.searcher}")
    print(f"trials 2 to {WINDOW + 1}: {few * 1e3:.1f} ms of CPU a trial")
    print(
        f"the last {WINDOW} of {arguments.trials}: {many * 1e3:.1f} ms of CPU a trial, {many / few:.2f} times as much"
    )


if __name__ == "__main__":
    main()
