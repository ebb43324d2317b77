"""A student against its teacher: forecasts a second, side by side on the same windows.

    uv run python tests/benchmarks/models/bench_distill.py [--teacher FOLDER_OR_ID] [--device cuda]

Without --teacher it is a Moirai of the published base sizes with random weights, and the student has its default sizes,
720 to 96; and then the bundled tiny one with the quickstart's student, 256 to 64.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import torch

import tune  # noqa: F401  (sets what torch reads when it is imported)
from data.readers.panel_reader import read_panel
from data.samples.bundled import SAMPLES
from data.task.task import ForecastTask, TaskSpec
from trainables.moirai_distill import MoiraiDistill
from trainables.moirai_distill.hyper import MoiraiDistillHyper
from trainables.pretraining.moirai import TINY, untrained


def random_base(folder: str) -> str:
    config = TINY.model_copy(update={"d_model": 768, "num_layers": 12, "patch_sizes": (8, 16, 32, 64, 128)})
    untrained(config).save_pretrained(Path(folder))
    return folder


def compare(teacher: str, context: int, prediction: int, device: torch.device, **sizes) -> None:
    spec = TaskSpec(split="series", context_length=context, prediction_length=prediction, scale="standard")
    task = ForecastTask(read_panel(SAMPLES["corpus"], clean=True), spec)
    model = MoiraiDistill()
    hyper = MoiraiDistillHyper(teacher=teacher, lr=1e-3, epochs=1, batch_size=32, **sizes)
    model.build(hyper, task).to(device)
    for name, sentence in model.compare(hyper, task, scores={"val_mse": float("nan")}, baselines={}).items():
        print(f"{context} to {prediction}, {name}: {sentence}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--teacher")
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    device = torch.device(arguments.device)
    with tempfile.TemporaryDirectory() as folder:
        compare(arguments.teacher or random_base(folder), 720, 96, device)
    compare("moirai-tiny", 256, 64, device, d_model=64, n_layers=2)


if __name__ == "__main__":
    main()
