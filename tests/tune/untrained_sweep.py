"""Sweeps on the disk whose initial model is untrained, written by hand."""

from __future__ import annotations

from pathlib import Path

from search_spaces.library import load_space
from tests.tune.reports import to_its_end, write_trial
from tune.records.spec import SweepSpec
from tune.records.sweep_folder import SweepFolder
from tune.sweep import Sweep

UNTRAINED = "untrained"


def make_sweep(folder: Path, losses: dict[str, list[float]], initial_name: str = UNTRAINED) -> Sweep:
    """A sweep's folder with a report an epoch for each trial, the first of them epoch 0."""
    space = load_space("quickstart")
    fields = {"name": folder.name, "space": space.to_dict(), "trainable": space.trainable, "initial_name": initial_name}
    task = {"context_length": 256, "prediction_length": 64}
    spec = SweepSpec.model_validate({**fields, "task": task, "data": {"path": "a.csv"}, "trials": 2})
    folder.mkdir(exist_ok=True)
    spec.write(SweepFolder(folder))
    for i, (trial_id, values) in enumerate(losses.items()):
        hyper = {"strategy": "full", "lr": 1e-5 * (i + 1), "epochs": 2, "batch_size": 4}
        write_trial(folder, trial_id, hyper, to_its_end(values, seconds=1.0, peak_memory_bytes=1))
    return Sweep(SweepFolder(folder), spec)
