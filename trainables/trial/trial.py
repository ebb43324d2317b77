"""The life of a trial: build, zero-shot, a report after each stretch of training, early stop, checkpoint, resume."""

from __future__ import annotations

import hashlib
import json
import logging
import math
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock
from pydantic import ValidationError
from safetensors.torch import load_file, save_file

from data.files import replace_text
from data.task.task import ForecastTask, Part
from data.task.windows import WindowGather
from trainables.base import ForecastTrainable, HyperError
from trainables.hyper import Hyper
from trainables.trial.checkpoint import BEST, LATEST, CheckpointSlot
from trainables.trial.evaluation import Scores, evaluate, evaluate_points
from trainables.trial.frozen import FEATURES, FrozenFeatures
from trainables.trial.memory import MicroBatch, cap_gpu_memory, peak_memory_bytes, reset_peak_memory
from trainables.trial.training import DivergenceError, Training

logger = logging.getLogger(__name__)

BASELINES = "baselines"  # the shared folder's: a file each, the scores of what stands beside the trials
Report = dict[str, Any]


@dataclass(frozen=True)
class TrialSpec:
    """What one trial is.

    folder: the trial's own; shared: the sweep's, for what its trials have in common.
    metric: val_loss, val_mae or val_mse, smaller is better; it decides the best epoch and the patience.
    reported_epoch: the last epoch that the sweep has on record, -1 if none; later ones are reported again on resume.
    """

    folder: Path
    shared: Path
    hyper: dict[str, Any]
    metric: str
    seed: int
    reported_epoch: float = -1.0
    gpu_memory_bytes: int | None = None


def check_hyper(model: type[ForecastTrainable], values: dict[str, Any]) -> Hyper:
    """Make a trial's hyperparameters of plain values; HyperError names every wrong one."""
    try:
        return model.Hyper(**values)
    except ValidationError as error:
        wrong = [
            f"{'.'.join(map(str, e['loc'])) or 'hyperparameters'}: {e['msg']}, got {e['input']!r}"
            for e in error.errors()
        ]
        raise HyperError(f"{model.__name__}: " + "; ".join(wrong)) from error


def check_evaluations(hyper: Hyper, n_windows: int) -> None:
    """Refuse more evaluations an epoch than it has optimiser steps; HyperError."""
    steps = math.ceil(n_windows / hyper.batch_size)
    if hyper.evals_per_epoch > steps:
        raise HyperError(
            f"evals_per_epoch must be at most the {steps} optimiser steps of an epoch ({n_windows} windows, "
            f"batch_size {hyper.batch_size}), got {hyper.evals_per_epoch}; lower it, batch_size or --train-stride"
        )


class Trial:
    """One fine-tuning run; `step` does a stretch of it and returns a report, until one says done.

    Epoch 0 is the untouched model, evaluated once a sweep. Best is the best epoch after it: a trial that never beats
    zero-shot still has a best epoch, and a negative gain. A trial whose folder holds a checkpoint goes on from there.
    """

    def __init__(self, model: ForecastTrainable, spec: TrialSpec, task: ForecastTask, device: torch.device) -> None:
        self.model, self.spec, self.task, self.device = model, spec, task, device
        self.hyper = check_hyper(type(model), spec.hyper)
        cap_gpu_memory(device, spec.gpu_memory_bytes)
        reset_peak_memory(device)
        torch.manual_seed(spec.seed)
        model.check(self.hyper, task)
        self._check_precision()
        model.build(self.hyper, task).to(device)
        self.train_windows = model.training_windows(self.hyper, task, device)
        check_evaluations(self.hyper, len(self.train_windows))
        self.eval_batch = MicroBatch(model.eval_batch_size)
        self.train_features = self._frozen("train", self.train_windows)
        self.val_features = self._frozen("val", task.gather("val", device))
        self.training = self._training()
        self.latest = CheckpointSlot(spec.folder, LATEST)
        # a worker is up to one report ahead of the record, whose best epoch must stay
        self.best = CheckpointSlot(spec.folder, BEST, keep=2)
        self.history: list[Report] = []
        self._restore()
        self._unreported = deque(r for r in self.history if r["epoch"] > spec.reported_epoch)

    def step(self) -> Report:
        """Return the next report: one already made before an interruption, epoch 0, or a fresh stretch of training."""
        if self._unreported:
            return self._unreported.popleft()
        report = self._train_and_report() if self.history else self._report_zero_shot()
        self.history.append(report)
        if report["epoch"] > 0:
            self._keep(report)
        elif self.spec.reported_epoch >= 0:
            return self.step()  # interrupted in its first epoch: epoch 0 is on record
        return report

    # --- the two kinds of report

    def _report_zero_shot(self) -> Report:
        started = time.monotonic()
        scores = self.zero_shot()
        self._measure_baselines()
        return self._report(epoch=0, scores=scores, train_loss=None, lr=None, started=started)

    def _train_and_report(self) -> Report:
        started = time.monotonic()
        self.best.prune(1)  # the driver has every report before this one on record
        number = len(self.history)  # evaluations done after epoch 0 so far, plus 1
        first, stop = self._steps_before(number - 1), self._steps_before(number)
        epoch = number / self.hyper.evals_per_epoch
        epoch = int(epoch) if epoch.is_integer() else epoch
        try:
            segment = self.training.run(first, stop)
        except DivergenceError as error:
            logger.warning("%s", error)
            nothing = Scores(math.nan, math.nan, math.nan)
            return self._report(epoch=epoch, scores=nothing, train_loss=math.nan, lr=None, started=started)
        scores = self.evaluate("val")
        return self._report(epoch=epoch, scores=scores, train_loss=segment.train_loss, lr=segment.lr, started=started)

    def _report(
        self,
        *,
        epoch: float,
        scores: Scores,
        train_loss: float | None,
        lr: float | None,
        started: float,
    ) -> Report:
        report: Report = {
            "epoch": epoch,
            **scores.to_dict(),
            "train_loss": train_loss,
            "lr": lr,
            "seconds": time.monotonic() - started,
            "peak_memory_bytes": peak_memory_bytes(self.device),
        }
        trained = [r for r in [*self.history, report] if r["epoch"] > 0]
        best = self._best_of(trained)
        report["best_epoch"] = best["epoch"] if best else None
        report["objective"] = best[self.spec.metric] if best else report[self.spec.metric]
        report["stopped_by"] = self._stop_reason(trained)
        report["done"] = report["stopped_by"] is not None
        return report

    def _best_of(self, reports: list[Report]) -> Report | None:
        finite = [r for r in reports if math.isfinite(r[self.spec.metric])]
        return min(finite, key=lambda r: r[self.spec.metric]) if finite else None

    def _stop_reason(self, trained: list[Report]) -> str | None:
        if not trained:
            return None
        if not math.isfinite(trained[-1][self.spec.metric]):
            return "diverged"
        if trained[-1]["epoch"] >= self.hyper.epochs:
            return "epochs"
        best = self._best_of(trained)
        without_better = len(trained) - 1 - (trained.index(best) if best else 0)
        return "patience" if without_better >= self.hyper.patience * self.hyper.evals_per_epoch else None

    def _steps_before(self, evaluation: int) -> int:
        """Optimiser steps done when evaluation number `evaluation` is due (0 = epoch 0)."""
        return round(self.training.steps_per_epoch * evaluation / self.hyper.evals_per_epoch)

    # --- measuring

    def evaluate(self, part: Part) -> Scores:
        """Measure the model as it is now on a part of the task."""
        return evaluate(
            self.model,
            self.task,
            part,
            micro_batch=self.eval_batch,
            precision=self.hyper.precision,
            features=self.val_features if part == "val" else None,
        )

    def zero_shot(self) -> Scores:
        """Return the untouched model's validation, computed by the first trial of a sweep that needs it."""
        start = self.model.starting_point(self.hyper)
        key = f"{start}|{self.hyper.precision}|{self.task.fingerprint}"
        path = self.spec.shared / "zero_shot" / f"{hashlib.sha256(key.encode()).hexdigest()[:24]}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock")):
            if not path.exists():
                scores = self.evaluate("val")
                replace_text(path, json.dumps({"starting_point": start, **scores.to_dict()}, indent=1))
        kept = json.loads(path.read_text(encoding="utf-8"))
        return Scores.of({name: value for name, value in kept.items() if name != "starting_point"})

    def _measure_baselines(self) -> None:
        """Keep the validation of what stands beside the trials, measured by the first trial of a sweep."""
        folder = self.spec.shared / BASELINES
        folder.mkdir(parents=True, exist_ok=True)
        for name, forecaster in self.model.baselines(self.hyper, self.task).items():
            path = folder / f"{name}.json"
            with FileLock(path.with_suffix(".lock")):
                if not path.exists():
                    scores = evaluate_points(
                        forecaster,
                        self.model,
                        self.task,
                        "val",
                        micro_batch=self.eval_batch,
                        precision=self.hyper.precision,
                        features=self.val_features,
                    )
                    replace_text(path, json.dumps({"name": name, **scores}, indent=1))

    # --- what is kept

    def _keep(self, report: Report) -> None:
        """Write the best weights if this epoch is the best, then all that the next epoch needs."""
        number = len(self.history) - 1
        if report["best_epoch"] == report["epoch"]:
            self.best.write(number, lambda folder: self._write_weights(folder, report))
        self.latest.write(number, self._write_state)

    def _write_weights(self, folder: Path, report: Report) -> None:
        tensors = {k: v.detach().cpu().contiguous() for k, v in self.model.trainable_tensors().items()}
        save_file(tensors, folder / "trained.safetensors")
        (folder / "report.json").write_text(json.dumps(report), encoding="utf-8")

    def _write_state(self, folder: Path) -> None:
        state = {
            "trained": {k: v.detach() for k, v in self.model.trainable_tensors().items()},
            "optimizer": self.training.optimizer.state_dict(),
            "scaler": self.training.scaler.state_dict(),
            "micro_batch_size": self.training.micro_batch.size,
        }
        torch.save(state, folder / "state.pt")
        (folder / "history.json").write_text(json.dumps(self.history), encoding="utf-8")

    def _restore(self) -> None:
        folder = self.latest.newest()
        if folder is None:
            return
        state = torch.load(folder / "state.pt", map_location=self.device, weights_only=True)
        self.model.load_trainable_tensors(state["trained"])
        self.training.optimizer.load_state_dict(state["optimizer"])
        self.training.scaler.load_state_dict(state["scaler"])
        self.training.micro_batch.size = state["micro_batch_size"]
        self.history = json.loads((folder / "history.json").read_text(encoding="utf-8"))

    def load_best(self) -> None:
        """Put the best epoch's weights into the model; HyperError if the trial kept none."""
        load_best(self.model, self.best)

    # --- parts

    def _training(self) -> Training:
        return Training(
            self.model,
            self.hyper,
            self.train_windows,
            seed=self.spec.seed,
            micro_batch=MicroBatch(self.hyper.micro_batch_size or self.hyper.batch_size),
            features=self.train_features,
        )

    def _frozen(self, part: Part, windows: WindowGather) -> FrozenFeatures | None:
        name = self.model.frozen_part(self.hyper, part)
        if name is None:
            return None
        return FrozenFeatures.obtain(
            self.spec.shared / FEATURES,
            f"{name}|{self.task.fingerprint}|{part}|{self.hyper.precision}",
            self.model,
            windows,
            micro_batch=self.eval_batch,
            precision=self.hyper.precision,
        )

    def _check_precision(self) -> None:
        precision = self.hyper.precision
        if precision == "fp32" or (self.device.type == "cuda" and (precision == "fp16" or bf16_is_there())):
            return
        raise HyperError(
            f"precision {precision} needs a GPU that has it, and this trial runs on {self.device.type}; use fp32"
        )


def bf16_is_there() -> bool:
    return bool(torch.cuda.is_bf16_supported(including_emulation=False))


def load_best(model: ForecastTrainable, slot: CheckpointSlot, epoch: float | None = None) -> None:
    """Put the weights of the best epoch, or of this one of the last two best, into a built model.

    Raises HyperError if the trial kept none.
    """
    folder = next((f for f in slot.folders() if epoch is None or _epoch_of(f) == epoch), None)
    if folder is None:
        raise HyperError(f"trial {slot.folder.name} must have trained for an epoch to be exported; it kept no weights")
    model.load_trainable_tensors(load_file(folder / "trained.safetensors"))


def _epoch_of(folder: Path) -> float:
    return float(json.loads((folder / "report.json").read_text(encoding="utf-8"))["epoch"])
