"""What tests of the searcher share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.tune.ray_backend.search_session import Session, two_numbers


@pytest.fixture
def open_session(tmp_path: Path) -> Callable[..., Session]:
    """`open_session()` opens the sweep in tmp_path, again and again: nobody closes it, as after a kill."""
    return lambda space=None, **options: Session(tmp_path / "sweep", space or two_numbers(), **options)
