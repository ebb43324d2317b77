"""The specification of tune/comparing.py: sweeps over the same windows, and what is rejected because they are not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.paths import TOYS
from tests.tune.export.searched import board_of, models_of
from trainables.trial.folders import WINDOWS_FILE
from tune.comparing import compare_sweeps
from tune.export.conclude import conclude
from tune.export.trial_models import TrialModels
from tune.records.spec import SweepError
from tune.registry import find_trainable
from tune.sweep import Sweep

TOY = f"{TOYS / 'toy_model.py'}:Toy"


def finished(path: Path, rates: tuple[float, ...]) -> TrialModels:
    models = models_of(path, find_trainable(TOY), rates, epochs=2)
    conclude(models, board_of(models))
    return models


@pytest.fixture(scope="module")
def sweeps(tmp_path_factory: pytest.TempPathFactory) -> list[Sweep]:
    """A search that learned, and one that could not."""
    folder = tmp_path_factory.mktemp("storage")
    return [finished(folder / "slow", (1e-9,)).sweep, finished(folder / "fast", (1e-2, 3e-3)).sweep]


def changed(sweep: Sweep, **task: Any) -> Sweep:
    return Sweep(sweep.folder, sweep.spec.model_copy(update={"task": sweep.spec.task.model_copy(update=task)}))


@pytest.mark.parametrize("metric", ["val_mase", "val_wql", "val_mae"])
def test_sweeps_are_ranked_by_what_each_would_use(sweeps: list[Sweep], metric: str) -> None:
    found = compare_sweeps(sweeps, metric)
    assert [entry.sweep for entry in found.entries] == ["fast", "slow"]
    fast, slow = found.entries
    boards = {sweep.spec.name: sweep.leaderboard() for sweep in sweeps}
    chosen = boards["fast"].chosen
    assert chosen is not None
    assert (fast.used, fast.verdict) == (chosen.trial_id, "beats zero-shot")
    assert fast.value == pytest.approx(chosen.scores[metric], rel=1e-5)
    assert fast.test == pytest.approx(boards["fast"].test[chosen.trial_id][metric])
    assert (slow.used, slow.verdict) == ("zero-shot", "keep zero-shot")
    assert slow.value == pytest.approx(slow.initial, rel=1e-5) == pytest.approx(boards["slow"].initial[metric])
    assert (fast.in_top_set, slow.in_top_set) == (True, False)
    assert (fast.trials, slow.trials) == (2, 1)


def test_what_differs_is_said_once(sweeps: list[Sweep]) -> None:
    slow, fast = sweeps
    with pytest.raises(SweepError, match=r"^slow and fast differ in --eval-stride \(64 and 32\); their figures do not"):
        compare_sweeps([slow, changed(fast, eval_stride=32)], "val_mase")
    with pytest.raises(SweepError, match=r"--scale \(standard and none\).*val_mase and val_wql compare all the same"):
        compare_sweeps([slow, changed(fast, scale="none")], "val_mae")
    assert len(compare_sweeps([slow, changed(fast, scale="none")], "val_mase").entries) == 2
    data = fast.spec.data.model_copy(update={"content_hash": "other", "path": "other.csv"})
    other = Sweep(fast.folder, fast.spec.model_copy(update={"data": data}))
    with pytest.raises(SweepError, match=r"of different series \(sample.csv and other.csv\)"):
        compare_sweeps([slow, other], "val_mase")


def test_only_measures_that_compare_models_are_taken(sweeps: list[Sweep]) -> None:
    with pytest.raises(SweepError, match="--metric must be val_mase, val_wql or val_mae, got 'val_loss'"):
        compare_sweeps(sweeps, "val_loss")


def test_one_sweep_alone_or_twice_is_no_comparison(sweeps: list[Sweep]) -> None:
    with pytest.raises(SweepError, match="two sweeps or more"):
        compare_sweeps(sweeps[:1], "val_mase")
    with pytest.raises(SweepError, match="slow twice"):
        compare_sweeps([sweeps[0], sweeps[0]], "val_mase")


def test_a_sweep_without_windows_says_how_to_get_them(tmp_path: Path, sweeps: list[Sweep]) -> None:
    models = models_of(tmp_path / "old", find_trainable(TOY), (1e-2,))
    for file in models.sweep.folder.path.rglob(WINDOWS_FILE):
        file.unlink()
    with pytest.raises(
        SweepError, match=r"old has no val_mase of its windows yet; foretune finish old --storage \S+ measures"
    ):
        compare_sweeps([sweeps[0], models.sweep], "val_mase")
