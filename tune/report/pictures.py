"""The pictures of a sweep: which there are, what they show in words, and their files for papers."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import matplotlib

from data.files import replace_bytes
from tune.format import score_text, short_number
from tune.leaderboard.leaderboard import Leaderboard
from tune.leaderboard.standing import Standing
from tune.records.journal import read_records
from tune.records.scores_on_test import ErrorsOnTest
from tune.records.sweep_folder import SweepFolder
from tune.records.timeline import Span, read_timeline
from tune.records.trial_record import TrialRecord, of_search
from tune.report.charts.forecast_examples import examples_figure, read_examples
from tune.report.charts.horizon import horizon_errors, series_errors
from tune.report.charts.hyperparameter_plots import effects_shown, hyperparameter_effects
from tune.report.charts.importances import Importances, importance_bars
from tune.report.charts.learning_curves import validation_curves
from tune.report.charts.learning_rates import has_learning_rates, learning_rates
from tune.report.charts.parallel_coordinates import Parallel, parallel_coordinates
from tune.report.charts.plot_style import PAPER, Picture
from tune.report.charts.search_history import LEAST_TRIALS, search_history
from tune.report.charts.sweep_timeline import Lanes, sweep_timeline
from tune.report.sentences import ending_of, verdict_of

PNG_DPI = 300


@dataclass(frozen=True)
class Shown:
    """What pictures are drawn of: a sweep's folder and what was read from it."""

    folder: SweepFolder
    board: Leaderboard
    records: Sequence[TrialRecord]
    importances: Importances
    timeline: Sequence[Span]

    @classmethod
    def of(cls, folder: SweepFolder, board: Leaderboard, importances: Importances | None = None) -> Shown:
        """Read what the leaderboard does not hold. importances: none where they were not measured."""
        return cls(folder, board, read_records(folder), importances or Importances(0), read_timeline(folder.timeline))

    def pictures(self) -> dict[str, Picture]:
        """Return all pictures that there is something to draw for, by name, in the order of the page."""
        found = [self._curves(), *self._search(), *self._hyperparameters(), *self._test(), *self._time()]
        return {picture.name: picture for picture in found}

    def _curves(self) -> Picture:
        alt = f"Line chart of {self.board.metric} over epochs, a line a trial. {verdict_of(self.board).text}"
        draw = partial(validation_curves, list(self.records), self.board)
        return Picture("curve", alt, draw, self._titles)

    def _search(self) -> list[Picture]:
        searched = of_search(self.records)
        tried = [record for record in searched if record.best(self.board.metric) is not None]
        if len(tried) < LEAST_TRIALS:
            return []
        best = min(tried, key=lambda record: _value(record, self.board.metric))
        place = [record.trial_id for record in searched].index(best.trial_id) + 1
        alt = (
            f"Scatter plot of each trial's best {self.board.metric} in order of start, with the best so far. The best, "
            f"{score_text(_value(best, self.board.metric))}, came with trial {place} of {len(searched)}."
        )
        draw = partial(search_history, self.records, self.board)
        return [Picture("history", alt, draw, self._titles)]

    def _hyperparameters(self) -> list[Picture]:
        board, pictures = self.board, []
        metric, titles = board.metric, self._titles
        if (parallel := Parallel.of(board)) is not None:
            names = ", ".join(axis.name for axis in parallel.axes)
            alt = (
                f"Parallel coordinates of {len(parallel.trials)} trials over {names}. The leaderboard has the numbers."
            )
            pictures.append(Picture("parallel", alt, partial(parallel_coordinates, parallel), titles))
        if self.importances.of:
            shares = ", ".join(f"{n} {i.share * 100:.0f} %" for n, i in self.importances.of.items())
            alt = f"Bar chart of how important each hyperparameter was: {shares}."
            pictures.append(Picture("importance", alt, partial(importance_bars, self.importances)))
        if has_learning_rates(board):
            alt = f"Scatter plots of each trial's best {metric} against its learning rate, lr, a panel a strategy."
            pictures.append(Picture("rate", alt, partial(learning_rates, board), titles))
        if names_shown := effects_shown(board):
            alt = f"Scatter plots of each trial's best {metric} against {', '.join(names_shown)}."
            alt += " The leaderboard has the numbers."
            pictures.append(Picture("effect", alt, partial(hyperparameter_effects, board), titles))
        return pictures

    def _test(self) -> list[Picture]:
        pictures = []
        errors = ErrorsOnTest.read(self.folder) if self.board.test else None
        if errors is not None:
            name, values = list(errors.by_step.items())[-1]
            known = [value for value in values if value is not None]
            span = (
                f", {score_text(known[0])} at the first step and {score_text(known[-1])} at the last" if known else ""
            )
            alt = f"Line chart of the error of {name} and the initial model by step of the horizon{span}."
            pictures.append(Picture("horizon", alt, partial(horizon_errors, errors)))
        if errors is not None and errors.series:
            alt = (
                f"Dot plot of {errors.series_measure} by series for {' and '.join(errors.by_series)}. Worst is "
                f"{errors.series[0]}, best {errors.series[-1]}."
            )
            pictures.append(Picture("series", alt, partial(series_errors, errors)))
        if examples := read_examples(self.folder):
            windows = "; ".join(f"{example.title}: {example.series}" for example in examples)
            alt = f"Line charts of forecasts beside what came, a window each. {windows}."
            pictures.append(Picture("example", alt, partial(examples_figure, examples)))
        return pictures

    def _time(self) -> list[Picture]:
        lanes = Lanes.of(self.timeline)
        if not any(bar.trial_id for bar in lanes.bars):
            return []
        alt = "Time line of the sweep: a bar a trial, from its start to its end."
        draw = partial(sweep_timeline, lanes, self.records, self.board)
        return [Picture("timeline", alt, draw, self._titles)]

    @cached_property
    def _titles(self) -> dict[str, str]:
        return {trial.trial_id: _title(trial, self.board.metric) for trial in self.board.trials}


# What the files of pictures are called.
FILES = {
    "curve": "learning-curves",
    "history": "search-history",
    "parallel": "parallel-coordinates",
    "importance": "hyperparameter-importance",
    "rate": "learning-rate",
    "effect": "hyperparameters",
    "horizon": "error-by-step",
    "series": "error-by-series",
    "example": "forecasts",
    "timeline": "timeline",
}


def write_pictures(shown: Shown, folder: Path, format: str) -> list[Path]:
    """Write each picture at the width of a page of text, 7 inches, and return their files.

    format: png, of 300 dots an inch, or svg, whose words are text. The folder is made.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, picture in shown.pictures().items():
        path = folder / f"{FILES[name]}.{format}"
        content = io.BytesIO()
        with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
            metadata = {"Date": None} if format == "svg" else None
            picture.draw(PAPER).savefig(content, format=format, dpi=PNG_DPI, metadata=metadata)
        replace_bytes(path, content.getvalue())
        written.append(path)
    return written


def trials_drawn(markup: str) -> set[str]:
    """Return the trials that have a group of their own in a picture's markup."""
    return set(re.findall(r' data-trial="([^"]*)"', markup))


def _value(record: TrialRecord, metric: str) -> float:
    best = record.best(metric)
    value = None if best is None else best.scores[metric]
    assert value is not None  # only of those that have one
    return value


def _title(standing: Standing, metric: str) -> str:
    hyper = standing.hyper
    parts = [standing.trial_id, str(hyper.get("strategy") or ""), f"lr {short_number(hyper.get('lr'))}"]
    parts.append(f"best {metric} {score_text(standing.scores[metric])}")
    return ", ".join([part for part in parts if part] + [ending_of(standing)])
