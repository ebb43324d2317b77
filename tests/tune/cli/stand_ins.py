"""What stands in for a search and for servers, where a command line is run in a test's own process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from unittest import mock

from tune.cli import sweep_steps
from tune.report import study_server, tensorboard_server
from tune.report.charts.plot_style import Picture
from tune.report.pictures import Shown
from tune.serving import server as forecast_server


@contextmanager
def nothing_waits() -> Iterator[None]:
    """No search begins, every server is ended at once by a Ctrl+C, and a report has one picture: all take seconds."""
    with ExitStack() as stack:
        for patch in (
            mock.patch.object(sweep_steps, "_run", return_value=0),
            mock.patch.object(tensorboard_server, "_launch", _interrupted),
            mock.patch.object(study_server._Server, "serve_forever", _interrupted),
            mock.patch.object(forecast_server, "_run", _interrupted),
            mock.patch.object(Shown, "pictures", curves_alone),
        ):
            stack.enter_context(patch)
        yield


def curves_alone(shown: Shown) -> dict[str, Picture]:
    """Draw the one picture that every report has."""
    return {"curve": shown._curves()}


def _interrupted(*_: object) -> str:
    raise KeyboardInterrupt
