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
from typing import Any

import numpy as np
import optuna

sys.path.insert(0, str(Path(__file__).parents[2]))

from ray.tune.schedulers import TrialScheduler

from search_spaces.space import SearchSpace
from trainables.trial.report import Report, Scores
from tune.ray_backend.messages import to_result
from tune.ray_backend.scheduler import TrialKey, make_scheduler
from tune.ray_backend.search import _suggest, derived_seed, make_sampler
from tune.records.trial_record import TrialId

SEEDS = 10
ORDERS = 50
SHARE = 0.9  # of the gain that the table holds: a goal that chance does not find at once
MOST_TRIALS = 60
PATIENCE = 3
STEPS_AN_EPOCH = {32: 30, 64: 15}
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
    def of(cls, rows: Sequence[Mapping[str, Any]]) -> Table:
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


def lasting(losses: Sequence[float], patience: int = PATIENCE) -> int:
    """Return after how many epochs patience ends a trial."""
    best, last = losses[0], 0
    for epoch, loss in enumerate(losses[1:], start=1):
        if loss < best or last == 0:
            best, last = min(best, loss), epoch
        if epoch - last >= patience:
            return epoch
    return len(losses) - 1


def run_grid(grid: Sequence[Mapping[str, Any]]) -> tuple[float, int]:
    """Return the best loss of the twelve points, each until its patience ends it, and the epochs that they take."""
    best, epochs = math.inf, 0
    for point in grid:
        ran = lasting(point["losses"], point["patience"])
        best, epochs = min(best, *point["losses"][1 : ran + 1]), epochs + ran
    return best, epochs


def stop_grid(
    grid: Sequence[Mapping[str, Any]], scheduler_name: str, seed: int, *, from_warmup: bool
) -> tuple[bool, int]:
    """Run the grid in a random order under a scheduler; return whether its best was found, and the epochs.

    from_warmup: whether trials are judged from the end of their warm-up on, as a sweep does, or from their start.
    """
    goal, spent, found = run_grid(grid)[0], 0, False
    scheduler = make_scheduler(scheduler_name, grace_period=1, reduction_factor=3, past=())
    for number in np.random.default_rng(seed).permutation(len(grid)):
        point, key, best = grid[number], TrialKey(str(TrialId(int(number)))), math.inf
        scheduler.on_trial_add(None, key)
        last = lasting(point["losses"], point["patience"])
        for epoch, loss in enumerate(point["losses"][1 : last + 1], start=1):
            spent, best = spent + 1, min(best, loss)
            warm_up = point["warmup_epochs"] if from_warmup else 0.0
            report = Report(epoch, Scores(val_loss=loss), best_so_far=best, warmup_epochs=warm_up)
            if epoch == last:
                scheduler.on_trial_complete(None, key, to_result(report))
            elif scheduler.on_trial_result(None, key, to_result(report)) == TrialScheduler.STOP:
                break
        found |= best <= goal
    return found, spent


def epochs_to(goal: float, table: Table, space: SearchSpace, searcher: str, scheduler_name: str, seed: int) -> int:
    """Return the epochs that a search runs until a trial comes to the goal; those of all trials where none does."""
    study = optuna.create_study()
    scheduler = make_scheduler(scheduler_name, grace_period=1, reduction_factor=3, past=())
    points, spent = space.enqueued(), 0
    for number in range(MOST_TRIALS):
        study.sampler = make_sampler(searcher, derived_seed(seed, number))
        if number < len(points):
            study.enqueue_trial(points[number])
        trial = study.ask()
        hyper = space.sample(lambda name, domain, trial=trial: _suggest(trial, name, domain))
        losses = table.curve(hyper).tolist()
        warm_up = hyper["warmup_steps"] / STEPS_AN_EPOCH[hyper["batch_size"]]
        key, best = TrialKey(str(TrialId(number))), math.inf
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
    trained = json.loads(parser.parse_args().curves.read_text())
    grid, table = trained["grid"], Table.of(trained["table"])
    warnings.simplefilter("ignore")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    goal, whole = run_grid(grid)
    lowest = min(float(np.nanmin(losses)) for losses in table.losses.values())
    print(f"the grid's best is {goal:.4f}, after {whole} epochs; the best of the table {lowest:.4f}\n")
    print("| grid in random orders | its best is found | epochs, median |\n|---|---|---|")
    for name, scheduler, from_warmup in (
        ("none stopped", "none", True),
        ("asha from the end of warm-up", "asha", True),
        ("asha from the start", "asha", False),
    ):
        ran = [stop_grid(grid, scheduler, seed, from_warmup=from_warmup) for seed in range(ORDERS)]
        found, spent = sum(found for found, _ in ran), median(epochs for _, epochs in ran)
        print(f"| {name} | {found} of {ORDERS} | {spent:g} |")
    initial = float(grid[0]["losses"][0])
    far = initial - SHARE * (initial - lowest)
    print(f"\n| first points | searcher | scheduler | to {goal:.4f}: median (most) | to {far:.4f}: median (most) |")
    print("|---|---|---|---|---|")
    for first, searcher, scheduler in itertools.product(
        ([], FIRST_POINTS), ("tpe", "gp", "random"), ("asha", "median", "none")
    ):
        space = SearchSpace.from_dict({**SPACE, "first": first})
        cells = []
        for wanted in (goal, far):
            needed = [epochs_to(wanted, table, space, searcher, scheduler, seed) for seed in range(SEEDS)]
            cells.append(f"{median(needed):g} ({max(needed)})")
        print(f"| {'yes' if first else 'no'} | {searcher} | {scheduler} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
