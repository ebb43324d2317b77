"""The life of a trial: build, initial evaluation, a report a stretch of training, early stop, checkpoint, resume."""

from __future__ import annotations

import json
import logging
import math
import pickle
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from data.errors import DamagedFileError
from data.files import check_readable, give_umask_mode, parse_json, read_object
from data.task.task import ForecastTask, Part
from data.task.windows import WindowGather
from trainables.base import Trainable, windows_to_train_on
from trainables.device.card import Limits, card_of
from trainables.device.host_memory import WorkerMark, memory_kills
from trainables.device.memory import MicroBatch, cap_gpu_memory, peak_memory_bytes, reset_peak_memory
from trainables.device.precision import use_tensor_cores
from trainables.errors import HyperError
from trainables.parameters import load_trainable_tensors, trainable_tensors
from trainables.sweep_trainable import SweepTrainable
from trainables.timeline import Activity, Timeline
from trainables.trial.checkpoint import CheckpointSlot
from trainables.trial.checks import check_evaluations, check_values
from trainables.trial.evaluation import Evaluation, evaluate, evaluate_points
from trainables.trial.folders import (
    BEST,
    LATEST,
    MARK_FILE,
    REPORT_FILE,
    STEP_FILE,
    STEPS_FILE,
    WEIGHTS_FILE,
    WINDOWS_FILE,
    SharedFolder,
)
from trainables.trial.frozen import FrozenFeatures
from trainables.trial.pulse import Pulse
from trainables.trial.report import Report, Scores, StopReason, best_report, whole
from trainables.trial.shared_scores import baseline_scores, initial_scores
from trainables.trial.step_losses import StepLosses
from trainables.trial.training import DivergenceError, Segment, Training

logger = logging.getLogger(__name__)

STATE_FILE, HISTORY_FILE = "state.pt", "history.json"  # of the latest epoch


@dataclass(frozen=True)
class TrialSpec:
    """What one trial is.

    folder: the trial's own; shared: the sweep's, for what its trials have in common.
    metric: one of METRICS, smaller is better; it decides the best epoch and the patience.
    reported_epoch: the last epoch that the sweep has on record, -1 if none; later ones are reported again on resume.
    max_steps: optimiser steps after which the trial ends, with a validation; None for no such end.
    log_every: optimiser steps from one row of the training loss by step to the next; 0 for no such rows.
    """

    folder: Path
    shared: SharedFolder
    hyper: Mapping[str, object]
    metric: str
    seed: int
    reported_epoch: float = -1.0
    gpu_memory_bytes: int | None = None
    card_limits: Limits = field(default_factory=Limits)
    log_every: int = 0
    max_steps: int | None = None


class Trial:
    """One fine-tuning run; `step` does a stretch of it and returns a report, until one has a stop reason.

    Epoch 0 is the initial model, evaluated once a sweep. Best is the best epoch after it: a trial that never beats
    the initial model still has a best epoch, and a negative gain. A trial whose folder holds a checkpoint goes on
    from there.
    """

    def __init__(self, model: Trainable, spec: TrialSpec, task: ForecastTask, device: torch.device) -> None:
        self.model, self.spec, self.task, self.device = model, spec, task, device
        self.timeline = Timeline(spec.shared.timeline, spec.folder.name)
        mark = WorkerMark.read(spec.folder / MARK_FILE)
        deaths = 0 if mark is None else mark.deaths_now
        WorkerMark(memory_kills(), deaths).write(spec.folder / MARK_FILE)
        self.hyper = check_values(model, spec.hyper, task, device)
        cap_gpu_memory(device, spec.gpu_memory_bytes)
        use_tensor_cores(device)
        reset_peak_memory(device)
        self.card = card_of(device, spec.card_limits)
        torch.manual_seed(spec.seed)
        model.build(self.hyper, task).to(device)
        self.train_windows = windows_to_train_on(model, self.hyper, task, device)
        check_evaluations(self.hyper, len(self.train_windows))
        fitted = spec.shared.micro_batch(f"{self.hyper.initial_model}|{getattr(self.hyper, 'strategy', '')}")
        remedy = f"shorten --context-length, now {task.context_length}, or take a smaller model"
        self.eval_batch = MicroBatch(model.eval_batch_size)
        self.train_features = self._frozen("train", self.train_windows)
        self.val_features = self._frozen("val", task.gather("val", device))
        self.training = Training(
            model,
            self.hyper,
            self.train_windows,
            seed=spec.seed,
            micro_batch=MicroBatch(self.hyper.micro_batch_size or self.hyper.batch_size, fitted, remedy=remedy),
            features=self.train_features,
            max_steps=spec.max_steps,
        )
        self._own_fall_backs = model.fall_backs(self.hyper) if isinstance(model, SweepTrainable) else ()
        self.latest = CheckpointSlot(spec.folder, LATEST)
        # a worker is up to one report ahead of the record, whose best epoch must stay
        self.best = CheckpointSlot(spec.folder, BEST, keep=2)
        self.history: list[Report] = []
        self.evaluation: Evaluation | None = None  # of the last report
        self._restore()
        if mark is not None and deaths > mark.deaths:
            self._need_less_memory(deaths)
        WorkerMark(memory_kills(), deaths, self.training.micro_batch.size).write(spec.folder / MARK_FILE)
        self._unreported = deque(r for r in self.history if r.epoch > spec.reported_epoch)

    def _need_less_memory(self, deaths: int) -> None:
        """Begin with less than the worker before, which was killed because the machine's memory ran out."""
        logger.warning("the system ended this trial's process for want of memory")
        for _ in range(deaths):
            self.eval_batch.need_less()
        self.training.micro_batch.need_less()

    def close(self) -> None:
        """The worker leaves the trial in good order."""
        (self.spec.folder / MARK_FILE).unlink(missing_ok=True)

    def step(self) -> Report:
        """Return the next report: one already made before an interruption, epoch 0, or a fresh stretch of training."""
        if self._unreported:
            return self._unreported.popleft()
        report = self._train_and_report() if self.history else self._report_initial()
        self.history.append(report)
        if report.is_trained:
            with self.timeline.of(Activity.CHECKPOINT):
                self._keep(report)
        elif self.spec.reported_epoch >= 0:
            return self.step()  # interrupted in its first epoch: epoch 0 is on record
        return report

    # --- the two kinds of report

    def _report_initial(self) -> Report:
        started = time.monotonic()
        with self.timeline.of(Activity.INITIAL):
            scores = self.initial_scores()
            self._measure_baselines()
        parts = dict.fromkeys(self.model.loss_parts)
        return self._complete(Report(epoch=0, scores=scores, loss_parts=parts, seconds=time.monotonic() - started))

    def _train_and_report(self) -> Report:
        started = time.monotonic()
        self.best.prune(1)  # the driver has every report before this one on record
        number = len(self.history)  # evaluations done after epoch 0 so far, plus 1
        first, stop = self._steps_before(number - 1), self._steps_before(number)
        parts = dict.fromkeys(self.model.loss_parts)
        report = Report(epoch=self._epoch_of(number), scores=Scores(), loss_parts=parts)
        try:
            with self.timeline.of(Activity.TRAINING):
                segment = self._train(first, stop, report.epoch)
            with self.timeline.of(Activity.EVALUATION):
                self.evaluation = self.evaluate("val")
            report = replace(report, scores=self.evaluation.scores, **asdict(segment))
        except DivergenceError as error:
            logger.warning("%s", error)
        return self._complete(replace(report, seconds=time.monotonic() - started))

    def _train(self, first: int, stop: int, epoch: float) -> Segment:
        pulse = Pulse(self.spec.folder / STEP_FILE, self.card, epoch, stop - first)
        losses = self._step_losses(first)

        def after_step(done: int, measured: Tensor) -> None:
            pulse.step_done(done, measured[-1, :2])
            if losses is not None:
                losses.step_done(done, measured)

        try:
            return self.training.run(first, stop, after_step=after_step)
        finally:
            pulse.close()
            if losses is not None:
                losses.close()

    def _step_losses(self, first_step: int) -> StepLosses | None:
        if not self.spec.log_every:
            return None
        return StepLosses(
            self.spec.folder / STEPS_FILE,
            every=self.spec.log_every,
            first_step=first_step,
            loss_parts=self.model.loss_parts,
        )

    def _complete(self, report: Report) -> Report:
        """Add what follows from the reports before it, the best epoch so far, and whether the trial ends here; and what
        the card says."""
        trained = [r for r in [*self.history, report] if r.is_trained]
        best = best_report(trained, self.spec.metric)
        card, waited = self.card.summary() if self.card else (report.card, None)
        return replace(
            report,
            seconds=report.seconds - (waited or 0.0),
            waited_seconds=waited,
            card=card,
            micro_batch_size=self.training.micro_batch.size,
            fall_backs=" + ".join([*self._own_fall_backs, *self.training.micro_batch.taken]) or None,
            peak_memory_bytes=peak_memory_bytes(self.device),
            warmup_epochs=self.training.schedule.warmup_steps / self.training.steps_per_epoch,
            best_epoch=best.epoch if best else None,
            best_so_far=(best or report).scores[self.spec.metric],
            stopped_by=self._stop_reason(trained, best),
        )

    def _stop_reason(self, trained: list[Report], best: Report | None) -> StopReason | None:
        if not trained:
            return None
        if trained[-1].scores[self.spec.metric] is None:
            return StopReason.DIVERGED
        if trained[-1].epoch >= self.hyper.epochs:
            return StopReason.EPOCHS
        if self._steps_before(len(trained)) >= self.training.total_steps:
            return StopReason.MAX_STEPS
        without_better = len(trained) - 1 - (trained.index(best) if best else 0)
        return StopReason.PATIENCE if without_better >= self.hyper.patience * self.hyper.evals_per_epoch else None

    def _steps_before(self, evaluation: int) -> int:
        """Optimiser steps done when evaluation number `evaluation` is due (0 = epoch 0)."""
        due = round(self.training.steps_per_epoch * evaluation / self.hyper.evals_per_epoch)
        return min(due, self.training.total_steps)

    def _epoch_of(self, evaluation: int) -> float:
        """How many epochs have been trained at an evaluation; a fraction where the last one is cut short."""
        planned = evaluation / self.hyper.evals_per_epoch
        steps, due = self._steps_before(evaluation), round(self.training.steps_per_epoch * planned)
        return whole(planned if steps == due else steps / self.training.steps_per_epoch)

    # --- measuring

    def evaluate(self, part: Part) -> Evaluation:
        """Measure the model as it is now on a part of the task."""
        return evaluate(
            self.model,
            self.task,
            part,
            micro_batch=self.eval_batch,
            precision=self.hyper.precision,
            features=self.val_features if part == "val" else None,
        )

    def initial_scores(self) -> Scores:
        """Return the initial model's validation, computed by the first trial of a sweep that needs it."""
        name = self.hyper.initial_model
        key = f"{name}|{self.hyper.precision}|{self.task.fingerprint}"
        return initial_scores(self.spec.shared, name, key, lambda: self.evaluate("val"))

    def _measure_baselines(self) -> None:
        """Keep the validation of the model's baselines, measured by the first trial of a sweep."""
        model = self.model
        if not isinstance(model, SweepTrainable):
            return
        for name, forecaster in model.baselines(self.hyper, self.task).items():
            baseline_scores(
                self.spec.shared,
                name,
                lambda forecaster=forecaster: evaluate_points(  # type: ignore[misc]
                    forecaster,
                    model,
                    self.task,
                    "val",
                    micro_batch=self.eval_batch,
                    precision=self.hyper.precision,
                    features=self.val_features,
                ),
            )

    def _frozen(self, part: Part, windows: WindowGather) -> FrozenFeatures | None:
        frozen = self.model.frozen_part(self.hyper, part)
        if frozen is None:
            return None
        with self.timeline.of(Activity.FEATURES):
            return FrozenFeatures.obtain(
                self.spec.shared,
                f"{frozen.name}|{self.task.fingerprint}|{part}|{self.hyper.precision}",
                frozen,
                self.model.module,
                windows,
                micro_batch=self.eval_batch,
                precision=self.hyper.precision,
            )

    # --- what is kept

    def _keep(self, report: Report) -> None:
        """Write the best weights if this epoch is the best, then all that the next epoch needs."""
        number = len(self.history) - 1
        if report.is_best:
            self.best.write(number, lambda folder: self._write_weights(folder, report))
        self.latest.write(number, self._write_state)

    def _write_weights(self, folder: Path, report: Report) -> None:
        tensors = {k: v.detach().cpu().contiguous() for k, v in trainable_tensors(self.model.module).items()}
        save_file(tensors, folder / WEIGHTS_FILE)
        give_umask_mode(folder / WEIGHTS_FILE)
        if self.evaluation is not None:
            self.evaluation.windows.write(folder / WINDOWS_FILE)
        (folder / REPORT_FILE).write_text(json.dumps(report.to_row()), encoding="utf-8")

    def _write_state(self, folder: Path) -> None:
        state = {
            "trained": {k: v.detach() for k, v in trainable_tensors(self.model.module).items()},
            "optimizer": self.training.optimizer.state_dict(),
            "scaler": self.training.scaler.state_dict(),
            "micro_batch_size": self.training.micro_batch.size,
            "fall_backs": self.training.micro_batch.taken,
        }
        torch.save(state, folder / STATE_FILE)
        rows = [report.to_row() for report in self.history]
        (folder / HISTORY_FILE).write_text(json.dumps(rows), encoding="utf-8")

    def _restore(self) -> None:
        folder = self.latest.newest()
        if folder is None:
            return
        try:
            state = torch.load(folder / STATE_FILE, map_location=self.device, weights_only=True)
            rows = parse_json((folder / HISTORY_FILE).read_text(encoding="utf-8"))
            history = [Report.from_row(row) for row in rows]
        except (OSError, ValueError, KeyError, TypeError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
            logger.warning("%s is damaged (%s): the trial starts again from epoch 0", folder, error)
            return
        load_trainable_tensors(self.model.module, state["trained"])
        self.training.optimizer.load_state_dict(state["optimizer"])
        self.training.scaler.load_state_dict(state["scaler"])
        micro_batch = self.training.micro_batch
        micro_batch.size = min(micro_batch.size, state["micro_batch_size"])  # another trial may have needed less since
        micro_batch.take(state.get("fall_backs", ()))
        self.history = history

    def load_best(self) -> None:
        """Load the best epoch's weights into the model; HyperError if the trial kept none."""
        load_best(self.model, self.best)


def load_best(model: Trainable, slot: CheckpointSlot, epoch: float | None = None) -> None:
    """Load the weights of the best epoch, or of this one of the last two best, into a built model.

    Raises HyperError if the trial kept none, DamagedFileError if they cannot be read, CheckpointError if they are of
    another model.
    """
    folder = folder_of_epoch(slot.folder, epoch)
    if folder is None:
        raise HyperError(f"trial {slot.folder.name} must have trained for an epoch to be exported; it kept no weights")
    if not (folder / WEIGHTS_FILE).is_file():
        raise DamagedFileError(
            f"{folder / WEIGHTS_FILE}: the weights of trial {slot.folder.name} are not there; a sweep keeps those of "
            "its best few trials (--keep); export another with --trial"
        )
    try:
        check_readable(folder / WEIGHTS_FILE)
        load_trainable_tensors(model.module, load_file(folder / WEIGHTS_FILE))
    except (OSError, SafetensorError) as error:
        raise DamagedFileError(
            f"{folder / WEIGHTS_FILE}: the best weights of trial {slot.folder.name} cannot be read ({error}); "
            "export another with --trial"
        ) from error


def folder_of_epoch(folder: Path, epoch: float | None = None) -> Path | None:
    """Return where a trial's folder keeps the best epoch, or this one of the last two best; None where it does not."""
    kept = CheckpointSlot(folder, BEST).folders()
    return next((f for f in kept if epoch is None or _epoch_of(f) == epoch), None)


def _epoch_of(folder: Path) -> float:
    """Return the epoch of kept weights; NaN, which is none, where it cannot be read."""
    try:
        return Report.from_row(read_object(folder / REPORT_FILE)).epoch
    except (FileNotFoundError, DamagedFileError, KeyError, TypeError, ValueError):
        return math.nan
