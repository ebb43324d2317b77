"""When a search ends before its trials do: on real runs of the toy, and on windows made up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.tune.export.searched import TOY, models_of
from tests.tune.reports import config, to_its_end
from tests.tune.verdict.windows import errors
from trainables.trial.window_errors import WindowErrors
from tune.leaderboard.standing import Standing
from tune.records.journal import Journal, read_records
from tune.records.search_time import Ending
from tune.records.spec import SweepSpec
from tune.records.sweep_folder import SweepFolder
from tune.records.trial_record import TrialRecord
from tune.registry import find_trainable
from tune.verdict import futility
from tune.verdict.futility import EarlyEnd, EarlyEndCallback, early_end, promised_gain

FOLDER = SweepFolder(Path("night1"))
RNG = np.random.default_rng(3)
BASE = 1 + 0.2 * RNG.normal(size=60)


def noise(size: float) -> NDArray[np.float64]:
    drawn = RNG.normal(size=60)
    return size * (drawn - drawn.mean())


@pytest.fixture
def search(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Ask about a search whose trials lost so much more than the initial model in the mean over 60 windows."""

    def ask(
        *losses: float, trials: int = 12, size: float = 0.01, ended: int | None = None, **settings: Any
    ) -> EarlyEnd | None:
        windows: dict[str, WindowErrors] = {}
        records = []
        for i, loss in enumerate(losses):
            trial_id, is_open = f"t{i:04}", ended is not None and i >= ended
            windows[trial_id] = errors(BASE + loss + noise(size))
            reports = to_its_end([float(BASE.mean()), float(BASE.mean()) + loss], None if is_open else "epochs")
            records.append(TrialRecord(config(trial_id, {}), tuple(reports)))

        def of(folder: SweepFolder, standing: Standing) -> WindowErrors:
            return windows[standing.trial_id]

        monkeypatch.setattr(futility, "initial_errors", lambda folder, metric: errors(BASE))
        monkeypatch.setattr(futility, "trial_errors", of)
        spec = SweepSpec.model_validate(
            {"name": "night1", "space": {}, "trainable": "moirai", "data": {"path": "a.csv"},
             "task": {"context_length": 64, "prediction_length": 16, "eval_stride": 16}, "trials": trials, **settings}
        )  # fmt: skip
        return early_end(FOLDER, spec, records)

    return ask


FAR = (0.5, 0.45, 0.55, 0.5, 0.52, 0.48)


def test_a_search_far_from_its_start_is_futile(search: Any) -> None:
    found = search(*FAR)
    assert found is not None
    assert found.ending is Ending.FUTILE
    assert found.text.startswith(
        "none of 6 trials comes near the initial model: the best, t0001, is 0.4500 worse by val_loss"
    )
    assert found.text.endswith("with 90 % confidence), and no better one is to be expected")


def test_it_is_not_before_six_trials_or_a_third_of_them_have_ended(search: Any) -> None:
    assert search(*FAR[:5]) is None
    assert search(*FAR, ended=5) is None
    assert search(*FAR, trials=24) is None
    assert search(*FAR, *FAR[:2], trials=24) is not None


def test_not_where_one_trial_was_better_or_the_best_is_within_noise(search: Any) -> None:
    assert search(*FAR[:5], -0.001) is None
    assert search(*FAR[:5], 0.01, size=0.5) is None


def test_not_where_the_trials_differ_so_much_that_a_better_one_may_come(search: Any) -> None:
    assert search(0.05, 0.5, 0.9, 0.3, 0.7, 0.6) is None


def test_not_where_it_is_not_asked_for_or_all_trials_have_ended(search: Any) -> None:
    assert search(*FAR, futility=False) is None
    assert search(*FAR, trials=6) is None


def test_what_the_best_of_the_rest_is_expected_to_gain() -> None:
    """By hand: the better half of the gains is -1, -2, -3; mean -2, deviation 1. The largest of 5 normal draws is
    expected at the quantile (5 - 0.375) / 5.25 = 0.881, which is 1.18 deviations (tables: 1.163)."""
    assert promised_gain([-1, -6, -2, -9, -3, -7], 5) == pytest.approx(-2 + 1.18, abs=0.01)
    assert promised_gain([-1, -6, -2, -9, -3, -7], 1) == pytest.approx(-2)
    assert promised_gain([-1, -1], 10) == -1


def test_flat_is_what_brings_nothing_in_its_last_third(search: Any) -> None:
    """Of 12 trials 10 have ended; the best of the first six is as good as any, but for noise."""
    early, late = (-0.2, -0.3, -0.1, -0.25, -0.2, -0.1), (-0.1, -0.3005, -0.2, -0.1)
    found = search(*early, *late, stop_when_flat=True, size=0.1)
    assert found == EarlyEnd(Ending.FLAT, "the last 4 trials brought nothing above noise over t0001")
    assert search(*early, *late, size=0.1) is None
    assert search(*early, -0.1, -0.5, -0.2, -0.1, stop_when_flat=True, size=0.1) is None
    assert search(*early, *late[:3], stop_when_flat=True, size=0.1) is None  # five before the last four are too few


def test_on_real_runs_whose_rates_are_all_too_high(tmp_path: Path) -> None:
    models = models_of(tmp_path / "night1", find_trainable(TOY), (1.0, 0.95, 0.9, 0.97, 0.92, 0.99))
    folder = models.sweep.folder
    records = read_records(folder)
    worst = [record.best("val_loss") for record in records]
    assert all(report is not None and (report.scores.val_loss or 0) > 1.2 for report in worst)
    spec = models.sweep.spec.model_copy(update={"trials": 10})
    found = early_end(folder, spec, records)
    assert found is not None
    assert found.ending is Ending.FUTILE
    callback = EarlyEndCallback(Journal(folder), spec)
    assert callback.found == found  # also when a sweep is resumed
    callback.found = None
    callback.trial_ended("t0005")
    assert callback.found == found
