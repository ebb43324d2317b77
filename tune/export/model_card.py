"""The model card and the record that go with an exported checkpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from data.portable import file_name, portable_path
from data.samples.bundled import SAMPLES
from data.task.task import ForecastTask
from trainables.trial.report import MEASURES, Scores
from tune.format import number
from tune.leaderboard.leaderboard import Leaderboard
from tune.leaderboard.standing import Standing
from tune.records.scores_on_test import row_on_test
from tune.records.spec import SweepSpec


@dataclass(frozen=True)
class ModelCard:
    """What is said of a checkpoint. validation: the checkpoint's own.

    about: sentences of Markdown. folder: where the checkpoint will lie; nothing in it names another folder of this
    machine, or its user.
    """

    spec: SweepSpec
    task: ForecastTask
    standing: Standing
    leaderboard: Leaderboard
    validation: Scores
    about: Sequence[str]
    folder: Path

    def to_row(self) -> dict[str, object]:
        """Return the record of the export; `tune.forecasts.forecaster.ExportRecord` reads what forecasting needs."""
        spec, standing, board = self.spec, self.standing, self.leaderboard
        return {
            "sweep": spec.name,
            "trial_id": standing.run.trial_id,
            "trainable": file_name(spec.trainable),
            "best_epoch": standing.best_epoch,
            "hyperparameters": self._hyper(),
            "task": self.task.describe(),
            "data": {**spec.data.model_dump(), "path": self._data_path()},
            "initial_name": board.initial_name,
            "initial": _plain(board.initial),
            "initial_test": self._test_row(board.initial_name),
            "validation": self.validation.to_row(),
            "test": self._test_row(standing.trial_id),
            "baselines": [{**b.to_row(), "test": self._test_row(b.name)} for b in board.baselines],
            "about": list(self.about),
            "versions": spec.versions,
            "seed": spec.seed,
        }

    def to_markdown(self) -> str:
        """Return the card: initial model, data, task, hyperparameters, scores, versions."""
        spec, standing, board = self.spec, self.standing, self.leaderboard
        panel, task = self.task.panel, self.task.spec
        hyper = self._hyper()
        pretrained = hyper.get("pretrained")
        initial = "an untrained model" if pretrained is None else f"`{pretrained}`"
        trained = "Fine-tuned" if board.initial_model.is_pretrained else "Trained"
        lines = [
            f"# {spec.name} {standing.run.trial_id}",
            "",
            *self._origin(trained, initial),
            *(line for sentence in self.about for line in ("", sentence)),
            "",
            "## Scores",
            "",
            *self._score_table(),
            "",
            "## Data and task",
            "",
            f"- data: {panel.name}, {len(panel)} series, {len(panel.values)} rows, frequency {panel.freq}, "
            f"content sha256 `{spec.data.content_hash}`",
            f"- context {task.context_length}, prediction {task.prediction_length}, split {task.split}, "
            f"scale {task.scale}, strides {task.train_stride} (train) and {task.eval_stride} (validation, test)",
            f"- windows: {len(self.task.train)} train, {len(self.task.val)} validation, {len(self.task.test)} test",
            "",
            "## Hyperparameters",
            "",
            *(f"- {name}: {number(value)}" for name, value in sorted(hyper.items())),
            f"- seed of the sweep: {spec.seed}",
            "",
            "## Versions",
            "",
            *(f"- {name} {version}" for name, version in spec.versions.items()),
            "",
        ]
        return "\n".join(lines)

    def _origin(self, trained: str, initial: str) -> list[str]:
        """Say what the weights are."""
        standing, board = self.standing, self.leaderboard
        if standing.parts:
            shares = " and ".join(f"{share:.3g} of trial {name}" for name, share in standing.parts.items())
            rest = 1 - sum(standing.parts.values())
            kept = f" and {rest:.3g} of the initial model" if rest > 1e-6 else ""
            return [
                f"An average of weights by foretune: {shares}{kept}. They were fine-tuned from {initial}; the average "
                f"is chosen by {board.metric} on validation, and costs nothing more to run."
            ]
        if standing.best_epoch == 0:
            return [f"{initial}, as it was: no trial of this sweep is better beyond chance by {board.metric}."]
        of_runs = (
            f" Its configuration was trained {len(standing.runs)} times, and was chosen for the mean of its repeats, "
            f"{board.metric} {number(standing.scores[board.metric])}; this is the best of the runs."
            if standing.seeds
            else ""
        )
        return [
            f"{trained} by foretune from {initial}; epoch {number(standing.best_epoch)} of this trial, chosen by "
            f"{board.metric} on validation.{of_runs}"
        ]

    def _data_path(self) -> str:
        """Where the series are: a bundled name, or a path as the checkpoint's folder sees it."""
        bundled = {str(path.resolve()): name for name, path in SAMPLES.items()}
        return bundled.get(self.spec.data.path) or portable_path(self.spec.data.path, self.folder)

    def _hyper(self) -> dict[str, object]:
        """The hyperparameters; a folder that one names by its last name."""
        return {k: file_name(v) if isinstance(v, str) else v for k, v in self.standing.hyper.items()}

    def _score_table(self) -> list[str]:
        """A row a metric, validation before test; the initial model, the baselines and the checkpoint side by side."""
        board = self.leaderboard
        heads = ["", board.initial_name, *(b.name for b in board.baselines), "this checkpoint"]
        of_all = [board.initial, *(b.scores for b in board.baselines), self.validation]
        validation = [scores.to_row() for scores in of_all]
        names = [board.initial_name, *(b.name for b in board.baselines), self.standing.trial_id]
        test = [self._test_row(name) or {} for name in names]
        return [
            f"|{'|'.join(f' {head} ' if head else ' ' for head in heads)}|",
            "|---" * len(heads) + "|",
            *(_score_row(name, validation) for name in validation[-1]),
            *(_score_row(name, test) for name in test[-1]),
        ]

    def _test_row(self, name: str) -> dict[str, float | None] | None:
        scores = self.leaderboard.test.get(name)
        return None if scores is None else row_on_test(scores)


def _plain(initial: Scores) -> dict[str, float | None]:
    return {name: initial[name] for name in MEASURES}


def _score_row(name: str, scores: Sequence[Mapping[str, object]]) -> str:
    return " | ".join([f"| {name}", *(number(row.get(name)) for row in scores)]) + " |"
