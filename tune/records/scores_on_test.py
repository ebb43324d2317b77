"""Scores on the test part, taken once after the search, beside the leaderboard."""

from __future__ import annotations

import json
from collections.abc import Mapping

from data.errors import DamagedFileError
from data.files import read_object, replace_text
from trainables.trial.report import Scores
from tune.records.sweep_folder import SweepFolder

TestScores = Mapping[str, Scores]  # by name: the initial model, the baselines, the best few trials

VALIDATION, TEST = "val_", "test_"


def name_on_test(name: str) -> str:
    """Return a score's name on the test part: test_loss for val_loss."""
    return TEST + name.removeprefix(VALIDATION)


def row_on_test(scores: Scores) -> dict[str, float | None]:
    """Return scores by name, as of the test part: test_loss, test_mae and so on."""
    return {name_on_test(name): value for name, value in scores.to_row().items()}


def rows_on_test(scores: TestScores) -> dict[str, dict[str, float | None]]:
    """Return the scores of all by name, as JSON holds them."""
    return {name: row_on_test(of_one) for name, of_one in scores.items()}


def write_test_scores(folder: SweepFolder, scores: TestScores) -> None:
    replace_text(folder.test_scores, json.dumps(rows_on_test(scores), indent=1))


def read_test_scores(folder: SweepFolder) -> TestScores:
    """Read what `write_test_scores` wrote; nothing where the search has not ended, or the file is damaged: `finish`
    writes it again."""
    try:
        return {
            name: Scores.of({VALIDATION + key.removeprefix(TEST): value for key, value in row.items()})
            for name, row in read_object(folder.test_scores, strict=False).items()
        }
    except (FileNotFoundError, DamagedFileError, AttributeError, TypeError):
        return {}
