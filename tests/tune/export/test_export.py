"""What goes with a checkpoint and what is scored after the search, of a toy sweep trained without Ray."""

from __future__ import annotations

import json
import os
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch

from data.samples.bundled import SAMPLES
from data.task.task import ForecastTask
from tests.tune.export.searched import TOY, board_of, models_of
from trainables.trial.report import Scores
from tune.export.conclude import conclude
from tune.export.export import export_trial
from tune.export.model_card import ModelCard
from tune.export.trial_models import TrialModels
from tune.records.scores_on_test import row_on_test
from tune.registry import find_trainable
from tune.sweep import Sweep


class Untrained(find_trainable(TOY)):  # type: ignore[misc]
    """Its initial model has learned nothing; one of its baselines needs what is kept of the validation part alone."""

    initial_name = "untrained"
    kept: ClassVar[bool] = True

    def baselines(self, hyper: Any, task: ForecastTask) -> dict[str, Any]:
        def zero(batch: Any) -> torch.Tensor:
            return torch.zeros(len(batch.context), task.prediction_length)

        def zero_where_kept(batch: Any) -> torch.Tensor:
            if not self.kept:
                raise NotImplementedError
            return zero(batch)

        return {"zero": zero, "zero-where-kept": zero_where_kept}


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory: pytest.TempPathFactory) -> TrialModels:
    return models_of(tmp_path_factory.mktemp("night1"), find_trainable(TOY))


def test_baselines_are_scored_on_the_test_part_beside_zero_shot(pretrained: TrialModels) -> None:
    scores = conclude(pretrained, board_of(pretrained)).test
    assert list(scores)[:3] == ["zero-shot", "seasonal-naive", "t0000"]  # then the blend that is used, if one is
    errors = []
    for batch in pretrained.task.gather("test").batches(64):
        last_day = batch.context[:, 8:][:, :8]  # the first 8 rows of the last 24: what was a day before the target
        errors.append((last_day - batch.target)[~batch.target.isnan() & ~last_day.isnan()].abs())
    assert scores["seasonal-naive"].val_loss is None  # the toy gives no loss to a forecast that is not its own
    assert scores["seasonal-naive"].val_mae == pytest.approx(float(torch.cat(errors).mean()), rel=1e-2)
    assert board_of(pretrained).test == scores


def test_an_export_tells_of_the_baselines(pretrained: TrialModels) -> None:
    conclude(pretrained, board_of(pretrained))
    board = board_of(pretrained)
    best = board.best
    assert best is not None
    folder = export_trial(pretrained, board, best, pretrained.sweep.folder.best)
    facts = json.loads((folder / "foretune.json").read_text())
    (baseline,) = board.baselines
    assert facts["baselines"] == [
        {"name": "seasonal-naive", **baseline.scores.to_row(), "test": row_on_test(board.test["seasonal-naive"])}
    ]
    card = (folder / "README.md").read_text()
    assert "| | zero-shot | seasonal-naive | this checkpoint |\n|---|---|---|---|\n| val_loss | " in card
    assert all(line.count("|") == 5 for line in card.splitlines() if line.startswith("|"))
    assert "Fine-tuned by foretune from" in card


def test_a_start_that_was_not_pretrained_is_called_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    models = models_of(tmp_path, Untrained)
    monkeypatch.setattr(Untrained, "kept", False)
    assert list(conclude(models, board_of(models)).test) == ["untrained", "zero", "t0000"]
    board = board_of(models)
    best = board.best
    assert best is not None
    folder = export_trial(models, board, best, tmp_path / "best")
    facts = json.loads((folder / "foretune.json").read_text())
    assert (facts["initial_name"], facts["initial"]) == ("untrained", board.initial.to_row())
    assert facts["initial_test"] == row_on_test(board.test["untrained"])
    card = (folder / "README.md").read_text()
    assert "| | untrained | zero | zero-where-kept | this checkpoint |" in card
    assert "Trained by foretune from" in card
    assert "zero-shot" not in card


def test_no_file_of_an_export_names_another_folder_or_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home" / "ada"
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("LOGNAME", "ada")
    models = models_of(home / "ray_results" / "night", find_trainable(TOY))
    sweep = models.sweep
    data = sweep.spec.data.model_copy(update={"path": str(home / "traffic.csv")})
    models.sweep = Sweep(sweep.folder, sweep.spec.model_copy(update={"data": data}))
    board = board_of(models)
    assert board.best is not None
    hyper = {**board.best.hyper, "pretrained": str(home / "models" / "start")}
    folder = export_trial(models, board, replace(board.best, hyper=board.best.hyper), sweep.folder.best)
    facts = json.loads((folder / "foretune.json").read_text())
    assert facts["data"]["path"] == "../../../traffic.csv"
    assert facts["trainable"] == "toy_model.py:Toy"
    card = ModelCard(models.sweep.spec, models.task, replace(board.best, hyper=hyper), board, Scores(), [], folder)
    assert card.to_row()["hyperparameters"] == {**board.best.hyper, "pretrained": "start"}
    for text in ((folder / "foretune.json").read_text(), (folder / "README.md").read_text(), card.to_markdown()):
        assert str(tmp_path) not in text
        assert "ada" not in text
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o666 & ~_umask()}


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_series_that_come_with_foretune_are_named_and_found_anywhere(pretrained: TrialModels, tmp_path: Path) -> None:
    sweep = pretrained.sweep
    data = sweep.spec.data.model_copy(update={"path": str(SAMPLES["sample"].resolve())})
    board = board_of(pretrained)
    assert board.best is not None
    spec = sweep.spec.model_copy(update={"data": data})
    card = ModelCard(spec, pretrained.task, board.best, board, Scores(), [], tmp_path)
    assert card.to_row()["data"]["path"] == "sample"  # type: ignore[index]
