"""One trial of the bundled tiny Moirai, without Ray: prints a JSON line a report.

python -m tests.gpu.one_trial FOLDER [DEVICE] [KEY=VALUE ...]
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch

import tune  # noqa: F401  (sets what torch reads when it is imported)
from data.readers.panel_reader import read_panel
from data.samples.bundled import SAMPLES
from data.task.task import ForecastTask
from data.task.task_spec import TaskSpec
from trainables.moirai.trainable import Moirai
from trainables.trial.folders import SharedFolder
from trainables.trial.trial import Trial, TrialSpec

HYPER: dict[str, Any] = {
    "pretrained": "moirai-tiny",
    "strategy": "full",
    "patch_size": 32,
    "lr": 1e-4,
    "epochs": 3,
    "batch_size": 32,
    "patience": 10,
}
TASK = TaskSpec(context_length=256, prediction_length=64, train_stride=64, eval_stride=64, scale="standard")


def make_trial(folder: Path, device: torch.device, *, gpu_memory_bytes: int | None = None, **hyper: Any) -> Trial:
    task = ForecastTask(read_panel(SAMPLES["sample"]), TASK)
    spec = TrialSpec(
        folder=folder,
        shared=SharedFolder(folder.parent / "shared"),
        hyper={**HYPER, **hyper},
        metric="val_loss",
        seed=0,
        gpu_memory_bytes=gpu_memory_bytes,
    )
    return Trial(Moirai(), spec, task, device)


def main() -> None:
    folder, device, *pairs = sys.argv[1:]
    hyper = {key: json.loads(value) for key, value in (pair.split("=", 1) for pair in pairs)}
    trial = make_trial(Path(folder), torch.device(device), **hyper)
    while True:
        report = trial.step()
        print(json.dumps(report.to_row()), flush=True)
        if report.stopped_by is not None:
            return


if __name__ == "__main__":
    main()
