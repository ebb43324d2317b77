"""Trials ranked on validation beside the model they started from; the only reader of results."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from data.files import replace_text, safe_cell
from trainables.trial.report import DATA_MEASURES, MEASURES, METRICS, ZERO_SHOT, Scores
from tune.leaderboard.blends import read_blends
from tune.leaderboard.initial_model import InitialModel
from tune.leaderboard.standing import Standing
from tune.leaderboard.trials import rank_trials
from tune.records.baselines import Baseline, Pair, read_baselines, unbeaten_by
from tune.records.comparison import Comparison
from tune.records.journal import read_records
from tune.records.scores_on_test import TestScores, read_test_scores, rows_on_test
from tune.records.spec import Units
from tune.records.sweep_folder import SweepFolder
from tune.records.trial_record import TrialRecord, full_id
from tune.records.verdict import CONFIDENCE, Decision, Verdict

ALWAYS_SHOWN = ("val_loss", "val_mae", "val_mse")
SHOWN = (*ALWAYS_SHOWN, "val_mase", "val_wql")  # where they are known; the others are in the files
SCALED_ERRORS = ("val_mae", "val_mse")  # in whose place those in the units of the data are shown
UNDECIDED = "no trial has trained for an epoch yet"

_PLAIN_COLUMNS = (
    "rank",
    "trial_id",
    "status",
    "stopped_by",
    "best_epoch",
    "epochs_run",
    *MEASURES,
    "gain",
    "seconds",
    "peak_memory_bytes",
)


@dataclass(frozen=True)
class Leaderboard:
    """A sweep's trials in order, and what they are compared with.

    sweep: its name. metric: smaller is better. initial: the scores of the initial model, of the strongest one where
    there are several. baselines: what was measured beside the trials. initial_name: zero-shot or untrained.
    test: scores on the test part for the initial model, the baselines and the best few; empty until the search ended.
    damaged: why trials cannot be read, a sentence each.
    blends: averages of trials' weights, the best first.
    decided: the verdict; None while the trials on record are not those that it was about.
    units: whether MAE and MSE are shown in the scale of the task, or in the units of the data.
    comparison: what else the best trial's model is worth, a sentence by name, where its kind has something to say.

    >>> from trainables.trial.report import Report
    >>> from tune.records.trial_record import TrialConfig
    >>> reports = Report(0, Scores(val_loss=1.0)), Report(1, Scores(val_loss=0.75))
    >>> record = TrialRecord(TrialConfig("t0000", seed=0, hyper={"lr": 1e-5}), reports)
    >>> board = Leaderboard.of([record], sweep="night1", metric="val_loss", sweep_is_running=False)
    >>> board.verdict, board.best.trial_id, board.best.gain
    ('beats zero-shot', 't0000', 0.25)
    """

    sweep: str
    metric: str
    initial: Scores
    standings: Sequence[Standing]
    test: TestScores = field(default_factory=dict)
    mode: str = "min"
    baselines: Sequence[Baseline] = ()
    initial_name: str = ZERO_SHOT
    comparison: Mapping[str, str] = field(default_factory=dict)
    decided: Verdict | None = None
    blends: Sequence[Standing] = ()
    damaged: Sequence[str] = ()
    units: Units = "scaled"

    @classmethod
    def of(
        cls,
        records: Sequence[TrialRecord],
        *,
        sweep: str,
        metric: str,
        sweep_is_running: bool,
        initial_name: str = ZERO_SHOT,
        baselines: Sequence[Baseline] = (),
    ) -> Leaderboard:
        """Rank what is on record."""
        initial = [r.initial.scores for r in records if r.initial is not None]
        scored = [(value, scores) for scores in initial if (value := scores[metric]) is not None]
        return cls(
            sweep=sweep,
            metric=metric,
            initial=min(scored, key=lambda pair: pair[0])[1] if scored else Scores(),
            standings=rank_trials(records, metric, sweep_is_running=sweep_is_running),
            baselines=baselines,
            initial_name=initial_name,
            damaged=[r.error for r in records if r.error is not None and not r.hyper],
        )

    @classmethod
    def read(
        cls, folder: SweepFolder, *, metric: str, sweep_is_running: bool, initial_name: str = ZERO_SHOT
    ) -> Leaderboard:
        """Read a sweep's folder."""
        board = cls.of(
            read_records(folder),
            sweep=folder.name,
            metric=metric,
            sweep_is_running=sweep_is_running,
            initial_name=initial_name,
            baselines=read_baselines(folder),
        )
        board = board.with_end(read_test_scores(folder), Comparison.read(folder), Verdict.read(folder))
        return board.with_blends(read_blends(folder, board.best_epochs))

    def with_end(self, test: TestScores, comparison: Comparison | None, decided: Verdict | None = None) -> Leaderboard:
        """Add what is known after the search; what is of other trials, or other epochs of them, is left out."""
        best = self.best
        is_of_best = (
            best is not None
            and comparison is not None
            and (comparison.trial_id, comparison.best_epoch) == (best.trial_id, best.best_epoch)
        )
        sentences = comparison.sentences if is_of_best and comparison is not None else {}
        is_of_these = decided is not None and (decided.of, decided.metric) == (self.best_epochs, self.metric)
        return replace(self, test=test, comparison=sentences, decided=decided if is_of_these else None)

    def with_blends(self, blends: Iterable[Standing]) -> Leaderboard:
        """Add blends, the best first."""
        worst = float("inf")

        def value(standing: Standing) -> float:
            score = standing.scores[self.metric]
            return worst if score is None else score

        return replace(self, blends=sorted(blends, key=value))

    @property
    def best_epochs(self) -> dict[str, float | None]:
        """The best epoch of every trial, repeats too."""
        return {trial.trial_id: trial.best_epoch for trial in self.trials}

    @property
    def trials(self) -> list[Standing]:
        """Every trial by itself, repeats too."""
        return [run for standing in self.standings for run in standing.runs or (standing,)]

    @property
    def chosen(self) -> Standing | None:
        """The trial or blend to use: the verdict's, and before it the best one if it beats the initial model."""
        if self.decided is None:
            return self.best if self.beats_initial else None
        is_trained = self.decided.decision in (Decision.USE, Decision.BLEND)
        return self.find(str(self.decided.candidate)) if is_trained else None

    @property
    def initial_model(self) -> InitialModel:
        """The words for epoch 0."""
        return InitialModel(self.initial_name)

    @property
    def best(self) -> Standing | None:
        """The first of the ranked trials, whether or not it beats the initial model."""
        return next((s for s in self.standings if s.rank == 1), None)

    @property
    def beats_initial(self) -> bool:
        initial = self.initial[self.metric]
        value = None if self.best is None else self.best.scores[self.metric]
        return value is not None and initial is not None and value < initial

    @property
    def verdict(self) -> str:
        if self.best is None:
            return UNDECIDED
        if self.decided is not None and self.decided.decision is Decision.KEEP:
            return self.initial_model.when_unbeaten
        return self.initial_model.when_beaten if self.beats_initial else self.initial_model.when_unbeaten

    @property
    def unbeaten_baselines(self) -> list[Pair]:
        """The baselines that the best trial does not beat; none while no trial has trained."""
        return [] if self.best is None else unbeaten_by(self.best.scores, self.baselines, self.metric)

    @property
    def score_names(self) -> list[str]:
        """The scores to look at: the metric and the main ones of all models, then their own model's further ones."""
        known = {name for s in self.standings for name in METRICS if s.scores[name] is not None}
        main = [n for n in METRICS if n in (*ALWAYS_SHOWN, self.metric) or (n in SHOWN and n in known)]
        if self.units == "data":
            main = [*DATA_MEASURES, *(name for name in main if name not in SCALED_ERRORS or name == self.metric)]
        return [*main, *sorted({name for s in self.standings for name in s.scores.extra})]

    def find(self, trial_id: str) -> Standing | None:
        """Return a trial's or a blend's line, or a repeat; None where there is none. trial_id: or a trial's name."""
        lines = {s.trial_id: s for s in (*self.trials, *self.blends, *self.standings)}
        return lines.get(full_id(trial_id, lines))

    @property
    def is_repeated(self) -> bool:
        """Whether the best configurations were trained again, and go by their mean."""
        return any(standing.seeds for standing in self.standings)

    def to_dict(self) -> dict[str, object]:
        """The stable form that other tools may read."""
        document: dict[str, object] = {
            "sweep": self.sweep,
            "metric": self.metric,
            "mode": self.mode,
            "zero_shot": {name: self.initial[name] for name in MEASURES},
            "start": self.initial_name,
            "verdict": self._verdict_row(),
            "trials": [standing.to_row() for standing in self.standings],
        }
        if self.blends:
            document["blends"] = [blend.to_row() for blend in self.blends]
        if self.baselines:
            document["baselines"] = [baseline.to_row() for baseline in self.baselines]
        if self.test:
            document["test"] = rows_on_test(self.test)
        return document

    def _verdict_row(self) -> dict[str, object]:
        """The decision with its figures; undecided, without any, while the search goes on."""
        decided = self.decided or Verdict(Decision.UNDECIDED, self.metric, confidence=CONFIDENCE)
        row = decided.to_dict()
        return {"decision": row.pop("decision"), "text": self.verdict, **row}

    def to_json(self, **further: object) -> str:
        """Return `to_dict` and what else is known, as JSON."""
        return json.dumps({**self.to_dict(), **further}, indent=1)

    def to_csv(self) -> str:
        """A line a trial; before them the initial model, its name in trial_id and status, and the baselines."""
        keys = sorted({key for s in self.standings for key in (*s.scores.extra, *s.hyper)})
        columns = [*_PLAIN_COLUMNS, *(("seeds", "spread") if self.is_repeated else ()), *keys]
        buffer = io.StringIO()
        writer = csv.DictWriter(buffer, columns, lineterminator="\n", extrasaction="ignore")
        writer.writerow({key: safe_cell(key) for key in columns})
        for row in self._csv_rows():
            writer.writerow({key: safe_cell(value) for key, value in row.items()})
        return buffer.getvalue()

    def _csv_rows(self) -> Iterable[dict[str, object]]:
        name = self.initial_name
        initial = {metric: self.initial[metric] for metric in MEASURES}
        yield {"trial_id": name, "status": name, "best_epoch": 0, **initial}
        for baseline in self.baselines:
            yield {"trial_id": baseline.name, "status": "baseline", **baseline.scores.to_row()}
        for standing in (*self.standings, *self.blends):
            yield {**standing.to_row(), **standing.scores.extra, **standing.hyper}

    def write_csv(self, folder: SweepFolder) -> None:
        replace_text(folder.leaderboard, self.to_csv())
