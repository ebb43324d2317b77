"""How near the time that is estimated before a sweep is to the time that training takes: one epoch of each model.

    uv run python tests/benchmarks/models/bench_estimate.py [--device cuda]

The machine is measured as before a sweep, and then each trial trains 30 steps and measures 256 validation windows.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

import tune  # noqa: F401  (sets what torch reads when it is imported)
from data.task.task import ForecastTask
from tests.benchmarks.models.bench_moirai import SMALL
from trainables.pretraining.moirai import untrained
from trainables.time_moe.config import TimeMoeConfig
from trainables.time_moe.modeling import TimeMoeForPrediction
from trainables.trial.folders import SharedFolder
from trainables.trial.trial import Trial, TrialSpec
from trainables.workload import worthwhile_threads
from tune.planning.estimate import Load
from tune.planning.plan import plan_sweep
from tune.planning.request import SweepRequest, check_request
from tune.planning.throughput import Speed, measure_speed

STEPS, WARM = 20, 4


def measured(model: Any, hyper: Any, task: ForecastTask, device: torch.device) -> tuple[float, float]:
    """Seconds of an optimiser step, and of a validation."""
    with TemporaryDirectory() as folder:
        shared = SharedFolder(Path(folder))
        spec = TrialSpec(Path(folder) / "trial", shared, hyper.model_dump(), metric="val_loss", seed=0)
        trial = Trial(model, spec, task, device)
        trial.training.run(0, WARM)
        started = time.perf_counter()
        trial.training.run(WARM, WARM + STEPS)
        step = (time.perf_counter() - started) / STEPS
        trial.evaluate("val")
        started = time.perf_counter()
        trial.evaluate("val")
        return step, time.perf_counter() - started


def bench(name: str, space: str, speed: Speed, device: str, **values: object) -> None:
    settings = {key: str(value) for key, value in values.items()}
    plan = plan_sweep(check_request(SweepRequest(space=space, set=settings)))
    hyper = plan.proposals.corners[-1].hyper
    work = plan.model.workload(hyper, plan.task)
    assert work is not None
    cpus = torch.get_num_threads()
    threads = worthwhile_threads(work, hyper.batch_size, most=cpus)
    share = threads / cpus if device == "cpu" else 1.0
    torch.set_num_threads(threads)
    try:
        step, validation = measured(plan.model(), hyper, plan.task, torch.device(device))
    finally:
        torch.set_num_threads(cpus)
    val_windows = len(plan.task.val)
    steps = Load(hyper, work, train_windows=hyper.batch_size, val_windows=0).epoch_seconds(speed, share)
    both = Load(hyper, work, train_windows=hyper.batch_size, val_windows=val_windows).epoch_seconds(speed, share)
    print(
        f"{name}, batch {hyper.batch_size}, {threads} threads: step {step * 1e3:.1f} ms, estimate / real "
        f"{steps / step:.2f}; validation of {val_windows} windows {validation * 1e3:.0f} ms, "
        f"{(both - steps) / validation:.2f}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu")
    device = parser.parse_args().device
    speed = measure_speed("fp32", use_gpu=device == "cuda")
    assert speed is not None
    print(f"torch {torch.__version__} on {device}; {speed}")
    for batch in (8, 32, 128):
        bench("moirai-tiny, full", "quickstart", speed, device, strategy="full", batch_size=batch)
    bench("moirai-tiny, head_only", "quickstart", speed, device, strategy="head_only", batch_size=32)
    for width, layers, batch in ((32, 2, 16), (64, 2, 16), (64, 2, 64), (128, 4, 64), (256, 4, 64)):
        sizes = {"d_model": width, "n_layers": layers, "n_heads": 4, "batch_size": batch}
        bench(f"student, {width} wide, {layers} layers", "moirai-distill-quickstart", speed, device, **sizes)
    for length, batch in ((128, 16), (512, 8)):
        sizes = {"strategy": "full", "max_length": length, "batch_size": batch}
        bench(f"time-moe-tiny, full, {length} steps", "time-moe-quickstart", speed, device, **sizes)
    bench("time-llm around MiniLM", "time-llm-quickstart", speed, device, batch_size=16)
    with TemporaryDirectory() as folder:
        TimeMoeForPrediction(TimeMoeConfig(num_hidden_layers=3)).save_pretrained(Path(folder))
        sizes = {"pretrained": folder, "strategy": "full", "max_length": 512, "batch_size": 2}
        bench("TimeMoE-50M's widths, 3 layers, 512 steps", "time-moe-quickstart", speed, device, **sizes)
        untrained(SMALL).save_pretrained(Path(folder) / "moirai")
        sizes = {"pretrained": f"{folder}/moirai", "strategy": "full", "batch_size": 32}
        bench("Moirai small's widths, full", "quickstart", speed, device, **sizes)


if __name__ == "__main__":
    main()
