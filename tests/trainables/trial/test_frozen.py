"""What is frozen is computed once a sweep, and changes no result."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from data.task.task import ForecastTask
from tests.trainables.trial.toy_trial import (
    CPU,
    Toy,
    assert_close,
    run,
    spec_in,
)
from trainables.errors import HyperError
from trainables.trial.trial import Trial


def test_frozen_features_are_computed_once_for_all_trials_that_share_them(task: ForecastTask, tmp_path: Path) -> None:
    options = {"freeze_body": True, "keep_features": True}
    run(Trial(Toy(), spec_in(tmp_path, "t0000", **options), task, CPU))
    assert Toy.feature_calls == 2  # all windows at once, of the training part and of validation
    run(Trial(Toy(), spec_in(tmp_path, "t0001", lr=0.02, **options), task, CPU))
    assert Toy.feature_calls == 2
    run(Trial(Toy(), spec_in(tmp_path, "t0002", start=1, **options), task, CPU))
    assert Toy.feature_calls == 4


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_frozen_features_give_the_same_result_as_computing_each_time(
    dropout: float, task: ForecastTask, tmp_path: Path
) -> None:
    options = {"freeze_body": True, "dropout": dropout}
    each_time = Trial(Toy(), spec_in(tmp_path / "a", **options), task, CPU)
    kept = Trial(Toy(), spec_in(tmp_path / "b", keep_features=True, **options), task, CPU)
    assert_close(run(kept), run(each_time), rel=1e-5)
    assert each_time.evaluate("test").scores.val_loss == pytest.approx(kept.evaluate("test").scores.val_loss, rel=1e-5)


def test_frozen_features_without_room_on_the_disk_are_computed_each_time(
    task: ForecastTask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {"freeze_body": True, "keep_features": True}
    expected = run(Trial(Toy(), spec_in(tmp_path / "roomy", **options), task, CPU))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=900))  # 20 * 6 * 4 bytes are over half
    found = run(Trial(Toy(), spec_in(tmp_path / "full", **options), task, CPU))
    assert_close(found, expected, rel=1e-5)
    assert not list((tmp_path / "full" / "shared").rglob("*.npy"))


def test_frozen_features_are_computed_in_pieces_that_fit_into_memory(task: ForecastTask, tmp_path: Path) -> None:
    options = {"freeze_body": True, "keep_features": True}
    expected = run(Trial(Toy(), spec_in(tmp_path / "roomy", **options), task, CPU))
    Toy.fits = 10
    found = Trial(Toy(), spec_in(tmp_path / "tight", **options), task, CPU)
    assert found.eval_batch.size == 8  # 256, 128, ..., 8
    assert_close(run(found), expected, rel=1e-4)


def test_frozen_features_of_one_window_that_do_not_fit_are_reported_with_the_remedy(
    task: ForecastTask, tmp_path: Path
) -> None:
    Toy.fits = 0
    with pytest.raises(HyperError, match="one window must fit into memory"):
        Trial(Toy(), spec_in(tmp_path, freeze_body=True, keep_features=True), task, CPU)
    assert not list((tmp_path / "shared").rglob("*.npy"))
