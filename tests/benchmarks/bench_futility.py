"""How often a search that ends early because nothing comes near its start would have won later.

    uv run python tests/benchmarks/trust_runs.py --to FOLDER --data ETTh1.csv
    uv run python tests/benchmarks/bench_futility.py FOLDER

Replays the trials of trust_runs.py, eight a task, in many orders: at random, and the worst first. A search that was
ended has lost something where one of the trials it left out is better than the initial model on validation (any), or is
what the verdict on all of them uses (used).
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.benchmarks.bench_trust import Task, verdict
from tune.verdict.futility import LEAST_SHARE, LEAST_TRIALS, promised_gain
from tune.verdict.resampling import Units
from tune.verdict.statistics import paired_difference

ORDERS = 20
METRIC = "val_loss"


def ended_at(task: Task, order: list[str], metric: str) -> int | None:
    """Return after how many trials the search is ended; None where it never is. The rule of a sweep, on its windows."""
    base = task.errors("initial").of(metric)
    assert base is not None
    gains = [float((base - task.errors(name).of(metric)).mean()) for name in order]
    for count in range(max(LEAST_TRIALS, int(np.ceil(LEAST_SHARE * len(order)))), len(order)):
        seen = gains[:count]
        if max(seen) > 0:
            return None
        own = task.errors(order[int(np.argmax(seen))]).of(metric)
        units = Units.of(task.errors("initial").series, 1).with_memory_of((base - own)[:, None])
        is_worse = paired_difference(base, own, units, confidence=0.9).is_worse
        if is_worse and promised_gain(seen, len(order) - count) <= 0:
            return count
    return None


def orders(task: Task, metric: str) -> Iterator[tuple[str, list[str]]]:
    names = task.named("t")
    rng = np.random.default_rng(0)
    for _ in range(ORDERS):
        yield "at random", [names[i] for i in rng.permutation(len(names))]
    yield "worst first", sorted(names, key=lambda name: -task.score(task.val, name, metric))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")  # of arch, about columns that are alike
    found: dict[str, Counter[str]] = {}
    for task in [Task.read(path) for path in sorted(arguments.folder.glob("*.npz"))]:
        initial = task.score(task.val, "initial", METRIC)
        used = verdict(task, METRIC, blends=False)
        for kind, order in orders(task, METRIC):
            counts = found.setdefault(kind, Counter())
            late = order[LEAST_TRIALS:]
            counts["searches"] += 1
            counts["nothing in the first six"] += all(
                task.score(task.val, name, METRIC) >= initial for name in order[:LEAST_TRIALS]
            )
            at = ended_at(task, order, METRIC)
            if at is None:
                continue
            counts["ended early"] += 1
            left = order[at:]
            counts["any"] += any(task.score(task.val, name, METRIC) < initial for name in left)
            counts["used"] += used in left
            counts["trials saved"] += len(left)
            assert set(left) <= set(late)
    columns = ("searches", "nothing in the first six", "ended early", "trials saved", "any", "used")
    print("| order | " + " | ".join(columns) + " |")
    print("|---" * (len(columns) + 1) + "|")
    for kind, counts in found.items():
        print(f"| {kind} | " + " | ".join(str(counts[name]) for name in columns) + " |")


if __name__ == "__main__":
    main()
