"""What a card does with a trial: steps and windows a second, utilisation, peak memory, and the hand-over to the next.

    python -m tests.gpu.bench_card [--steps 200]

Without Ray: the loop of a trial alone. On a machine without a card the same rows come from the CPU, as a rehearsal.
"""

from __future__ import annotations

import argparse
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

import tune  # noqa: F401  (sets what torch reads when it is imported)
from tests.benchmarks.models.bench_moirai import SMALL
from tests.gpu.one_trial import make_trial
from trainables.pretraining.moirai import untrained
from trainables.trial.trial import Trial

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")


@contextmanager
def utilisation(samples: list[int]) -> Iterator[None]:
    """Sample how busy the card is, in percent, ten times a second; nothing without NVML."""
    over = threading.Event()

    def sample() -> None:
        while not over.wait(0.1):
            samples.append(torch.cuda.utilization())

    thread = threading.Thread(target=sample, daemon=True)
    try:
        torch.cuda.utilization()
    except Exception as error:
        print(f"(utilisation is not known: {type(error).__name__})")
    else:
        thread.start()
    try:
        yield
    finally:
        over.set()
        if thread.is_alive():
            thread.join()


def synchronised() -> float:
    if DEVICE.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def bench(name: str, trial: Trial, steps: int) -> float:
    """Train so many steps; return seconds a step."""
    training = trial.training
    training.run(0, 5)
    if DEVICE.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    busy: list[int] = []
    started = synchronised()
    with utilisation(busy):
        training.run(5, 5 + steps)
        seconds = (synchronised() - started) / steps
    peak = torch.cuda.max_memory_allocated() / 1e9 if DEVICE.type == "cuda" else float("nan")
    used = f"{statistics.mean(busy):.0f} %" if busy else "–"
    windows = trial.hyper.batch_size / seconds
    print(f"| {name} | {1 / seconds:.1f} | {windows:,.0f} | {used} | {peak:.2f} GB |", flush=True)
    return seconds


def hand_over(folder: Path) -> float:
    """Seconds from the end of a trial to the end of the next one's first step, the model built again."""
    first = make_trial(folder / "t0000", DEVICE)
    first.training.run(0, 5)
    ended = synchronised()
    del first
    second = make_trial(folder / "t0001", DEVICE, lr=5e-5)
    second.training.run(0, 1)
    return synchronised() - ended


def evaluation(trial: Trial) -> float:
    """Seconds of a validation over those of an epoch of as many windows as it trains on."""
    trial.evaluate("val")
    started = synchronised()
    trial.evaluate("val")
    return (synchronised() - started) / len(trial.task.val)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=200)
    steps = parser.parse_args().steps
    name = torch.cuda.get_device_name() if DEVICE.type == "cuda" else "CPU (rehearsal)"
    print(f"torch {torch.__version__} on {name}\n")
    print("| trial | steps/s | windows/s | utilisation | peak memory |\n|---|---:|---:|---:|---:|")
    precisions = ("fp32", "bf16") if DEVICE.type == "cuda" else ("fp32",)
    with TemporaryDirectory() as folder:
        root = Path(folder)
        untrained(SMALL).save_pretrained(root / "small")
        models: dict[str, Any] = {"moirai-tiny": "moirai-tiny", "Moirai small's widths": str(root / "small")}
        for title, pretrained in models.items():
            for precision in precisions:
                for batch in (32, 256):
                    place = root / f"{Path(pretrained).name}-{precision}-{batch}" / "t0000"
                    trial = make_trial(place, DEVICE, pretrained=pretrained, precision=precision, batch_size=batch)
                    step = bench(f"{title}, full, {precision}, batch {batch}", trial, steps)
                    share = evaluation(trial) / (step / batch)
                    print(f"(a window is validated in {share:.2f} of the time in which it is trained on)", flush=True)
        print(f"\nfrom one trial to the next: {hand_over(root / 'hand-over'):.2f} s")


if __name__ == "__main__":
    main()
