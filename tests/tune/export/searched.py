"""Small searches of the toy model, run by hand: what a sweep has on disk when its search has ended."""

from __future__ import annotations

from pathlib import Path

import torch

from data.readers.panel_reader import read_panel
from data.samples.bundled import SAMPLES
from tests.paths import TOYS
from trainables.sweep_trainable import SweepModel
from trainables.trial.trial import Trial, TrialSpec
from tune.export.trial_models import TrialModels
from tune.leaderboard.leaderboard import Leaderboard
from tune.records.journal import Journal
from tune.records.spec import SweepSpec
from tune.records.sweep_folder import SweepFolder
from tune.records.trial_record import TrialConfig
from tune.sweep import Sweep

TOY = f"{TOYS / 'toy_model.py'}:Toy"
CPU = torch.device("cpu")
HYPER = {"lr": 1e-2, "epochs": 1, "batch_size": 64}


def models_of(
    path: Path, model: type[SweepModel], rates: tuple[float, ...] = (1e-2,), epochs: int = 1, repeats: int = 0
) -> TrialModels:
    """A sweep of a trial a learning rate, and repeats of its best two."""
    folder = SweepFolder(path)
    panel = read_panel(SAMPLES["sample"])
    panel.save(folder.data)
    task = {"context_length": 32, "prediction_length": 8, "train_stride": 64, "eval_stride": 64, "scale": "standard"}
    fields = {
        "repeats": repeats,
        "repeated": 2,
        "name": folder.name,
        "space": {},
        "trainable": TOY,
        "initial_name": model.initial_name,
        "task": task,
    }
    spec = SweepSpec.model_validate({**fields, "data": {"path": "sample.csv"}, "trials": len(rates)})
    models = TrialModels(Sweep(folder, spec), CPU)
    models.model_class = model
    journal = Journal(folder)
    for i, lr in enumerate(rates):
        _run(models, journal, TrialConfig(f"t{i:04}", i, {**HYPER, "lr": lr, "epochs": epochs}))
    for each in spec.repetition.planned(journal.records):
        _run(models, journal, each)
    return models


def _run(models: TrialModels, journal: Journal, config: TrialConfig) -> None:
    folder, metric = models.sweep.folder, models.sweep.spec.metric
    spec = TrialSpec(folder.trial(config.trial_id).path, folder.shared, config.hyper, metric, config.seed)
    journal.start(config)
    trial = Trial(models.model_class(), spec, models.task, CPU)
    while (report := trial.step()).stopped_by is None:
        journal.append(config.trial_id, report)
    journal.append(config.trial_id, report)


def board_of(models: TrialModels) -> Leaderboard:
    name = models.sweep.spec.initial_name
    return Leaderboard.read(models.sweep.folder, metric="val_loss", sweep_is_running=False, initial_name=name)
