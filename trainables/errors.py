"""What a user can fix about a model: a checkpoint that cannot be loaded, hyperparameters that cannot be honoured."""

from __future__ import annotations

from data.errors import UserError


class CheckpointError(UserError):
    """A model folder or id that cannot be loaded."""


class HyperError(UserError):
    """Hyperparameters that the chosen model, data or machine cannot honour."""
