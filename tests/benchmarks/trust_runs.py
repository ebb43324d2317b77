"""Runs the small tasks of bench_trust.py: trials, blends and repeats, measured on validation and, once, on test.

    uv run python tests/benchmarks/trust_runs.py --to FOLDER --data ETTh1.csv [--model moirai] [--repeats]

A task is a stretch of a real series: 1,600 rows to train on, 17 windows to validate on, 80 to test on. Its start is
the bundled tiny model as it is (plain), or that one tuned before to the very rows that the task trains on (tuned), so
that there is almost nothing left to gain. Each task leaves one file in FOLDER with every candidate's window errors;
one that is there already is not run again.
"""

from __future__ import annotations

import argparse
import itertools
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from statsmodels.datasets import co2, elnino

sys.path.insert(0, str(Path(__file__).parents[2]))

import tune  # noqa: F401  (sets what torch reads when it is imported)
from data.panel import Panel
from data.task.task import ForecastTask, Part, TaskSpec
from trainables.parameters import blend_into, trainable_tensors
from trainables.trial.evaluation import Evaluation
from trainables.trial.folders import SharedFolder
from trainables.trial.trial import Trial, TrialSpec
from tune.export.blends import MOST_IN_SOUP, SHARES, greedy_soup
from tune.registry import find_trainable

PERIODS = (1_400, 5_400, 9_400, 13_400)  # first rows of the stretches of ETTh1
METRICS = ("val_loss", "val_mae", "val_mse", "val_mase", "val_wql", "val_smape")
REPEATED, SEEDS = 3, 2
LOSS = "val_loss"
CPU = torch.device("cpu")

MODELS = {
    "moirai": ("moirai-tiny", ("full", "head_only"), {"patch_size": 8}),
    "time-moe": ("time-moe-tiny", ("full", "heads_only"), {"max_length": 120, "stride": 4}),
}
RATES = (1e-6, 1e-5, 5e-5, 2e-4)


@dataclass(frozen=True)
class Stretch:
    """A task's rows: context and prediction in rows, windows a part."""

    name: str
    freq: str
    values: np.ndarray
    context: int = 96
    horizon: int = 24
    val_windows: int = 17

    @property
    def train_rows(self) -> int:
        return 1_600 if len(self.values) > 3_000 else len(self.values) // 2

    def task(self) -> ForecastTask:
        val = self.val_windows * self.horizon
        return self._task(self.values, f"ratio:{self.train_rows}:{val}:{len(self.values) - self.train_rows - val}")

    def tuning_task(self) -> ForecastTask:
        """Of the rows that the task trains on, and no others."""
        return self._task(self.values[: self.train_rows], "ratio:8:1:1")

    def _task(self, values: np.ndarray, split: str) -> ForecastTask:
        spec = TaskSpec(
            context_length=self.context,
            prediction_length=self.horizon,
            split=split,
            train_stride=4,
            eval_stride=self.horizon,
            scale="standard",
        )
        return ForecastTask(Panel.from_series(self.name, {"a": values}, freq=self.freq), spec)


def stretches(path: Path) -> Iterator[Stretch]:
    """Give the tasks."""
    table = pd.read_csv(path).drop(columns="date")
    for first, end in zip(PERIODS, [*PERIODS[1:], len(table)], strict=True):
        for name in table:
            yield Stretch(f"ETTh1-{name}-{first}", "h", table[name].to_numpy()[first:end])
    yield Stretch("co2", "W", co2.load_pandas().data["co2"].to_numpy(), 96, 12)
    yield Stretch("elnino", "MS", elnino.load_pandas().data.drop(columns="YEAR").to_numpy().ravel(), 48, 6)


def tuned_start(model: str, stretch: Stretch, folder: Path) -> str:
    """Tune the bundled model to the rows that a task trains on, and return its folder."""
    pretrained, (strategy, _), own = MODELS[model]
    hyper = {"pretrained": pretrained, "strategy": strategy, "lr": 2e-4, "epochs": 15, "batch_size": 32, **own}
    trial = run(model, stretch.tuning_task(), {**hyper, "patience": 5}, folder / "tuning" / "t", seed=7)
    trial.load_best()
    to = folder / "tuned"
    to.mkdir()
    trial.model.save_pretrained(to)
    return str(to)


def run(model: str, task: ForecastTask, hyper: Mapping[str, object], folder: Path, *, seed: int) -> Trial:
    """Train a trial to its end."""
    folder.mkdir(parents=True, exist_ok=True)
    spec = TrialSpec(folder, SharedFolder(folder.parent / "shared"), hyper, LOSS, seed)
    trial = Trial(find_trainable(model)(), spec, task, CPU)
    while trial.step().stopped_by is None:
        pass
    return trial


class Candidates:
    """Every candidate's window errors, validation and test."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.shares: dict[Part, list[np.ndarray]] = {"val": [], "test": []}

    def add(self, name: str, trial: Trial) -> None:
        self.names.append(name)
        for part, found in self.shares.items():
            found.append(_shares(trial.evaluate(part)))

    def loss(self, name: str) -> float:
        return float(self.shares["val"][self.names.index(name)][METRICS.index(LOSS)].mean())

    def write(self, path: Path) -> None:
        unfinished = path.with_suffix(".tmp.npz")
        np.savez_compressed(
            unfinished, names=self.names, metrics=METRICS, **{k: np.stack(v) for k, v in self.shares.items()}
        )
        unfinished.rename(path)


def _shares(evaluation: Evaluation) -> np.ndarray:
    return np.stack([evaluation.windows.shares[name] for name in METRICS])


def search(model: str, start: str, task: ForecastTask, folder: Path, *, repeats: bool) -> Candidates:
    """Run the grid, then blends of its best, then, where asked for, repeats of its best three."""
    _, strategies, own = MODELS[model]
    points = [
        {"pretrained": start, "strategy": s, "lr": lr, "epochs": 5, "batch_size": 32, "warmup_steps": 5, **own}
        for s, lr in itertools.product(strategies, RATES)
    ]
    found = Candidates()
    trained: dict[str, Mapping[str, torch.Tensor]] = {}
    for i, hyper in enumerate(points):
        trial = run(model, task, hyper, folder / f"t{i}", seed=i)
        if not found.names:
            fresh = initial(model, task, points[0], folder / "initial")
            found.add("initial", fresh)
        trial.load_best()
        found.add(f"t{i}", trial)
        trained[f"t{i}"] = {k: v.detach().clone() for k, v in trainable_tensors(trial.model.module).items()}
    order = sorted(trained, key=found.loss)
    for share in SHARES:
        trial = initial(model, task, points[0], folder / "b")
        blend_into(trial.model.module, [(share, trained[order[0]])])
        found.add(f"line {share}", trial)
    add_soup(found, order, trained, lambda: initial(model, task, points[0], folder / "b"))
    if repeats:
        for name, seed in itertools.product(order[:REPEATED], range(SEEDS)):
            trial = run(model, task, points[int(name[1:])], folder / f"{name}-{seed}", seed=1_000 + seed)
            trial.load_best()
            found.add(f"{name} seed {seed}", trial)
    return found


def initial(model: str, task: ForecastTask, hyper: Mapping[str, object], folder: Path) -> Trial:
    spec = TrialSpec(folder, SharedFolder(folder / "shared"), hyper, LOSS, 0)
    return Trial(find_trainable(model)(), spec, task, CPU)


def add_soup(found: Candidates, order: list[str], trained: Mapping, fresh) -> None:
    """Add the greedy soup that a sweep would make of the best few."""

    def blended(parts: Mapping[str, float]) -> Trial:
        trial = fresh()
        blend_into(trial.model.module, [(share, trained[name]) for name, share in parts.items()])
        return trial

    def value_of(parts: Mapping[str, float]) -> float | None:
        return blended(parts).evaluate("val").scores.val_loss

    parts = greedy_soup(order[:MOST_IN_SOUP], value_of)
    if len(parts) > 1:
        rest = [] if sum(parts.values()) > 0.999 else ["initial"]
        found.add(f"soup {' '.join([*parts, *rest])}", blended(parts))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--to", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True, help="ETTh1.csv")
    parser.add_argument("--model", choices=list(MODELS), default="moirai")
    parser.add_argument("--repeats", action="store_true")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    arguments.to.mkdir(parents=True, exist_ok=True)
    for stretch in stretches(arguments.data):
        for kind in ("plain", "tuned"):
            path = arguments.to / f"{arguments.model}-{kind}-{stretch.name}.npz"
            if path.exists():
                continue
            folder = Path(tempfile.mkdtemp())
            plain = MODELS[arguments.model][0]
            start = plain if kind == "plain" else tuned_start(arguments.model, stretch, folder)
            found = search(arguments.model, start, stretch.task(), folder, repeats=arguments.repeats)
            found.write(path)
            shutil.rmtree(folder)
            print(path.name, {n: round(found.loss(n), 4) for n in found.names[:9]}, flush=True)


if __name__ == "__main__":
    main()
