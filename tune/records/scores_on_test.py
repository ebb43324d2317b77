"""Scores on the test part, taken once after the search, beside the leaderboard; and where the errors in them are."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

from pydantic import TypeAdapter

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


# --- where the errors are

Numbers = Sequence[float | None]  # None where nothing was observed


@dataclass(frozen=True)
class ErrorsOnTest:
    """Errors by model, the initial model's first and the winner's last.

    step_measure: what by_step holds, at each step of the horizon. series: those on which the winner is worst, the worst
    first, and then those on which it is best, the best last; all where they are few. series_measure: what by_series
    holds, for each of them. worst: the first part of series. left_out: how many are between.
    """

    step_measure: str
    by_step: Mapping[str, Numbers]
    series_measure: str = ""
    series: Sequence[str] = ()
    by_series: Mapping[str, Numbers] = field(default_factory=dict)
    worst: Sequence[str] = ()
    left_out: int = 0

    def write(self, folder: SweepFolder) -> None:
        replace_text(folder.errors_on_test, json.dumps(asdict(self)))

    @classmethod
    def read(cls, folder: SweepFolder) -> ErrorsOnTest | None:
        """Read what `write` wrote; None where the search has not ended, or the file is damaged: `finish` writes it."""
        try:
            found = TypeAdapter(cls).validate_python(read_object(folder.errors_on_test))
        except (FileNotFoundError, DamagedFileError, ValueError):
            return None
        return found if found._is_whole else None

    @property
    def _is_whole(self) -> bool:
        steps = {len(values) for values in self.by_step.values()}
        rows = {len(values) for values in self.by_series.values()}
        return len(steps) == 1 and 0 not in steps and rows <= {len(self.series)} and bool(rows) == bool(self.series)
