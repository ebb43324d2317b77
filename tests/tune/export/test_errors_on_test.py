"""Where the errors on the test part are, against errors added up by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.tune.export.searched import TOY, board_of, models_of
from tune.export.errors_on_test import _extremes, errors_of
from tune.records.scores_on_test import ErrorsOnTest
from tune.records.sweep_folder import SweepFolder
from tune.records.verdict import Decision, Verdict
from tune.registry import find_trainable


def test_they_are_of_the_initial_model_and_the_candidate_by_step_and_by_series(tmp_path: Path) -> None:
    models = models_of(tmp_path / "searched", find_trainable(TOY), (1e-2, 1e-6), epochs=2)
    best = board_of(models).best
    assert best is not None
    trained, initial = models.trained(best), models.initial(best)
    evaluations = {"untrained": initial.measure("test"), best.trial_id: trained.measure("test")}
    verdict = Verdict(Decision.USE, "val_loss", 0.9, candidate=best.trial_id)
    found = errors_of(models.task, "untrained", verdict, evaluations)
    assert list(found.by_step) == list(found.by_series) == ["untrained", best.trial_id]
    task = models.task
    batch = task.gather("test", torch.device("cpu")).batch(torch.arange(len(task.test.series)))
    with torch.no_grad():
        error = (trained.model.forecast(batch).point - batch.target).abs().double()
    np.testing.assert_allclose(found.by_step[best.trial_id], error.nanmean(dim=0), rtol=1e-4)
    assert set(found.series) <= set(task.panel.ids)
    last = [value for value in found.by_series[best.trial_id] if value is not None]
    assert last == sorted(last, reverse=True)
    folder = SweepFolder(tmp_path)
    found.write(folder)
    assert ErrorsOnTest.read(folder) == found


def test_of_many_series_the_six_worst_and_the_six_best_are_kept() -> None:
    errors = np.array([*np.arange(20.0), np.nan])
    assert _extremes(errors) == ([19, 18, 17, 16, 15, 14], [5, 4, 3, 2, 1, 0])
    assert _extremes(np.array([1.0, 3.0, 2.0])) == ([1, 2, 0], [])


UNEQUAL = '{"step_measure": "MAE", "by_step": {"a": [1], "b": [1, 2]}}'


@pytest.mark.parametrize("text", ["{", "[]", "{}", UNEQUAL, '{"step_measure": "MAE", "by_step": {}}'])
def test_a_damaged_file_is_none(tmp_path: Path, text: str) -> None:
    folder = SweepFolder(tmp_path)
    assert ErrorsOnTest.read(folder) is None
    folder.errors_on_test.write_text(text)
    assert ErrorsOnTest.read(folder) is None
