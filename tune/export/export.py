"""The checkpoint to take away: the best epoch in the model's own format, read back and measured before it is given."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from data.errors import UserError
from data.files import replace_text
from data.panel import Panel
from data.task.task import ForecastTask, Part
from trainables.base import ForecastTrainable
from trainables.hyper import Hyper
from trainables.trial.checkpoint import BEST, CheckpointSlot
from trainables.trial.evaluation import Scores, evaluate, evaluate_points
from trainables.trial.memory import MicroBatch
from trainables.trial.trial import check_hyper, load_best
from tune.export.model_card import model_card
from tune.ray_backend.worker import PANEL_FOLDER
from tune.records.leaderboard import COMPARISON_FILE, METRICS, TEST_FILE, Leaderboard, Standing, TestScores
from tune.records.spec import SweepError, SweepSpec
from tune.registry import find_trainable

logger = logging.getLogger(__name__)

TOLERANCE = 1e-5
FINALISTS = 3


class ExportError(SweepError):
    """A checkpoint that cannot be written, or does not give back its figures."""


@dataclass
class Workshop:
    """A sweep's task and model class on a device: what it takes to bring one of its trials back."""

    folder: Path
    spec: SweepSpec
    device: torch.device

    def __post_init__(self) -> None:
        self.task = ForecastTask(Panel.load(self.folder / PANEL_FOLDER), self.spec.task)
        self.model_class = find_trainable(self.spec.trainable)

    def untouched(self, standing: Standing) -> tuple[ForecastTrainable, Hyper]:
        """Build a trial's model as it was before training."""
        model = self.model_class()
        hyper = check_hyper(self.model_class, standing.config)
        model.build(hyper, self.task).to(self.device)
        return model, hyper

    def trained(self, standing: Standing) -> tuple[ForecastTrainable, Hyper]:
        """Build a trial's model with the weights of the best epoch on record."""
        model, hyper = self.untouched(standing)
        load_best(model, CheckpointSlot(self.folder / standing.trial_id, BEST), standing.best_epoch)
        return model, hyper

    def scores(self, model: ForecastTrainable, hyper: Hyper, part: Part) -> Scores:
        return evaluate(
            model, self.task, part, micro_batch=MicroBatch(model.eval_batch_size), precision=hyper.precision
        )


def export_trial(workshop: Workshop, leaderboard: Leaderboard, standing: Standing, target: Path) -> Path:
    """Write a trial's best epoch to `target`, which must not exist or be empty.

    The checkpoint is loaded back by the model's own `from_pretrained` and must give the leaderboard's validation
    figures to 1e-5. Raises ExportError otherwise; then `target` is not there.
    """
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise ExportError(f"--to must name a new or an empty folder, and {target} is not; choose another")
    unfinished = target.with_name(f".{target.name}.tmp")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    try:
        model, hyper = workshop.trained(standing)
        model.save_pretrained(unfinished)
        scores = _read_back(workshop, unfinished, hyper, standing)
        comparison = leaderboard.comparison if standing.rank == 1 else {}
        about = [*model.about(), *(f"{name}: {told}." for name, told in comparison.items())]
        _write_card(workshop, leaderboard, standing, unfinished, scores, about=about)
        if target.exists():
            target.rmdir()
        unfinished.replace(target)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    return target


def _read_back(workshop: Workshop, folder: Path, hyper: Hyper, standing: Standing) -> Scores:
    model = workshop.model_class()
    model.rebuild(folder, hyper, workshop.task).to(workshop.device)
    scores = workshop.scores(model, hyper, "val")
    for name in METRICS:
        told, found = getattr(standing, name), getattr(scores, name)
        if abs(told - found) > TOLERANCE * max(1.0, abs(told)):
            raise ExportError(
                f"the exported checkpoint must give {standing.trial_id}'s {name} {told!r} again to {TOLERANCE:g}, "
                f"and gives {found!r} on {workshop.device.type}; was the sweep run on another device?"
            )
    return scores


def _write_card(
    workshop: Workshop,
    leaderboard: Leaderboard,
    standing: Standing,
    folder: Path,
    scores: Scores,
    *,
    about: list[str],
) -> None:
    facts: dict[str, Any] = {
        "sweep": workshop.spec.name,
        "trial_id": standing.trial_id,
        "trainable": workshop.spec.trainable,
        "best_epoch": standing.best_epoch,
        "hyperparameters": standing.config,
        "task": workshop.task.describe(),
        "data": workshop.spec.data.model_dump(),
        "zero_shot": leaderboard.zero_shot,
        "validation": scores.to_dict(),
        "test": leaderboard.test.get(standing.trial_id),
        "about": about,
        "start": leaderboard.start_name,
        "zero_shot_test": leaderboard.test.get(leaderboard.start_name),
        "baselines": [{**asdict(b), "test": leaderboard.test.get(b.name)} for b in leaderboard.baselines],
        "versions": workshop.spec.versions,
        "seed": workshop.spec.seed,
    }
    replace_text(folder / "foretune.json", json.dumps(facts, indent=1))
    replace_text(folder / "README.md", model_card(facts, leaderboard.metric))


def score_finalists(workshop: Workshop, leaderboard: Leaderboard) -> TestScores:
    """Measure zero-shot, the baselines and the best few on the test part, after the search.

    The scores are kept beside the leaderboard.
    """
    best = leaderboard.best
    if best is None:
        return {}
    untouched, hyper = workshop.untouched(best)
    scores = {leaderboard.start_name: _test_scores(workshop, untouched, hyper)}
    scores |= _baseline_scores(workshop, untouched, hyper)
    for standing in leaderboard.standings[:FINALISTS]:
        if standing.rank is not None:
            scores[standing.trial_id] = _test_scores(workshop, *workshop.trained(standing))
    replace_text(workshop.folder / TEST_FILE, json.dumps(scores, indent=1))
    return scores


def compare_best(workshop: Workshop, leaderboard: Leaderboard) -> None:
    """Keep what the best trial's model says of itself beside the leaderboard, where it can say it."""
    best = leaderboard.best
    if best is None:
        return
    model, hyper = workshop.trained(best)
    scores = {name: value for name, value in best.scores.items() if value is not None}
    baselines = {baseline.name: asdict(baseline) for baseline in leaderboard.baselines}
    try:
        told = model.compare(hyper, workshop.task, scores=scores, baselines=baselines)
    except (UserError, torch.OutOfMemoryError) as error:
        logger.warning("the best trial could not be compared with what it came from: %s", error)
        return
    facts = {"trial_id": best.trial_id, "best_epoch": best.best_epoch, "told": told}
    replace_text(workshop.folder / COMPARISON_FILE, json.dumps(facts, indent=1))


def _baseline_scores(workshop: Workshop, model: ForecastTrainable, hyper: Hyper) -> TestScores:
    scores: TestScores = {}
    for name, forecaster in model.baselines(hyper, workshop.task).items():
        with suppress(NotImplementedError):  # a forecaster that knows the validation part alone
            measured = evaluate_points(
                forecaster,
                model,
                workshop.task,
                "test",
                micro_batch=MicroBatch(model.eval_batch_size),
                precision=hyper.precision,
            )
            scores[name] = _as_test(measured)
    return scores


def _test_scores(workshop: Workshop, model: ForecastTrainable, hyper: Hyper) -> dict[str, float | None]:
    return _as_test(workshop.scores(model, hyper, "test").to_dict())


def _as_test(scores: Mapping[str, float | None]) -> dict[str, float | None]:
    return {name.replace("val_", "test_"): value for name, value in scores.items()}
