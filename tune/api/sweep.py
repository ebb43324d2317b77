"""A sweep as a notebook sees it: its leaderboard and curves as frames, its verdict, its winner, its report."""

from __future__ import annotations

import html
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from tune.command_text import STORAGE
from tune.leaderboard.leaderboard import Leaderboard
from tune.records.journal import read_records
from tune.sweep import Sweep as SweepOnDisk
from tune.verdict.sentences import answer_of

if TYPE_CHECKING:
    from tune.api.forecaster import Forecaster

HEIGHT = 900  # of a report in a notebook, in pixels


@dataclass(frozen=True)
class Report:
    """A sweep's page; a notebook shows it."""

    path: Path

    def _repr_html_(self) -> str:
        page = html.escape(self.path.read_text(encoding="utf-8"), quote=True)
        return f'<iframe srcdoc="{page}" style="width: 100%; height: {HEIGHT}px; border: 0"></iframe>'


class Sweep:
    """A sweep of a storage folder, also one that runs, or was made by the command line.

    Raises SweepError if there is none of this name.
    """

    def __init__(self, name: str, storage: str | Path = STORAGE) -> None:
        self._sweep = SweepOnDisk.open(Path(storage), name)

    def __repr__(self) -> str:
        return f"Sweep({self.name!r}): {self.verdict}"

    @property
    def name(self) -> str:
        return self._sweep.spec.name

    @property
    def folder(self) -> Path:
        return self._sweep.folder.path

    @property
    def is_running(self) -> bool:
        """Whether a process of this machine is at it."""
        return self._sweep.is_running

    @property
    def unfinished_trials(self) -> int:
        return self._sweep.unfinished_trials()

    def leaderboard(self) -> pd.DataFrame:
        """A row a trial or blend, the best first, by its name; then the initial model and the baselines.

        Columns are those of leaderboard.csv: rank, status, the scores, gain, seconds, and every hyperparameter.
        """
        board = self._board()
        rows = [{**line.to_row(), **line.scores.extra, **line.hyper} for line in (*board.standings, *board.blends)]
        beside = [(board.initial_name, board.initial), *((b.name, b.scores) for b in board.baselines)]
        rows += [{"trial_id": name, "status": name, **scores.to_row()} for name, scores in beside]
        frame = pd.DataFrame(rows).set_index("trial_id")
        nested = ("config", "extra", "runs", "parts")
        return frame.drop(columns=[name for name in nested if name in frame.columns])

    def curves(self) -> pd.DataFrame:
        """A row an epoch of every trial, epoch 0 being the initial model; indexed by trial_id and epoch."""
        rows = [
            {"trial_id": record.trial_id, **report.to_row()}
            for record in read_records(self._sweep.folder)
            for report in record.reports
        ]
        if not rows:
            return pd.DataFrame(index=pd.MultiIndex.from_arrays([[], []], names=["trial_id", "epoch"]))
        return pd.DataFrame(rows).set_index(["trial_id", "epoch"])

    @property
    def verdict(self) -> str:
        """What to do, in a sentence: use a trial or a blend, or keep the initial model."""
        board = self._board()
        answer = answer_of(board)
        return board.verdict if answer is None else f"{answer.lead}: {answer.text}"

    @property
    def best(self) -> Path | None:
        """The folder of the checkpoint that the verdict chose; None before the search has ended."""
        folder = self._sweep.folder.best
        return folder if folder.is_dir() else None

    def forecaster(self) -> Forecaster:
        """Load the checkpoint that the verdict chose; SweepError before the search has ended."""
        from tune.api.forecaster import load_forecaster
        from tune.records.spec import SweepError

        if self.best is None:
            raise SweepError(f"{self.name} has no checkpoint yet; let it end, or use: foretune finish {self.name}")
        return load_forecaster(self.best)

    def report(self) -> Report:
        """Write the report of what is on record, and return it; the last expression of a cell shows it."""
        from tune.export.summary import write_page

        write_page(self._sweep, self._board())
        return Report(self._sweep.folder.report)

    def resume(self, *, show: bool = True, **options: object) -> Sweep:
        """Go on where it was stopped. options: as of `foretune resume`, such as trials=30."""
        from tune.api.search import run_command

        run_command(["resume", self.name], self.name, self.folder.parent, options, show=show)
        return Sweep(self.name, self.folder.parent)

    def _repr_html_(self) -> str:
        return f"<p><b>{html.escape(self.name)}</b>: {html.escape(self.verdict)}</p>{self.leaderboard().to_html()}"

    def _board(self) -> Leaderboard:
        return self._sweep.leaderboard()
