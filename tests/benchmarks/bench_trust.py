"""How often a decision on a small validation part does harm on test, and how much of the gain it keeps.

    uv run python tests/benchmarks/trust_runs.py --to FOLDER --data ETTh1.csv --repeats [--model time-moe]
    uv run python tests/benchmarks/bench_trust.py FOLDER

Reads what trust_runs.py measured, and decides by each policy from the validation windows alone; test says what came of
it. Harm: more than 0.1 % worse than the initial model on test, by MAE, by WQL, and by the model's own loss (of a
thousandth of a nat). Captured: the mean gain as a share of what the plain best of validation gains.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from trainables.trial.window_errors import WindowErrors
from tune.records.verdict import Decision
from tune.verdict.decide import Candidate, decide

HARM = 0.001  # of MAE and WQL; of a likelihood in nats


@dataclass(frozen=True, eq=False)
class Task:
    """A task's candidates: names, and shares by candidate, metric and window; the initial model is the first."""

    name: str
    names: list[str]
    metrics: list[str]
    val: np.ndarray
    test: np.ndarray

    @classmethod
    def read(cls, path: Path) -> Task:
        with np.load(path) as found:
            return cls(path.stem, found["names"].tolist(), found["metrics"].tolist(), found["val"], found["test"])

    def errors(self, *candidates: str) -> WindowErrors:
        """The validation windows of a candidate, or the mean of several."""
        shares = np.mean([self.val[self.names.index(name)] for name in candidates], axis=0)
        return WindowErrors(np.zeros(shares.shape[1], np.int32), dict(zip(self.metrics, shares, strict=True)))

    def score(self, part: np.ndarray, name: str, metric: str) -> float:
        return float(part[self.names.index(name), self.metrics.index(metric)].mean(dtype=np.float64))

    def named(self, *beginnings: str) -> list[str]:
        return [name for name in self.names if name.startswith(beginnings) and "seed" not in name]


Policy = Callable[[Task, str], str]  # from a task and the metric to the name of what is used


def plain_best(task: Task, metric: str) -> str:
    return min(["initial", *task.named("t")], key=lambda name: task.score(task.val, name, metric))


def verdict(task: Task, metric: str, *, blends: bool, confidence: float = 0.9) -> str:
    trials = [Candidate(name, task.errors(name)) for name in task.named("t")]
    return decided(task, [*trials, *(mixed(task) if blends else [])], metric, confidence)


def with_repeats(task: Task, metric: str, *, blends: bool) -> str:
    """The best configurations by the mean of their fresh seeds, as a sweep does; of the chosen one the best run."""
    seeds = {name: [n for n in task.names if n.startswith(f"{name} seed ")] for name in task.named("t")}
    candidates = [Candidate(name, task.errors(*(runs or [name])), may_win=bool(runs)) for name, runs in seeds.items()]
    found = decided(task, [*candidates, *(mixed(task) if blends else [])], metric, 0.9)
    return min([found, *seeds.get(found, [])], key=lambda name: task.score(task.val, name, metric))


def mixed(task: Task) -> list[Candidate]:
    return [Candidate(name, task.errors(name), step=step(name), is_blend=True) for name in task.named("line", "soup")]


def decided(task: Task, candidates: list[Candidate], metric: str, confidence: float) -> str:
    found = decide(task.errors("initial"), candidates, metric=metric, overlap=1, confidence=confidence)
    return str(found.candidate) if found.decision in (Decision.USE, Decision.BLEND) else "initial"


def step(name: str) -> float:
    """Of the way from the initial model: a line's share, and what is not the initial model's in a soup."""
    kind, *members = name.split()
    return float(members[0]) if kind == "line" else 1 - members.count("initial") / len(members)


def oracle(task: Task, metric: str) -> str:
    return min(["initial", *task.named("t", "line", "soup")], key=lambda name: task.score(task.test, name, metric))


POLICIES: Mapping[str, Policy] = {
    "best of validation": plain_best,
    "verdict, trials alone": lambda task, metric: verdict(task, metric, blends=False),
    "verdict": lambda task, metric: verdict(task, metric, blends=True),
    "verdict at 0.95": lambda task, metric: verdict(task, metric, blends=True, confidence=0.95),
    "repeats, trials alone": lambda task, metric: with_repeats(task, metric, blends=False),
    "repeats": lambda task, metric: with_repeats(task, metric, blends=True),
    "oracle on test": oracle,
}


def gains(task: Task, used: str) -> tuple[float, float, float]:
    """Return the gains on test: of MAE and WQL as shares, of the loss as it is."""
    initial, found = (
        [task.score(task.test, name, metric) for metric in ("val_mae", "val_wql", "val_loss")]
        for name in ("initial", used)
    )
    mae, wql = (1 - found[i] / initial[i] for i in (0, 1))
    return mae, wql, initial[2] - found[2]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--metric", default="val_loss")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")  # of arch, about columns that are alike
    tasks = [Task.read(path) for path in sorted(arguments.folder.glob("*.npz"))]
    for start in ("plain", "tuned"):
        of_start = [task for task in tasks if f"-{start}-" in task.name]
        if not of_start:
            continue
        print(f"\n{len(of_start)} tasks, {start} start, decided by {arguments.metric}\n")
        print("| policy | uses a trained model | harm by MAE | by WQL | by loss | captured MAE | WQL | loss |")
        print("|---|---|---|---|---|---|---|---|")
        reference: np.ndarray | None = None
        for name, policy in POLICIES.items():
            used = [policy(task, arguments.metric) for task in of_start]
            found = np.array([gains(task, one) for task, one in zip(of_start, used, strict=True)])
            reference = found.mean(axis=0) if reference is None else reference
            trained = sum(one != "initial" for one in used)
            harm = [f"{n} ({n / len(found):.1%})" for n in (found < -HARM).sum(axis=0)]
            captured = [f"{share:.0%}" for share in found.mean(axis=0) / reference]
            print(f"| {name} | {trained} | {' | '.join(harm)} | {' | '.join(captured)} |")


if __name__ == "__main__":
    main()
