"""What is frozen is computed once a sweep, and changes no result."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from data.task.task import ForecastTask
from data.task.windows import Batch
from tests.trainables.trial.toy_trial import (
    CPU,
    Toy,
    assert_close,
    run,
    spec_in,
)
from trainables.base import FrozenPart
from trainables.device.memory import MicroBatch
from trainables.errors import HyperError
from trainables.trial import frozen
from trainables.trial.folders import SharedFolder
from trainables.trial.frozen import FrozenFeatures
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


# --- a pass that is interrupted


class KilledError(Exception):
    """The worker was killed."""


def obtained(
    task: ForecastTask, folder: Path, calls: list[int], *, dies_at: int | None = None, tokens: bool = False
) -> np.ndarray:
    """The features of the 76 training windows, 16 at once: window i has i three times, or as tokens i + 1 times."""

    def compute(batch: Batch) -> torch.Tensor:
        if int(batch.ids[0]) == dies_at:
            raise KilledError
        calls.append(int(batch.ids[0]))
        if not tokens:
            return batch.ids[:, None].float().repeat(1, 3)
        steps = torch.arange(int(batch.ids.max()) + 1)[None]
        return torch.where(steps <= batch.ids[:, None], batch.ids[:, None], -1)

    features = FrozenFeatures.obtain(
        SharedFolder(folder),
        "key",
        FrozenPart("part", compute),
        nn.Linear(1, 1),
        task.gather("train"),
        micro_batch=MicroBatch(16),
        precision="fp32",
    )
    assert features is not None
    return features._values.numpy()


@pytest.fixture
def noted(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is done is written down after every block."""
    monkeypatch.setattr(frozen, "NOTED_SECONDS", -1.0)


@pytest.mark.parametrize("tokens", [False, True])
def test_a_pass_that_was_killed_goes_on_from_its_last_block(
    task: ForecastTask, tmp_path: Path, noted: None, tokens: bool
) -> None:
    calls: list[int] = []
    with pytest.raises(KilledError):
        obtained(task, tmp_path, calls, dies_at=48, tokens=tokens)
    found = obtained(task, tmp_path, calls, tokens=tokens)
    assert calls == [0, 16, 32, 48, 64]
    numbers = np.arange(76)[:, None]
    expected = np.where(np.arange(76) <= numbers, numbers, -1) if tokens else np.repeat(numbers, 3, axis=1)
    np.testing.assert_array_equal(found, expected)
    assert sorted(p.suffix for p in (tmp_path / "features").iterdir()) == [".lock", ".npy"]


def test_what_was_done_since_it_was_last_written_down_is_done_again(task: ForecastTask, tmp_path: Path) -> None:
    calls: list[int] = []
    with pytest.raises(KilledError):
        obtained(task, tmp_path, calls, dies_at=48)
    obtained(task, tmp_path, calls)
    assert calls == [0, 16, 32, 0, 16, 32, 48, 64]


@pytest.mark.parametrize("damage", ["note", "array", "other windows"])
def test_a_damaged_half_of_a_pass_is_begun_again(task: ForecastTask, tmp_path: Path, noted: None, damage: str) -> None:
    calls: list[int] = []
    with pytest.raises(KilledError):
        obtained(task, tmp_path, calls, dies_at=48)
    (note,) = (tmp_path / "features").glob("*.done")
    (array,) = (tmp_path / "features").glob("*.tmp")
    match damage:
        case "note":
            note.write_text('{"file": 7}')
        case "array":
            array.write_bytes(array.read_bytes()[:200])
        case _:
            np.lib.format.open_memmap(array, mode="w+", dtype=np.float32, shape=(75, 3)).flush()
    found = obtained(task, tmp_path, calls)
    assert calls == [0, 16, 32, 0, 16, 32, 48, 64]
    np.testing.assert_array_equal(found[:, 0], np.arange(76))
