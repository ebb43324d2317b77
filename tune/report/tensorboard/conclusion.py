"""What TensorBoard shows once a search has ended: the models beside the trials, test scores, forecasts, the verdict."""

from __future__ import annotations

import io
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from matplotlib.figure import Figure

from trainables.trial.report import MEASURES, Scores
from tune.leaderboard.leaderboard import Leaderboard
from tune.leaderboard.ranking import Line, leaderboard_lines
from tune.records.journal import Journal, read_records
from tune.records.scores_on_test import name_on_test
from tune.records.spec import SweepSpec
from tune.records.sweep_folder import SweepFolder
from tune.records.trial_record import TrialRecord
from tune.report.charts.forecast_examples import examples_figure, read_examples
from tune.report.tensorboard.callback import BEST, SUFFIX, SWEEP, TensorBoardCallback
from tune.report.tensorboard.hyperparameters import hyperparameter_columns, hyperparameter_values
from tune.report.tensorboard.messages import (
    EVENT_FILES,
    EventFile,
    curve_points,
    experiment,
    image,
    session_end,
    session_start,
    text,
)
from tune.report.tensorboard.runs import folder_name, step_of, trial_runs
from tune.report.tensorboard.summary import summary_texts

TEST, SKILL = "test/", "skill"
FIRST = ("val_mae", "val_mase", "val_wql")  # of HPARAMS' columns after the metric's: it shows five of them at once
SIZE, DOTS_AN_INCH = (6.4, 3.8), 150  # of a picture: TensorBoard shows it a third of a window wide


def write_conclusion(folder: SweepFolder, board: Leaderboard, spec: SweepSpec) -> None:
    """Write what is known beside the trials' curves; what an earlier conclusion wrote is replaced.

    The initial model, the baselines and the blends are runs and rows of HPARAMS; a trial's scores on the test part
    join its run. A trial's run that was never written is written, unless another process runs the sweep.
    """
    space, records = spec.search_space(), read_records(folder)
    if all(trial.status != "running" for trial in board.trials):
        TensorBoardCallback(Journal(folder), space).close()
    writing = _Writing(folder, board)
    _write_models(writing, records)
    _write_test_scores(writing, records)
    with writing.file(folder.tensorboard / SWEEP) as file:
        file.add(experiment(space.description, hyperparameter_columns(space), _metric_titles(board), time.time()))
        for tag, markdown in summary_texts(board, spec, records).items():
            file.add(text(tag, markdown))
        for tag, png, description in _pictures(folder):
            file.add(image(tag, png, description))
    writing.remove_old()


@dataclass
class _Writing:
    """The event files of one conclusion; those of an earlier one go when all of the new are there."""

    folder: SweepFolder
    board: Leaderboard
    new: set[Path] = field(default_factory=set)

    def file(self, run: Path) -> _ConclusionFile:
        return _ConclusionFile(run, self.new)

    def remove_old(self) -> None:
        runs = self.folder.tensorboard
        for path in (*runs.glob(f"*/{EVENT_FILES}{SUFFIX}"), *runs.glob(f"{SWEEP}/{EVENT_FILES}")):
            if path not in self.new:
                path.unlink(missing_ok=True)
        for run in runs.iterdir():
            if run.is_dir() and not any(run.iterdir()):  # of a blend that there is no more
                shutil.rmtree(run)


class _ConclusionFile:
    """`with` gives an event file in a run's folder, and closes it."""

    def __init__(self, run: Path, new: set[Path]) -> None:
        self._run, self._new, self._before = run, new, set(run.glob(EVENT_FILES))

    def __enter__(self) -> EventFile:
        self._file = EventFile(self._run, SUFFIX)
        return self._file

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._new |= set(self._run.glob(EVENT_FILES)) - self._before


def _write_models(writing: _Writing, records: Sequence[TrialRecord]) -> None:
    """Write the models that are no trials: their scores as level lines beside the trials' curves."""
    last = max((step_of(r, record.hyper) for record in records for r in record.reports), default=0)
    for line in leaderboard_lines(writing.board):
        values = line.scores.to_row()
        is_blend = line.standing is not None and bool(line.standing.parts)
        if not any(value is not None for value in values.values()) or (line.standing is not None and not is_blend):
            continue
        run = writing.folder.tensorboard / folder_name(line.name)
        with writing.file(run) as file:
            file.forget_from(0)
            file.add(session_start(hyperparameter_values(run.name, {}, {})))
            at_start = {} if is_blend else values
            best = {f"{BEST}{name}": value for name, value in values.items()}
            file.add(curve_points({**at_start, **best, **_of_end(writing.board, line.name)}))
            if last > 0 and not is_blend:
                file.add(curve_points(values), step=last)
            file.add(session_end(failed=False), step=last)


def _write_test_scores(writing: _Writing, records: Sequence[TrialRecord]) -> None:
    """Add to the trials' runs what is known of them since the search has ended, at the step of their best epoch."""
    runs = trial_runs(writing.folder)
    for record in records:
        standing = writing.board.find(record.trial_id)
        values = _of_end(writing.board, record.trial_id)
        best = record.best(writing.board.metric)
        if standing is None or not values or best is None or record.trial_id not in runs:
            continue
        with writing.file(runs[record.trial_id]) as file:
            file.add(curve_points(values), step=step_of(best, record.hyper))


def _of_end(board: Leaderboard, name: str) -> dict[str, float | None]:
    """Return a model's scores on the test part and its skill, by tag."""
    scores, skill = board.test.get(name, Scores()), {} if board.decided is None else board.decided.skill
    on_test = {_test_tag(each): value for each, value in scores.to_row().items() if value is not None}
    return {**on_test, SKILL: skill[name]} if name in skill else dict(on_test)


def _test_tag(name: str) -> str:
    return TEST + name_on_test(name).removeprefix("test_")


def _metric_titles(board: Leaderboard) -> Mapping[str, str]:
    """Title the columns: validation's best, test, skill, validation's last; each only where a model has it."""
    lines: list[Line] = leaderboard_lines(board)
    known = _measured([line.scores for line in lines])
    measured = sorted(known, key=lambda name: _place(name, board.metric))
    on_test = _measured(list(board.test.values()))
    titles = {f"{BEST}{name}": f"best {name}" for name in measured}
    titles |= {_test_tag(name): name_on_test(name) for name in on_test}
    titles |= {SKILL: SKILL} if board.decided is not None and board.decided.skill else {}
    return titles | {name: f"last {name}" for name in measured}


def _measured(scores: Sequence[Scores]) -> list[str]:
    known = {name: None for each in scores for name, value in each.to_row().items() if value is not None}
    return [name for name in MEASURES if name in known] + sorted(name for name in known if name not in MEASURES)


def _place(name: str, metric: str) -> int:
    """Return where a metric's column comes; those of one place stay in order."""
    return 0 if name == metric else 1 + FIRST.index(name) if name in FIRST else 1 + len(FIRST)


def _pictures(folder: SweepFolder) -> Iterator[tuple[str, bytes, str]]:
    """Draw the forecasts of the example windows: a tag, a PNG and what it shows, each."""
    for number, example in enumerate(read_examples(folder), start=1):
        models = " and ".join(example.forecasts)
        description = f"{example.title}: a window of the test part of {example.series}, forecast by {models}."
        yield f"forecasts/{number} {example.title}", _png(examples_figure([example])), description


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.set_size_inches(*SIZE)
    figure.savefig(buffer, format="png", dpi=DOTS_AN_INCH)
    return buffer.getvalue()
