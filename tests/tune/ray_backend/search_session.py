"""One session of the searcher over a real Optuna study on the disk, driven as Ray drives it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import optuna
from ray.tune.search import Searcher

from search_spaces.space import SearchSpace
from tests.tune.reports import report
from tune.ray_backend.messages import config_of, to_result
from tune.ray_backend.search import StudySearch
from tune.records.earlier_trial import EarlierTrial
from tune.records.journal import Journal
from tune.records.sweep_folder import SweepFolder

# strategy, lr, epochs, batch_size, warmup_steps, patience: typed in from the table of recommended points
KEYS = ("strategy", "lr", "epochs", "batch_size", "warmup_steps", "patience")
SMALL = [
    ("head_only", 5e-5, 20, 64, 50, 8),
    ("freeze_ffn", 1e-5, 10, 64, 100, 5),
    ("full", 5e-6, 5, 64, 50, 3),
    ("head_only", 1e-4, 20, 64, 50, 8),
    ("freeze_ffn", 2e-5, 10, 64, 100, 5),
    ("full", 1e-5, 5, 64, 50, 3),
]
GRID = [
    ("head_only", 5e-5, 20, 64, 50, 8),
    ("head_only", 1e-4, 20, 64, 50, 8),
    ("freeze_ffn", 1e-5, 10, 64, 100, 5),
    ("freeze_ffn", 2e-5, 10, 64, 100, 5),
    ("full", 5e-6, 5, 64, 50, 3),
    ("full", 1e-5, 5, 64, 50, 3),
    ("head_only", 2e-5, 15, 32, 100, 6),
    ("head_only", 5e-5, 15, 32, 100, 6),
    ("freeze_ffn", 5e-6, 5, 32, 150, 3),
    ("freeze_ffn", 1e-5, 5, 32, 150, 3),
    ("full", 2e-6, 3, 32, 100, 2),
    ("full", 5e-6, 3, 32, 100, 2),
]
# A space of its own for what needs neither first configurations nor models
TWO_NUMBERS = {
    "name": "two-numbers",
    "description": "Two numbers.",
    "trainable": "moirai",
    "trials": 5,
    "search": {"lr": {"log": [1e-6, 1e-4]}, "batch_size": {"choice": [16, 32]}},
    "first": [{"lr": 1e-5, "batch_size": 16}, {"lr": 1e-6, "batch_size": 32}],
}


def two_numbers() -> SearchSpace:
    return SearchSpace.from_dict(TWO_NUMBERS)


def point(config: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(config["hyper"][key] for key in KEYS)


class Session:
    """One session of a sweep: the searcher and the journal, as Ray's controller and our callback call them."""

    def __init__(
        self,
        folder: Path,
        space: SearchSpace,
        *,
        searcher: str = "tpe",
        seed: int = 0,
        trials: int = 20,
        earlier: Sequence[EarlierTrial] = (),
    ) -> None:
        folder.mkdir(exist_ok=True)
        self.journal = Journal(SweepFolder(folder))
        self.search = StudySearch(self.journal, space, searcher=searcher, seed=seed, trials=trials, earlier=earlier)
        self._ray_ids: dict[str, str] = {}

    def suggest(self) -> Any:
        """Ask for a trial under a fresh Ray id; return its config, or Ray's word for the end."""
        ray_id = f"{id(self):x}_{len(self._ray_ids)}"
        config = self.search.suggest(ray_id)
        if config != Searcher.FINISHED:
            self._ray_ids[config["trial_id"]] = ray_id
            self.journal.start(config_of(config))
        return config

    def record(self, trial_id: str, epoch: float, objective: float, stopped_by: str | None = None) -> dict[str, Any]:
        """Write a report into the journal; the searcher has not heard of it yet."""
        made = report(epoch, objective, stopped_by=stopped_by)
        self.journal.append(trial_id, made)
        return to_result(made)

    def report(self, trial_id: str, epoch: float, objective: float) -> None:
        self.search.on_trial_result(self._ray_ids[trial_id], self.record(trial_id, epoch, objective))

    def end(self, trial_id: str, epoch: float, objective: float, stopped_by: str) -> None:
        row = self.record(trial_id, epoch, objective, stopped_by)
        self.search.on_trial_complete(self._ray_ids[trial_id], row)

    def fail(self, trial_id: str) -> None:
        self.journal.fail(trial_id, "ValueError: no")
        self.search.on_trial_complete(self._ray_ids[trial_id], error=True)

    def trial(self, trial_id: str) -> optuna.trial.FrozenTrial:
        return self.search.study.trials[int(trial_id[1:])]


def objective_of(config: dict[str, Any], epoch: int) -> float:
    """A made-up loss with its best at lr 3e-5 for `full`."""
    hyper = config["hyper"]
    distance = abs(math.log10(hyper["lr"] / 3e-5)) + 0.01 * hyper["warmup_steps"]
    return distance + 1 / epoch + {"full": 0.0, "freeze_ffn": 0.5, "head_only": 1.0}[hyper["strategy"]]


def loss_of_two(config: dict[str, Any], epoch: int) -> float:
    """A made-up loss of the two numbers."""
    return abs(math.log10(config["hyper"]["lr"] / 3e-5)) + config["hyper"]["batch_size"] / 100 + 1 / epoch


def run_trial(
    session: Session, config: dict[str, Any], *, loss: Callable[[dict[str, Any], int], float] = objective_of
) -> None:
    """Run a suggested trial to its end: each third is stopped by ASHA after one epoch, the others run for three."""
    trial_id = config["trial_id"]
    last = 1 if int(trial_id[1:]) % 3 == 2 else 3
    for epoch in range(1, last):
        session.report(trial_id, epoch, loss(config, epoch))
    session.end(trial_id, last, loss(config, last), "asha" if last == 1 else "epochs")
