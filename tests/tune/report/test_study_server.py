"""A sweep's study in optuna-dashboard: a real server, asked over a real socket."""

from __future__ import annotations

import json
import socket
import threading
import urllib.request
from pathlib import Path

import pytest

from data.errors import UserError
from search_spaces.space import SearchSpace
from tests.tune.ray_backend.search_session import two_numbers
from tests.tune.reports import report
from tune.ray_backend.search import StudySearch
from tune.records.journal import Journal
from tune.records.sweep_folder import SweepFolder
from tune.report import study_server
from tune.report.study_server import serve_study


@pytest.fixture
def folder(tmp_path: Path) -> SweepFolder:
    """A sweep whose study has one trial that has ended."""
    folder, space = SweepFolder(tmp_path), two_numbers()
    assert isinstance(space, SearchSpace)
    search = StudySearch(Journal(folder), space, searcher="random", seed=0, trials=2)
    search.suggest("a")
    search.journal.append("t0000", report(1, 0.5, stopped_by="epochs"))
    search.on_trial_complete("a")
    return folder


def test_the_dashboard_shows_the_studys_trials(folder: SweepFolder) -> None:
    found: list[dict[str, object]] = []

    def ask(url: str) -> None:
        def get(path: str) -> bytes:
            with urllib.request.urlopen(url.replace("/dashboard/", path), timeout=30) as answer:
                return bytes(answer.read())

        found.append(json.loads(get("/api/studies")))
        number = found[0]["study_summaries"][0]["study_id"]  # type: ignore[index]
        found.append(json.loads(get(f"/api/studies/{number}?after=0")))
        assert b"<html" in get("/dashboard/").lower()
        server = servers.pop()
        threading.Thread(target=server.shutdown, daemon=True).start()

    servers: list[study_server._Server] = []
    original = study_server.make_server

    def kept(*arguments: object) -> study_server._Server:
        servers.append(original(*arguments))  # type: ignore[arg-type]
        return servers[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(study_server, "make_server", kept)
        serve_study(folder, port=0, ready=lambda url: threading.Thread(target=ask, args=(url,), daemon=True).start())
    trials = found[1]["trials"]
    assert isinstance(trials, list)
    assert [(trial["state"], trial["values"]) for trial in trials] == [("Complete", [0.5])]


def test_a_taken_port_is_rejected(folder: SweepFolder) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(UserError, match="cannot be had"):
        serve_study(folder, port=taken.getsockname()[1])


@pytest.mark.parametrize("port", [-1, 65_536])
def test_a_port_that_cannot_be_is_rejected(folder: SweepFolder, port: int) -> None:
    with pytest.raises(UserError, match=f"--port {port} cannot be had"):
        serve_study(folder, port=port)


def test_without_a_study_there_is_nothing_to_show(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="the study is not there"):
        serve_study(SweepFolder(tmp_path), port=0)


def test_without_the_extra_its_name_is_said(folder: SweepFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study_server, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="uv run --extra dashboard foretune dashboard"):
        serve_study(folder, port=0)
