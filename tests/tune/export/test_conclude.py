"""The specification of tune/export/conclude.py and blends.py: what a finished search is worth, and what is exported."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from tests.tune.export.searched import TOY, board_of, models_of
from trainables.trial.report import METRICS
from tune.export.blends import Blends
from tune.export.conclude import conclude, initial_standing
from tune.export.export import export_trial
from tune.export.trial_models import TrialModels
from tune.records.verdict import Decision, Verdict
from tune.registry import find_trainable
from tune.verdict.measured import baseline_errors, initial_errors, trial_errors, windows_file
from tune.verdict.sentences import answer_of

RATES = (1e-2, 3e-3, 1e-6)


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> TrialModels:
    return models_of(tmp_path_factory.mktemp("searched"), find_trainable(TOY), RATES, epochs=2)


@pytest.fixture
def models(searched: TrialModels, tmp_path: Path) -> TrialModels:
    """A copy that a test may damage."""
    path = tmp_path / "night1"
    shutil.copytree(searched.sweep.folder.path, path)
    folder = type(searched.sweep.folder)(path)
    copy = TrialModels(type(searched.sweep)(folder, searched.sweep.spec), searched.device)
    copy.model_class = searched.model_class
    return copy


# --- what every window says


def test_the_mean_of_the_shares_that_are_kept_is_the_score_on_record(searched: TrialModels) -> None:
    folder, board = searched.sweep.folder, board_of(searched)
    initial = initial_errors(folder, "val_loss")
    assert initial is not None
    kept = [(board.initial, initial), *((b.scores, baseline_errors(folder, b.name)) for b in board.baselines)]
    kept += [(standing.scores, trial_errors(folder, standing)) for standing in board.standings]
    assert len(kept) == 1 + 1 + 3
    for scores, errors in kept:
        assert errors is not None
        assert errors.is_of_same_windows(initial)
        for metric in METRICS:
            if scores[metric] is None:
                assert errors.of(metric) is None
                continue
            assert errors.score(metric) == pytest.approx(scores[metric], rel=1e-5)


def test_windows_lie_series_after_series_as_the_task_has_them(searched: TrialModels) -> None:
    errors = initial_errors(searched.sweep.folder, "val_loss")
    assert errors is not None
    assert np.array_equal(errors.series, searched.task.val.series)


def test_window_errors_that_are_lost_are_measured_again_and_are_the_same(models: TrialModels) -> None:
    board = board_of(models)
    best = board.best
    assert best is not None
    file = windows_file(models.sweep.folder, best)
    assert file is not None
    before = trial_errors(models.sweep.folder, best)
    file.write_bytes(b"junk")
    for path in models.sweep.folder.shared.initial.glob("*.safetensors"):
        path.unlink()
    verdict = conclude(models, board).decided
    after = trial_errors(models.sweep.folder, best)
    assert before is not None
    assert after is not None
    assert after.of("val_loss") == pytest.approx(before.of("val_loss"), rel=1e-5)
    assert verdict is not None
    assert verdict.trials_compared >= len(RATES)


# --- the verdict on record


def test_a_verdict_is_kept_and_holds_as_long_as_the_trials_are_those_it_was_about(models: TrialModels) -> None:
    decided = conclude(models, board_of(models)).decided
    assert decided is not None
    assert decided.decision in (Decision.USE, Decision.BLEND)
    board = board_of(models)
    assert board.decided == decided == Verdict.read(models.sweep.folder)
    row = board.to_dict()["verdict"]
    assert isinstance(row, dict)
    assert {"decision", "metric", "difference", "p_value", "windows", "blocks", "series_better", "series_worse"} <= set(
        row
    )
    json.dumps(board.to_dict(), allow_nan=False)
    shutil.rmtree(models.sweep.folder.trial("t0002").path)
    assert board_of(models).decided is None


def test_a_damaged_verdict_is_none_at_all(models: TrialModels) -> None:
    conclude(models, board_of(models))
    models.sweep.folder.verdict.write_text('{"decision": "perhaps"}')
    assert board_of(models).decided is None


def test_test_is_compared_by_the_metric(models: TrialModels) -> None:
    board = conclude(models, board_of(models))
    assert board.decided is not None
    on_test = board.decided.test
    assert on_test is not None
    assert on_test.agrees
    assert on_test.initial == pytest.approx(board.test["zero-shot"]["val_loss"], rel=1e-5)
    assert on_test.value == pytest.approx(board.test[str(board.decided.candidate)]["val_loss"], rel=1e-5)


def test_where_nothing_is_better_the_initial_model_itself_is_exported(tmp_path: Path) -> None:
    models = models_of(tmp_path / "night1", find_trainable(TOY), rates=(1e-9, 2e-9))
    board = conclude(models, board_of(models))
    assert board.decided is not None
    assert board.decided.decision is Decision.KEEP
    assert board.chosen is None
    start = initial_standing(board)
    assert start is not None
    folder = export_trial(models, board, start, models.sweep.folder.best)
    torch.manual_seed(0)
    weights = torch.nn.Linear(32, 8).state_dict()  # what the toy starts from
    assert all(torch.equal(load_file(folder / "model.safetensors")[name], weights[name]) for name in weights)
    assert "as it was: no trial of this sweep is better beyond chance" in (folder / "README.md").read_text()


# --- blends


def test_a_blend_is_the_average_of_the_weights_and_is_exported_as_one_checkpoint(models: TrialModels) -> None:
    board = conclude(models, board_of(models))
    names = [blend.trial_id for blend in board.blends]
    first = board.best
    assert first is not None
    assert {f"blend({first.trial_id}, α {share})" for share in (0.2, 0.4, 0.6, 0.8)} <= set(names)
    blend = board.find(f"blend({first.trial_id}, α 0.4)")
    assert blend is not None
    start = models.initial(first).model.module.state_dict()
    trained = models.trained(first).model.module.state_dict()
    folder = export_trial(models, board, blend, models.sweep.folder.path / "out")
    for name, tensor in load_file(folder / "model.safetensors").items():
        assert torch.allclose(tensor, start[name] + 0.4 * (trained[name] - start[name]), atol=1e-7)
    assert f"0.4 of trial {first.trial_id} and 0.6 of the initial model" in (folder / "README.md").read_text()


def test_blends_are_rows_of_the_leaderboard_and_not_measured_twice(
    models: TrialModels, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = conclude(models, board_of(models))
    again = board_of(models)
    assert [b.trial_id for b in again.blends] == [b.trial_id for b in board.blends]
    assert {"blends", "verdict"} <= set(again.to_dict())
    assert "blend(" in again.to_csv()
    monkeypatch.setattr(Blends, "model", None)  # to build one would fail
    made = Blends(models, again).make([])
    assert len(made) == 4


def test_a_soup_that_was_tried_and_is_no_better_leaves_nothing_behind(models: TrialModels) -> None:
    board = conclude(models, board_of(models))
    assert [b.trial_id for b in board_of(models).blends] == [b.trial_id for b in board.blends]
    stale = models.sweep.folder.blends / "t0001-500_t0002-500.json"
    stale.write_text("{}")
    conclude(models, board_of(models))
    assert not stale.exists()


def test_a_blend_of_trials_that_went_on_since_is_not_there(models: TrialModels) -> None:
    conclude(models, board_of(models))
    for path in models.sweep.folder.blends.glob("*.json"):
        row = json.loads(path.read_text())
        path.write_text(json.dumps({**row, "epochs": dict.fromkeys(row["epochs"], 99)}))
    assert board_of(models).blends == []


def test_without_a_start_that_can_forecast_there_are_none_and_it_is_said_why(models: TrialModels) -> None:
    board = board_of(models)
    untrained = type(board).of([], sweep="night1", metric="val_loss", sweep_is_running=False, initial_name="untrained")
    assert Blends(models, untrained).make([]) == []
    assert Blends(models, untrained).why_none() == (
        "No blends: the start is untrained, and an average with it has learned nothing."
    )
    assert Blends(models, board).why_none() is None


def test_an_untrained_start_has_a_verdict_of_trials_alone_and_says_why(tmp_path: Path) -> None:
    model = type("Untrained", (find_trainable(TOY),), {"initial_name": "untrained"})
    models = models_of(tmp_path / "night1", model, RATES, epochs=2)
    board = conclude(models, board_of(models))
    assert board.decided is not None
    assert (board.decided.decision, board.blends) == (Decision.USE, [])
    answer = answer_of(board)
    assert answer is not None
    assert "No blends: the start is untrained, and an average with it has learned nothing." in answer.further
