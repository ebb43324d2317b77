"""How many epochs a search needs to come to the best of a twelve-point grid: searchers and schedulers, ten seeds.

    uv run python tests/benchmarks/search_curves.py --to curves.json --data ETTh1.csv
    uv run python tests/benchmarks/bench_search.py curves.json

In this process, without Ray: the sampler and the scheduler are those of a sweep, and a trial's losses are looked up in
the table of trained curves, between two rates in proportion to their logarithms. Weight decay and warm-up have no
effect in the table: they are there to be searched in vain, as they mostly are; warm-up delays the scheduler.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import sys
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import optuna

sys.path.insert(0, str(Path(__file__).parents[2]))

from ray.tune.schedulers import TrialScheduler

from search_spaces.space import SearchSpace
from trainables.trial.report import Report, Scores
from tune.ray_backend.messages import to_result
from tune.ray_backend.scheduler import TrialKey, make_scheduler
from tune.ray_backend.search import _suggest, derived_seed, make_sampler, trial_id_of

SEEDS = 10
MOST_TRIALS = 60
PATIENCE = 3
STEPS_AN_EPOCH = {32: 30, 64: 15}
GRID_RATES = (5e-5, 1e-4)  # those that quickstart recommends for this model
SPACE = {
    "name": "table",
    "description": "What the table holds.",
    "trainable": "moirai",
    "search": {
        "strategy": {"choice": ["head_only", "freeze_ffn", "full"]},
        "lr": {"log": [5e-6, 1e-3]},
        "epochs": {"int": [2, 10]},
        "warmup_steps": {"int": [0, 30]},
        "batch_size": {"choice": [32, 64]},
        "weight_decay": {"uniform": [0, 0.2]},
    },
}
FIRST = {"epochs": 6, "warmup_steps": 10, "batch_size": 32, "weight_decay": 0.1}
FIRST_POINTS = [
    *({"strategy": name, "lr": 1e-4, **FIRST} for name in ("head_only", "freeze_ffn", "full")),
    {"strategy": "full", "lr": 5e-5, **FIRST},
]


@dataclass(frozen=True)
class Table:
    """rates: (n,) ascending. losses: by strategy and batch size, (n, 1 + epochs)."""

    rates: np.ndarray
    losses: Mapping[tuple[str, int], np.ndarray]

    @classmethod
    def read(cls, path: Path) -> Table:
        rows = json.loads(path.read_text())
        rates = np.array(sorted({row["lr"] for row in rows}))
        keys = {(row["strategy"], row["batch_size"]) for row in rows}
        found = {key: np.full((len(rates), len(rows[0]["losses"])), np.nan) for key in keys}
        for row in rows:
            place = int(np.searchsorted(rates, row["lr"]))
            found[row["strategy"], row["batch_size"]][place] = [np.nan if x is None else x for x in row["losses"]]
        return cls(rates, found)

    def curve(self, hyper: Mapping[str, object]) -> np.ndarray:
        """Losses from epoch 0 to the last."""
        losses = self.losses[str(hyper["strategy"]), int(hyper["batch_size"])]
        position = float(np.interp(math.log(hyper["lr"]), np.log(self.rates), np.arange(len(self.rates))))
        low = min(int(position), len(self.rates) - 2)
        share = position - low
        return ((1 - share) * losses[low] + share * losses[low + 1])[: 1 + int(hyper["epochs"])]


def lasting(losses: Sequence[float]) -> int:
    """Return after how many epochs patience ends a trial."""
    best, last = losses[0], 0
    for epoch, loss in enumerate(losses[1:], start=1):
        if loss < best or last == 0:
            best, last = min(best, loss), epoch
        if epoch - last >= PATIENCE:
            return epoch
    return len(losses) - 1


def run_grid(table: Table) -> tuple[float, int]:
    """Return the best loss of the twelve points and the epochs that they take."""
    best, epochs = math.inf, 0
    for strategy, lr, batch in itertools.product(("head_only", "freeze_ffn", "full"), GRID_RATES, (32, 64)):
        losses = table.curve({"strategy": strategy, "lr": lr, "batch_size": batch, "epochs": 10})
        ran = lasting(losses.tolist())
        best, epochs = min(best, float(np.nanmin(losses[1 : ran + 1]))), epochs + ran
    return best, epochs


def epochs_to(goal: float, table: Table, space: SearchSpace, searcher: str, scheduler_name: str, seed: int) -> int:
    """Return the epochs that a search runs until a trial comes to the goal; those of all trials where none does."""
    study = optuna.create_study()
    scheduler = make_scheduler(scheduler_name, grace_period=1, reduction_factor=3, max_epochs=10, past=())
    points, spent = space.enqueued(), 0
    for number in range(MOST_TRIALS):
        study.sampler = make_sampler(searcher, derived_seed(seed, number))
        if number < len(points):
            study.enqueue_trial(points[number])
        trial = study.ask()
        hyper = space.sample(lambda name, domain, trial=trial: _suggest(trial, name, domain))
        losses = table.curve(hyper).tolist()
        warm_up = hyper["warmup_steps"] / STEPS_AN_EPOCH[hyper["batch_size"]]
        key, best = TrialKey(trial_id_of(number)), math.inf
        scheduler.on_trial_add(None, key)
        last = lasting(losses)
        for epoch, loss in enumerate(losses[1 : last + 1], start=1):
            spent += 1
            best = min(best, loss)
            if best <= goal:
                return spent
            trial.report(best, epoch * 1000)
            report = Report(epoch, Scores(val_loss=loss), best_so_far=best, warmup_epochs=warm_up)
            if epoch == last:
                scheduler.on_trial_complete(None, key, to_result(report))
                study.tell(trial, best)
            elif scheduler.on_trial_result(None, key, to_result(report)) == TrialScheduler.STOP:
                study.tell(trial, state=optuna.trial.TrialState.PRUNED)
                break
    return spent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("curves", type=Path)
    table = Table.read(parser.parse_args().curves)
    warnings.simplefilter("ignore")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    goal, whole = run_grid(table)
    lowest = min(float(np.nanmin(losses)) for losses in table.losses.values())
    print(f"the grid's best is {goal:.4f}, after {whole} epochs; the best of the table {lowest:.4f}\n")
    print("| first points | searcher | scheduler | epochs, median | least | most | median of the grid's |")
    print("|---|---|---|---|---|---|---|")
    for first, searcher, scheduler in itertools.product(
        ([], FIRST_POINTS), ("tpe", "gp", "random"), ("asha", "median", "none")
    ):
        space = SearchSpace.from_dict({**SPACE, "first": first})
        needed = [epochs_to(goal, table, space, searcher, scheduler, seed) for seed in range(SEEDS)]
        share = median(needed) / whole
        print(
            f"| {'yes' if first else 'no'} | {searcher} | {scheduler} | {median(needed):g} | {min(needed)} | "
            f"{max(needed)} | {share:.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
