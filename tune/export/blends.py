"""Averages of trials' weights, made after the search and measured on validation like a trial."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from torch import Tensor

from data.errors import DamagedFileError
from trainables.base import check_hyper
from trainables.device.precision import resolved
from trainables.errors import HyperError
from trainables.parameters import blend_into, trainable_tensors
from trainables.trial.window_errors import WindowErrors
from tune.export.trial_models import TrialModel, TrialModels
from tune.leaderboard.blends import blend_name, blend_standing, keep_blends, read_blends, write_blend
from tune.leaderboard.leaderboard import Leaderboard
from tune.leaderboard.standing import Standing
from tune.verdict.measured import trial_errors

SHARES = (0.2, 0.4, 0.6, 0.8)  # of the winner, on the line from the initial model to it
MOST_IN_SOUP = 4


Found = tuple[Standing, WindowErrors]


class Blends:
    """Makes and measures blends of a sweep's trials; one that is on record is not measured again."""

    def __init__(self, models: TrialModels, board: Leaderboard) -> None:
        self.models, self.board = models, board
        self._weights: dict[str, Mapping[str, Tensor]] = {}
        self._start: TrialModel | None = None
        self._start_weights: Mapping[str, Tensor] = {}

    def make(self, in_set: Iterable[str], without: Iterable[str] = ()) -> list[Found]:
        """Blend the best trial with the initial model, and the best few of those in the confidence set with each other.

        Returns none where the trials have no start in common that is worth a share.
        """
        same = [s for s in self._of_one_start() if s.trial_id not in set(without)]
        if not same:
            return []
        made = [self._measured({same[0].run.trial_id: share}) for share in SHARES]
        made.append(self._soup(self._members(same, set(in_set))))
        kept = [found for found in made if found is not None]
        keep_blends(self.models.sweep.folder, [standing for standing, _ in kept])
        return kept

    def _members(self, same: Sequence[Standing], in_set: set[str]) -> list[Standing]:
        """The trials that a soup may be made of, the best first: of those in the set, and the best one's repeats."""
        runs = [standing.run for standing in same if standing.trial_id in in_set][:MOST_IN_SOUP]
        runs += [run for run in same[0].repeats if same[0].trial_id in in_set and run not in runs]
        metric = self.board.metric
        return sorted(runs, key=lambda run: (run.scores[metric] is None, run.scores[metric] or 0.0))

    def why_none(self) -> str | None:
        """Say why there are no blends; None where there are."""
        if self.board.initial_model.is_pretrained:
            return None
        return f"No blends: the start is {self.board.initial_name}, and an average with it has learned nothing."

    def _of_one_start(self) -> list[Standing]:
        """The ranked trials that share their start with the best one, the best first."""
        ranked = [s for s in self.board.standings if s.rank is not None]
        if not ranked or not self.board.initial_model.is_pretrained:
            return []
        return [s for s in ranked if self._start_of(s) == self._start_of(ranked[0])]

    def _start_of(self, standing: Standing) -> tuple[str, str]:
        hyper = resolved(check_hyper(self.models.model_class, standing.hyper), self.models.device)
        return hyper.initial_model, hyper.precision

    def _soup(self, ordered: list[Standing]) -> Found | None:
        """Return the greedy soup of trials, the best first; None where it is a single trial."""
        metric = self.board.metric

        def value_of(parts: Mapping[str, float]) -> float | None:
            if len(parts) == 1 and sum(parts.values()) == 1:
                return ordered[0].scores[metric]
            found = self._measured(parts)
            return None if found is None else found[0].scores[metric]

        parts = greedy_soup([standing.trial_id for standing in ordered], value_of)
        return self._measured(parts) if len(parts) > 1 else None

    def _measured(self, parts: Mapping[str, float]) -> Found | None:
        """Measure a blend, or read what was measured; None where a trial's weights cannot be read."""
        folder, name = self.models.sweep.folder, blend_name(parts, self.board.initial_name)
        epochs = {trial_id: self.board.best_epochs[trial_id] for trial_id in parts}
        for known in read_blends(folder, epochs):
            if known.trial_id == name and (errors := trial_errors(folder, known)) is not None:
                return known, errors
        try:
            model = self.model(parts)
        except (DamagedFileError, HyperError):
            return None
        evaluation = model.measure("val")
        first = self.board.find(max(parts, key=lambda trial_id: parts[trial_id]))
        assert first is not None  # the parts are of the board
        initial, value = self.board.initial[self.board.metric], evaluation.scores[self.board.metric]
        gain = None if initial is None or value is None else initial - value
        standing = blend_standing(name, parts, evaluation.scores, gain, first.hyper)
        write_blend(folder, standing, evaluation.windows, epochs)
        return standing, evaluation.windows

    def model(self, parts: Mapping[str, float]) -> TrialModel:
        """Build a blend; DamagedFileError or HyperError if the weights of a trial in it cannot be read."""
        standings = [standing for trial_id in parts if (standing := self.board.find(trial_id)) is not None]
        for standing in standings:
            if standing.trial_id not in self._weights:
                trained = self.models.trained(standing).model.module
                self._weights[standing.trial_id] = {
                    k: v.detach().clone() for k, v in trainable_tensors(trained).items()
                }
        if self._start is None:
            self._start = self.models.initial(standings[0])
            self._start_weights = {k: v.detach().clone() for k, v in self._start.model.module.named_parameters()}
        module = self._start.model.module
        blend_into(module, [(1.0, self._start_weights)])  # back to the start
        blend_into(module, [(share, self._weights[trial_id]) for trial_id, share in parts.items()])
        return self._start


def greedy_soup(ordered: Sequence[str], value_of: Callable[[Mapping[str, float]], float | None]) -> Mapping[str, float]:
    """Return the shares of a greedy soup (Wortsman et al. 2022, arXiv:2203.05482): each next trial, and the initial
    model last, is taken in if the average is better.

    ordered: the trials, the best first. value_of: what shares score on validation, smaller is better. One trial alone
    is returned where no average of trials is better; with the initial model alone, it is on the line between them.
    """
    if not ordered:
        return {}
    parts: Mapping[str, float] = {ordered[0]: 1.0}
    best = value_of(parts)
    for name in [*ordered[1:], None]:
        if name is None and len(parts) < 2:
            break
        trials = [*parts, *([] if name is None else [name])]
        tried = dict.fromkeys(trials, 1 / (len(parts) + 1))
        value = value_of(tried)
        if value is not None and best is not None and value < best:
            parts, best = tried, value
    return parts


def build(models: TrialModels, board: Leaderboard, standing: Standing) -> TrialModel:
    """Build what a line of the leaderboard is about: a blend, the initial model or a trained one."""
    if standing.parts:
        return Blends(models, board).model(standing.parts)
    return models.initial(standing) if standing.best_epoch == 0 else models.trained(standing)
