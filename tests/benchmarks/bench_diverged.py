"""Whether a searcher makes better use of a diverged trial as failed, or as infinitely bad.

    uv run python tests/benchmarks/bench_diverged.py [--seeds 30]

A made-up loss over lr (log 5e-6 to 1e-2), weight decay and warm-up, lowest at lr 8e-4; above 1.5e-3, a quarter of the
range, training diverges. Counted are the diverged of 30 trials, and how far the best is from the lowest loss.
"""

from __future__ import annotations

import argparse
import math
import warnings

import numpy as np
import optuna

from tune.ray_backend.search import derived_seed, make_sampler

TRIALS, BEST_LR, LIMIT = 30, 8e-4, 1.5e-3


def search(name: str, seed: int, *, infinite: bool) -> tuple[int, list[float]]:
    study = optuna.create_study(sampler=make_sampler(name, seed))
    found: list[float] = []
    diverged = 0
    for number in range(TRIALS):
        study.sampler = make_sampler(name, derived_seed(seed, number))
        trial = study.ask()
        lr = trial.suggest_float("lr", 5e-6, 1e-2, log=True)
        decay, warm = trial.suggest_float("weight_decay", 0, 0.2), trial.suggest_int("warmup_steps", 0, 100)
        loss = math.log10(lr / BEST_LR) ** 2 + 2 * (decay - 0.05) ** 2 + ((warm - 30) / 200) ** 2
        if lr <= LIMIT:
            study.tell(trial, loss)
        elif infinite:
            study.tell(trial, math.inf)
        else:
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
        diverged += lr > LIMIT
        found.append(min(found[-1] if found else math.inf, loss if lr <= LIMIT else math.inf))
    return diverged, found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=30)
    seeds = parser.parse_args().seeds
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore")
    print("| searcher | a diverged trial is | diverged of 30 | from the lowest after 15 | after 30 |")
    print("|---|---|---:|---:|---:|")
    for name in ("tpe", "gp", "random"):
        for infinite in (False, True):
            runs = [search(name, seed, infinite=infinite) for seed in range(seeds)]
            counts, curves = [count for count, _ in runs], np.array([curve for _, curve in runs])
            what = "infinitely bad" if infinite else "failed"
            print(
                f"| {name} | {what} | {np.mean(counts):.1f} | {np.median(curves[:, 14]):.4f} | "
                f"{np.median(curves[:, -1]):.4f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
