"""The verdict on a sweep: its windows asked, what they lost measured again, and the test part asked once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

from data.errors import DamagedFileError
from trainables.errors import HyperError
from trainables.trial.evaluation import Evaluation
from trainables.trial.report import Scores
from trainables.trial.window_errors import WindowErrors, score_of
from tune.export.blends import Blends, build
from tune.export.errors_on_test import errors_of
from tune.export.examples import make_examples
from tune.export.trial_models import TrialModels
from tune.leaderboard.leaderboard import Leaderboard
from tune.leaderboard.standing import Standing
from tune.records.scores_on_test import TestScores, name_on_test, write_test_scores
from tune.records.verdict import MAIN_METRICS, WITH_ZERO, Decision, OnTest, Verdict
from tune.report.charts.forecast_examples import Example, write_examples
from tune.verdict.decide import Candidate, decide, interval_of
from tune.verdict.measured import baseline_errors, initial_errors, trial_errors, windows_file
from tune.verdict.resampling import Units
from tune.verdict.skill import skill_scores
from tune.verdict.statistics import paired_difference

FINALISTS = 3


def conclude(models: TrialModels, board: Leaderboard, *, without: Iterable[str] = ()) -> Leaderboard:
    """Decide, then score the initial model, the baselines, the best few and the candidate on the test part.

    without: trials whose weights cannot be read.
    """
    best = board.best
    if best is None:
        return board
    asked = _Windows.of(models, board, frozenset(without))
    verdict = asked.decide()
    maker = Blends(models, board)
    blends = maker.make(verdict.confidence_set, without)
    if blends:
        asked = asked.with_blends(blends)
        verdict = asked.decide()
    board = board.with_blends(standing for standing, _ in blends)
    verdict = replace(verdict, note=maker.why_none() or "", of=board.best_epochs, skill=_skill(models, board, asked))
    if (about := board.find(verdict.candidate or "")) is not None:
        verdict = replace(verdict, seeds=about.seeds, spread=about.spread)
    evaluations, test, examples = _on_test(models, board, verdict, frozenset(without))
    write_test_scores(models.sweep.folder, test)
    write_examples(models.sweep.folder, examples)
    errors_of(models.task, board.initial_name, verdict, evaluations).write(models.sweep.folder)
    verdict = replace(verdict, test=_compare_on_test(board, verdict, evaluations, models.task.spec.eval_overlap))
    verdict.write(models.sweep.folder)
    return board.with_end(test, None, verdict)


def initial_standing(board: Leaderboard) -> Standing | None:
    """Return the initial model, the strongest where there are several, as a line of the leaderboard; epoch 0."""
    starts = [s for s in board.standings if s.rank is not None and s.gain is not None]
    if not starts:
        return None

    def start_of(standing: Standing) -> float:
        return (standing.scores[board.metric] or 0.0) + (standing.gain or 0.0)

    return replace(
        min(starts, key=start_of),
        rank=None,
        trial_id=board.initial_name,
        status="initial",
        stopped_by=None,
        best_epoch=0,
        scores=board.initial,
        gain=0.0,
    )


@dataclass(frozen=True)
class _Windows:
    """The windows of the initial model and of all candidates; initial is None where nothing can be compared."""

    initial: WindowErrors | None
    candidates: tuple[Candidate, ...]
    metric: str
    overlap: int
    confidence: float

    @classmethod
    def of(cls, models: TrialModels, board: Leaderboard, without: frozenset[str]) -> _Windows:
        """Read the trials' windows, and measure again what is lost."""
        folder, start = models.sweep.folder, initial_standing(board)
        initial = initial_errors(folder, board.metric)
        if initial is None and start is not None:
            initial = models.initial(start).measure("val").windows
        candidates = []
        for standing in board.standings:
            if standing.rank is not None and standing.trial_id not in without:
                errors = trial_errors(folder, standing) or _measured_again(models, standing)
                may_win = bool(standing.seeds) or not board.is_repeated
                candidates += [] if errors is None else [Candidate(standing.trial_id, errors, may_win=may_win)]
        return cls(
            initial, tuple(candidates), board.metric, models.task.spec.eval_overlap, models.sweep.spec.confidence
        )

    def with_blends(self, blends: Iterable[tuple[Standing, WindowErrors]]) -> _Windows:
        added = (
            Candidate(standing.trial_id, errors, sum(standing.parts.values()), is_blend=True)
            for standing, errors in blends
        )
        return replace(self, candidates=(*self.candidates, *added))

    def decide(self) -> Verdict:
        if self.initial is None:
            return Verdict(Decision.UNDECIDED, self.metric, self.confidence)
        return decide(
            self.initial,
            self.candidates,
            metric=self.metric,
            overlap=self.overlap,
            confidence=self.confidence,
        )


def _measured_again(models: TrialModels, standing: Standing) -> WindowErrors | None:
    """Measure a trial whose window errors are lost, or of before they were kept; None where its weights are too."""
    if standing.seeds:
        folder = models.sweep.folder
        found = [trial_errors(folder, run) or _measured_again(models, run) for run in standing.repeats]
        return WindowErrors.mean([errors for errors in found if errors is not None])
    try:
        errors = models.trained(standing).measure("val").windows
    except (DamagedFileError, HyperError):
        return None
    path = windows_file(models.sweep.folder, standing)
    if path is not None and not path.is_dir():
        errors.write(path)
    return errors


def _on_test(
    models: TrialModels, board: Leaderboard, verdict: Verdict, without: frozenset[str]
) -> tuple[Mapping[str, Evaluation], TestScores, list[Example]]:
    """Measure once on the test part, and draw some windows of it for the candidate."""
    start = initial_standing(board) or board.best
    assert start is not None  # asked before
    initial = models.initial(start)
    evaluations = {board.initial_name: initial.measure("test")}
    scores: dict[str, Scores] = {board.initial_name: evaluations[board.initial_name].scores}
    for name, forecaster in initial.model.baselines(initial.hyper, initial.task).items():
        with suppress(NotImplementedError):  # a forecaster that knows the validation part alone
            scores[name] = initial.scores_of(forecaster, "test")
    ranked = [s for s in board.standings if s.rank is not None and s.trial_id not in without]
    finalists = [
        *ranked[:FINALISTS],
        *(s for s in (*ranked[FINALISTS:], *board.blends) if s.trial_id == verdict.candidate),
    ]
    examples: list[Example] = []
    for standing in finalists:
        name = standing.trial_id
        with suppress(DamagedFileError):  # said when it comes to the export
            model = build(models, board, standing)
            evaluations[name] = model.measure("test")
            scores[name] = evaluations[name].scores
            if name == verdict.candidate:
                examples = make_examples({board.initial_name: initial, name: model}, evaluations[name])
    return evaluations, scores, examples


def _skill(models: TrialModels, board: Leaderboard, asked: _Windows) -> dict[str, float]:
    """Return every model's skill against the naive baseline; none where that was not measured."""
    known = {b.name: baseline_errors(models.sweep.folder, b.name) for b in board.baselines}
    naive = next((errors for name, errors in known.items() if name.endswith("naive") and errors is not None), None)
    if naive is None:
        return {}
    measured = {name: errors for name, errors in known.items() if errors is not None}
    if asked.initial is not None:
        measured[board.initial_name] = asked.initial
    measured |= {candidate.name: candidate.errors for candidate in asked.candidates}
    return skill_scores(measured, naive)


def _compare_on_test(
    board: Leaderboard, verdict: Verdict, evaluations: Mapping[str, Evaluation], overlap: int
) -> OnTest | None:
    """Ask whether the test part agrees: with a trained model, that it is better; with the initial one, that it is not
    beaten beyond noise."""
    start, found = evaluations[board.initial_name].windows, evaluations.get(verdict.candidate or "")
    base = start.of(verdict.metric)
    own = None if found is None else found.windows.of(verdict.metric)
    if found is None or base is None or own is None or verdict.decision is Decision.UNDECIDED:
        return None
    units = Units.of(start.series, overlap).with_memory_of((base - own)[:, None])
    difference = paired_difference(base, own, units, confidence=verdict.confidence)
    agrees = not difference.is_better if verdict.decision is Decision.KEEP else difference.mean >= 0
    return OnTest(
        agrees=agrees,
        initial=score_of(verdict.metric, float(base.mean())),
        value=score_of(verdict.metric, float(own.mean())),
        interval=interval_of(difference, base, verdict.metric),
        worse_by=() if verdict.decision is Decision.KEEP else _worse(start, found.windows, verdict.metric),
    )


def _worse(start: WindowErrors, found: WindowErrors, metric: str) -> tuple[str, ...]:
    """Name the other main metrics by which a model is worse on the test part, with the share where it has one."""
    worse = []
    for name in MAIN_METRICS:
        base, own = start.of(name), found.of(name)
        if name == metric or base is None or own is None or own.mean() <= base.mean():
            continue
        share = f" ({(own.mean() / base.mean() - 1) * 100:.1f} %)" if name in WITH_ZERO and base.mean() > 0 else ""
        worse.append(f"{name_on_test(name)}{share}")
    return tuple(worse)
