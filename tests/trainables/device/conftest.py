"""The toy of the trials' own tests."""

from tests.trainables.trial.conftest import clean, task  # noqa: F401  (fixtures)
