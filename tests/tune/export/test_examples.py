"""Windows of the test part that a report draws: which ones, and that they are what the models say of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.tune.export.searched import TOY, board_of, models_of
from tune.export.conclude import conclude
from tune.export.examples import choose_windows, make_examples
from tune.export.trial_models import TrialModels
from tune.records.sweep_folder import SweepFolder
from tune.registry import find_trainable
from tune.report.charts.forecast_examples import Drawn, Example, examples_figure, read_examples, write_examples


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> TrialModels:
    return models_of(tmp_path_factory.mktemp("searched"), find_trainable(TOY), (1e-2, 1e-6), epochs=2)


def test_windows_are_those_of_the_lowest_the_middle_and_the_highest_error() -> None:
    errors = np.array([3.0, np.nan, 1.0, 5.0, 2.0, 4.0])
    assert choose_windows(errors) == {"lowest error": 2, "typical": 0, "highest error": 3}
    assert choose_windows(np.array([7.0])) == {"lowest error": 0}
    assert choose_windows(np.array([7.0, 1.0])) == {"lowest error": 1, "typical": 0}
    assert choose_windows(np.array([np.nan])) == {}


def test_an_example_is_the_windows_own_rows_and_each_models_forecast_of_them(models: TrialModels) -> None:
    board = board_of(models)
    best = board.best
    assert best is not None
    trained, initial = models.trained(best), models.initial(best)
    evaluation = trained.measure("test")
    examples = make_examples({"untrained": initial, best.trial_id: trained}, evaluation)
    errors = evaluation.windows.of("val_mae")
    assert errors is not None
    chosen = choose_windows(errors)
    assert [example.title for example in examples] == list(chosen)
    for example, number in zip(examples, chosen.values(), strict=True):
        index, panel, task = models.task.test, models.task.panel, models.task
        i, start = int(index.series[number]), int(index.starts[number])
        assert example.series == panel.ids[i]
        rows = panel.values[start : start + 40]  # a context of 32, a forecast of 8
        np.testing.assert_allclose(_values(example.actual), rows[32:], rtol=1e-6)
        np.testing.assert_allclose(_values(example.history), rows[16:32], rtol=1e-6)
        assert len(example.times) == 16 + 8
        scaled = (torch.from_numpy(rows[:32].copy()) - task.mean[i]) / task.std[i]
        with torch.no_grad():
            expected = trained.model.module(scaled[None].float())[0] * task.std[i] + task.mean[i]
        np.testing.assert_allclose(_values(example.forecasts[best.trial_id].point), expected, rtol=1e-4, atol=1e-3)
        assert list(example.forecasts) == ["untrained", best.trial_id]


def _values(numbers: object) -> np.ndarray:
    return np.array([np.nan if number is None else number for number in numbers], dtype=float)  # type: ignore[attr-defined]


def test_a_conclusion_leaves_the_examples_of_its_candidate(models: TrialModels) -> None:
    board = conclude(models, board_of(models))
    assert board.decided is not None
    examples = read_examples(models.sweep.folder)
    assert len(examples) == 3
    assert all(list(e.forecasts) == [board.initial_name, board.decided.candidate] for e in examples)


WHOLE = (
    '{"examples": [{"title": "t", "series": "s", "times": [7, 8], "history": [1], "actual": [null], '
    '"forecasts": {"b": {"point": [2]}}}]}'
)


def test_examples_are_read_as_they_were_written(tmp_path: Path) -> None:
    folder = SweepFolder(tmp_path)
    folder.examples.write_text(WHOLE)
    assert read_examples(folder) == [Example("t", "s", [7, 8], [1.0], [None], {"b": Drawn([2.0])})]


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        '{"examples": 3}',
        '{"examples": [{"title": 1}]}',
        '{"examples": [null]}',
        WHOLE.replace("[7, 8]", "[7]"),
        WHOLE.replace("[7, 8]", '["7", "x"]'),
        WHOLE.replace('"point": [2]', '"point": [2, 3]'),
        WHOLE.replace('"point": [2]', '"point": 2'),
        WHOLE.replace('{"b": {"point": [2]}}', "{}"),
    ],
)
def test_damaged_examples_are_none(models: TrialModels, content: str) -> None:
    models.sweep.folder.examples.write_text(content)
    assert read_examples(models.sweep.folder) == []


def test_a_figure_has_a_panel_a_window_and_no_band_of_a_point_forecaster(models: TrialModels, tmp_path: Path) -> None:
    times = [f"2024-01-0{day} 00:00:00" for day in range(1, 5)]
    with_band = Drawn([3.0, None], [2.0, None], [4.0, None])
    example = Example(
        "typical", "a$b", times, [1.0, None], [3.5, 3.5], {"zero-shot": Drawn([2, 2]), "t0000": with_band}
    )
    plain = Example("lowest error", "c", [0, 1, 2], [1.0], [1.0, 2.0], {"zero-shot": Drawn([2, 2])})
    write_examples(models.sweep.folder, [example, plain])
    found = read_examples(models.sweep.folder)
    assert found == [example, plain]
    figure = examples_figure(found)
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["typical: a$b", "lowest error: c"]
    assert [len(ax.collections) for ax in figure.axes] == [1, 0]
    figure.savefig(tmp_path / "examples.png")
