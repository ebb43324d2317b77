"""Averages of trials' weights, made after the search and measured on validation like a trial."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from torch import Tensor

from data.errors import DamagedFileError
from trainables.base import check_hyper
from trainables.errors import HyperError
from trainables.parameters import blend_into, trainable_tensors
from trainables.trial.window_errors import WindowErrors
from tune.export.trial_models import TrialModel, TrialModels
from tune.leaderboard.blends import blend_name, blend_standing, keep_blends, read_blends, write_blend
from tune.leaderboard.leaderboard import Leaderboard
from tune.leaderboard.standing import Standing

SHARES = (0.2, 0.4, 0.6, 0.8)  # of the winner, on the line from the initial model to it
MOST_IN_SOUP = 4


class Blends:
    """Makes and measures blends of a sweep's trials; one that is on record is not measured again."""

    def __init__(self, models: TrialModels, board: Leaderboard) -> None:
        self.models, self.board = models, board
        self.found: dict[str, tuple[Standing, WindowErrors]] = {
            standing.trial_id: (standing, errors)
            for standing, errors in read_blends(models.sweep.folder, board.best_epochs)
        }
        self._weights: dict[str, Mapping[str, Tensor]] = {}
        self._start: TrialModel | None = None
        self._start_weights: Mapping[str, Tensor] = {}

    def make(self, in_set: Iterable[str], without: Iterable[str] = ()) -> list[tuple[Standing, WindowErrors]]:
        """Blend the best trial with the initial model, and the best few of those in the confidence set with each other.

        Returns none where the trials have no start in common that is worth a share.
        """
        same = [s for s in self._of_one_start() if s.trial_id not in set(without)]
        if not same:
            return []
        made: dict[str, tuple[Standing, WindowErrors] | None] = {}
        for share in SHARES:
            made.update([self._measured({same[0].trial_id: share})])
        soup = self._greedy_soup([s for s in same if s.trial_id in set(in_set)][:MOST_IN_SOUP])
        if soup is not None:
            made.update([soup])
        kept = [found for found in made.values() if found is not None]
        keep_blends(self.models.sweep.folder, [standing for standing, _ in kept])
        return kept

    def why_none(self) -> str | None:
        """Say why there are no blends; None where there are."""
        if not self.board.initial_model.is_pretrained:
            return f"No blends: the start is {self.board.initial_name}, and an average with it has learned nothing."
        return None if self._of_one_start() else "No blends: no trial kept weights."

    def _of_one_start(self) -> list[Standing]:
        """The ranked trials that share their start with the best one, the best first."""
        ranked = [s for s in self.board.standings if s.rank is not None]
        if not ranked or not self.board.initial_model.is_pretrained:
            return []
        return [s for s in ranked if self._start_of(s) == self._start_of(ranked[0])]

    def _start_of(self, standing: Standing) -> tuple[str, str]:
        hyper = check_hyper(self.models.model_class, standing.hyper)
        return hyper.initial_model, hyper.precision

    def _greedy_soup(self, ordered: list[Standing]) -> tuple[str, tuple[Standing, WindowErrors] | None] | None:
        """Take each trial in if the average is better on validation; then the initial model, as one more."""
        if len(ordered) < 2:
            return None
        metric = self.board.metric
        chosen, best = [ordered[0].trial_id], ordered[0].scores[metric]
        soup = None
        for name in [*(s.trial_id for s in ordered[1:]), None]:
            members = len(chosen) + 1
            trials = chosen if name is None else [*chosen, name]
            if name is None and len(chosen) < 2:
                break  # with the initial model alone it is on the line
            tried = self._measured(dict.fromkeys(trials, 1 / members))
            value = None if tried[1] is None else tried[1][0].scores[metric]
            if value is not None and best is not None and value < best:
                chosen, best, soup = trials, value, tried
        return soup

    def _measured(self, parts: Mapping[str, float]) -> tuple[str, tuple[Standing, WindowErrors] | None]:
        name = blend_name(parts, self.board.initial_name)
        if name in self.found:
            return name, self.found[name]
        try:
            model = self.model(parts)
        except (DamagedFileError, HyperError):
            return name, None
        evaluation = model.measure("val")
        first = self.board.find(max(parts, key=lambda trial_id: parts[trial_id]))
        assert first is not None  # the parts are of the board
        initial, value = self.board.initial[self.board.metric], evaluation.scores[self.board.metric]
        gain = None if initial is None or value is None else initial - value
        standing = blend_standing(name, parts, evaluation.scores, gain, first.hyper)
        epochs = {trial_id: self.board.best_epochs[trial_id] for trial_id in parts}
        write_blend(self.models.sweep.folder, standing, evaluation.windows, epochs)
        self.found[name] = standing, evaluation.windows
        return self.found[name][0].trial_id, self.found[name]

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
