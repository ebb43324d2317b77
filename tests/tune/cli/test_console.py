"""The specification of tune/cli/console.py: where lines go in a notebook."""

from __future__ import annotations

from typing import Any

import pytest
import rich.console

from tune.cli import console
from tune.cli.console import make_console


@pytest.mark.parametrize(("has_widgets", "is_live"), [(True, True), (False, False)])
def test_a_notebook_has_a_live_view_where_it_can_show_one(
    monkeypatch: pytest.MonkeyPatch, has_widgets: bool, is_live: bool
) -> None:
    def find_spec(_: str) -> Any:
        return object() if has_widgets else None

    monkeypatch.setattr(rich.console, "_is_jupyter", lambda: True)
    monkeypatch.setattr(console, "find_spec", find_spec)
    monkeypatch.setenv("FORCE_COLOR", "1")  # as ipykernel does
    made = make_console()
    assert (made.is_jupyter, made.is_terminal) == (is_live, False)


def test_a_terminal_is_no_notebook() -> None:
    assert not make_console().is_jupyter
