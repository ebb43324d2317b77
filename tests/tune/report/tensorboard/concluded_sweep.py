"""A sweep whose search has ended, written by hand: three trials, a baseline, test scores, forecasts and a verdict."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

from tests.tune.ranked_sweep import add_baseline
from tests.tune.report.written_sweep import HYPER, ZERO_SHOT, make_spec, read_board
from tests.tune.reports import to_its_end, write_trial
from trainables.trial.report import Scores
from tune.leaderboard.leaderboard import Leaderboard
from tune.records.scores_on_test import write_test_scores
from tune.records.sweep_folder import SweepFolder
from tune.records.verdict import Decision, Interval, Verdict
from tune.report.charts.forecast_examples import Drawn, Example, write_examples
from tune.report.tensorboard.conclusion import write_conclusion
from tune.report.tensorboard.messages import EVENT_FILES

TRIALS = (
    ("t0000", [ZERO_SHOT, 0.46, 0.45, 0.47], {"strategy": "freeze_ffn", "lr": 1e-5}),
    ("t0001", [ZERO_SHOT, 0.42, 0.40, 0.41], {}),
    ("t0002", [ZERO_SHOT, 0.55, 0.56], {"strategy": "full", "lr": 1e-4}),
)
TEST_LOSS = {"zero-shot": 0.625, "seasonal-naive": None, "t0001": 0.5625}
SKILL = {"zero-shot": -0.25, "t0001": 0.125, "seasonal-naive": 0.0}


def write_end(folder: Path) -> Leaderboard:
    """Write the sweep; t0001 is to be used."""
    for trial_id, losses, changed in TRIALS:
        reports = [replace(each, best_epoch=_best(losses, int(each.epoch))) for each in to_its_end(losses)]
        write_trial(folder, trial_id, {**HYPER, **changed}, reports)
    add_baseline(folder, "seasonal-naive", None)
    scores = {name: Scores(val_loss=loss, val_mae=0.375) for name, loss in TEST_LOSS.items()}
    write_test_scores(SweepFolder(folder), scores)
    drawn = {"zero-shot": Drawn([1.0, 2.0]), "t0001": Drawn([2.0, 3.0], [1.0, 2.0], [3.0, 4.0])}
    write_examples(SweepFolder(folder), [Example("typical", "meter 7", [0, 1, 2, 3], [1.0, None], [2.5, 3.5], drawn)])
    verdict = Verdict(
        Decision.USE,
        "val_loss",
        0.9,
        candidate="t0001",
        best="t0001",
        value=0.4,
        initial=0.5,
        difference=Interval(0.1, 0.05, 0.15),
        skill=SKILL,
        confidence_set=("t0001",),
    )
    return replace(read_board(folder), decided=verdict)


def _best(losses: list[float], epoch: int) -> int | None:
    """The epoch after 0 that is the best until this one."""
    return min(range(1, epoch + 1), key=losses.__getitem__, default=None)


def conclude(folder: Path) -> Leaderboard:
    """Write the sweep and what TensorBoard shows of it."""
    board = write_end(folder)
    write_conclusion(SweepFolder(folder), board, make_spec())
    return board


def text_of(folder: Path, tag: str) -> str:
    """A text of the sweep's run."""
    for path in (folder / "tensorboard" / "sweep").glob(EVENT_FILES):
        for event in EventFileLoader(str(path)).Load():
            for value in event.summary.value:
                if value.tag == tag:
                    return value.tensor.string_val[0].decode()
    raise AssertionError(f"no text {tag}")


def points(folder: Path, run: str) -> Iterator[tuple[str, int]]:
    """The tags and steps that TensorBoard's own reader finds in a run, in the order of its files."""
    for path in sorted((folder / "tensorboard" / run).glob(EVENT_FILES)):
        for event in EventFileLoader(str(path)).Load():
            yield from ((value.tag, event.step) for value in event.summary.value)
