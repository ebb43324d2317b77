"""While a sweep runs its page is written again by a process of its own, and never after its end."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.tune.reports import report
from tests.tune.untrained_sweep import make_sweep
from tune.export import live_page
from tune.export.live_page import LivePage, write_once
from tune.sweep import Sweep


@pytest.fixture
def sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sweep]:
    """A sweep that this process holds, as the driver of one does; its pages need not wait for the tests beside."""
    monkeypatch.setattr(live_page, "NICENESS", 1)
    made = make_sweep(tmp_path / "night1", {"t0000": [0.5, 0.4, 0.3], "t0001": [0.5, 0.45, 0.44]})
    with made.held():
        yield made


def wait_until(holds: Callable[[], bool], page: LivePage) -> None:
    end = time.monotonic() + 120
    while not holds():
        assert time.monotonic() < end
        page.tick()
        time.sleep(0.05)


def test_after_reports_the_page_of_the_running_sweep_is_written_and_then_after_a_while_again(
    sweep: Sweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = LivePage(sweep.folder)
    page.trial_reported("t0000", report(1, 0.4))
    page.tick()
    assert page._process is None  # it is a second old
    monkeypatch.setattr(live_page, "LEAST_SECONDS", 0.0)
    page = LivePage(sweep.folder)
    page.tick()
    assert page._process is None  # nothing is new
    page.trial_reported("t0000", report(1, 0.4))
    page.tick()
    assert page._process is not None
    assert psutil.Process(page._process.pid).nice() > psutil.Process().nice()
    wait_until(lambda: page._process is None, page)
    html = sweep.folder.report.read_text(encoding="utf-8")
    assert "The sweep is still running" in html
    assert 'id="refresh"' in html
    page.trial_ended("t0000")
    page.tick()
    assert page._process is None  # a page that took seconds is followed by a longer wait
    page.close()


def test_what_is_being_written_when_the_sweep_ends_never_comes(sweep: Sweep, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_page, "LEAST_SECONDS", 0.0)
    page = LivePage(sweep.folder)
    page.trial_ended("t0000")
    page.tick()
    assert page._process is not None
    process = psutil.Process(page._process.pid)
    page.close()
    assert not process.is_running()
    assert not sweep.folder.report.exists()


def test_a_page_that_cannot_be_written_is_reported_once(
    sweep: Sweep, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(live_page, "LEAST_SECONDS", 0.0)
    monkeypatch.setattr(live_page, "SHARE", 1e9)
    sweep.folder.spec.write_text("{", encoding="utf-8")
    page = LivePage(sweep.folder)
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            page.trial_ended("t0000")
            page.tick()
            wait_until(lambda: page._process is None, page)
    assert len(caplog.records) == 1
    assert "cannot be read as a sweep" in caplog.text
    page.close()


def test_a_sweep_that_has_ended_is_left_alone(tmp_path: Path) -> None:
    made = make_sweep(tmp_path / "night1", {"t0000": [0.5, 0.4]})
    write_once(tmp_path, "night1")
    assert not made.folder.report.exists()
