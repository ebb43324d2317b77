"""What is wrong with a machine, and what puts it right; the machine is made up."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.tune.cli.command_line import Foretune
from tests.tune.cli.conftest import foretune  # noqa: F401  (a fixture)
from tune import doctor
from tune.doctor import Finding, cuda_match, examine, small_sweep
from tune.planning import gpus
from tune.planning.gpus import DriverVersions, driver_versions


@pytest.mark.parametrize(
    ("built_for", "driver", "is_usable", "remedy"),
    [
        ("13.2", "13.0", True, ""),
        (None, "13.0", False, "install torch with CUDA"),
        ("13.2", "12.8", False, "torch needs a driver for CUDA 13.2: update the NVIDIA driver"),
        ("12.8", "13.0", False, "torch cannot use the GPU: look at nvidia-smi"),
    ],
)
def test_torch_and_the_driver_go_together_or_there_is_a_remedy(
    built_for: str | None, driver: str, is_usable: bool, remedy: str
) -> None:
    finding = cuda_match("found", built_for, driver, is_usable=is_usable)
    assert finding.is_good is is_usable
    assert finding.remedy.startswith(remedy)


def test_the_drivers_versions_are_those_that_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    driver = SimpleNamespace(
        nvmlSystemGetCudaDriverVersion_v2=lambda: 12080,
        nvmlSystemGetDriverVersion=lambda: "570.86",
        nvmlShutdown=lambda: calls.append("close"),
    )
    monkeypatch.setattr(gpus, "open_nvml", lambda: driver)
    assert driver_versions() == DriverVersions("570.86", "12.8")
    assert calls == ["close"]


# --- the Hub


class Quiet(BaseHTTPRequestHandler):
    """Answers every question for a head with one status."""

    status = 200

    def do_HEAD(self) -> None:
        self.send_response(self.status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[HTTPServer]:
    server = HTTPServer(("127.0.0.1", 0), Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    yield server
    server.shutdown()


@pytest.mark.parametrize("status", [200, 403])
def test_a_mirror_that_answers_is_there(hub: HTTPServer, status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Quiet, "status", status)
    found = doctor._hub()
    assert found.is_good
    assert found.found.startswith(f"http://127.0.0.1:{hub.server_port} answers")


def test_a_hub_that_cannot_be_reached_has_the_remedies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    found = doctor._hub()
    assert found.is_good is False
    assert "HF_ENDPOINT" in found.remedy


def test_offline_is_no_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert doctor._hub().is_good is None


# --- the small sweep


def ended(returncode: int, err: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.CompletedProcess([], returncode, "", err)


def test_a_sweep_that_fails_is_named_with_its_last_words() -> None:
    found = small_sweep(lambda folder: ended(2, "foretune: Ray could not be started: no room\n"))
    assert found.is_good is False
    assert found.found.endswith("foretune: Ray could not be started: no room")


def test_a_sweep_that_says_it_is_done_and_left_nothing_is_none() -> None:
    assert small_sweep(lambda folder: ended(0)).is_good is False


def test_a_sweep_that_takes_too_long_is_named() -> None:
    def run(folder: str) -> subprocess.CompletedProcess[str]:
        raise subprocess.TimeoutExpired("foretune", 180)

    assert small_sweep(run).found == "not done after 180 s"


@pytest.mark.slow  # half a minute
@pytest.mark.sweeps
def test_on_this_machine_a_small_sweep_comes_to_its_end() -> None:
    found = small_sweep()
    assert found.is_good, found


# --- the whole


def test_a_folder_without_room_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda path: SimpleNamespace(free=10**9, total=10**9))
    found = {finding.name: finding for finding in examine(tmp_path / "new", with_sweep=False, online=False)}
    assert found["disk for sweeps"].is_good is False
    assert found["disk for sweeps"].found == f"1.0 GB free at {tmp_path}, which can be written"
    assert found["Python"].is_good


def test_the_command_prints_what_is_wrong_with_its_remedy_and_ends_with_1(
    foretune: Foretune,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    findings = [
        Finding("Python", "3.11"),
        Finding("disk", "1 GB free", False, "make room"),
        Finding("ray", "2.60", None),
    ]
    monkeypatch.setattr(doctor, "examine", lambda *_, **__: findings)
    done = foretune("doctor", "--quick")
    assert done.status == 1
    assert [line.split() for line in done.out.splitlines()] == [
        ["✓", "Python", "3.11"],
        ["✗", "disk", "1", "GB", "free"],
        ["→", "make", "room"],
        ["ray", "2.60"],
        ["1", "of", "3", "are", "wrong"],
    ]
    as_json = foretune("doctor", "--json")
    assert json.loads(as_json.out)[1] == {"name": "disk", "found": "1 GB free", "is_good": False, "remedy": "make room"}


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib.metadata import version

    from tune.cli import main

    monkeypatch.setattr(sys, "argv", ["foretune", "--version"])
    with pytest.raises(SystemExit) as done:
        main.main()
    assert not done.value.code
    assert capsys.readouterr().out == f"foretune {version('foretune')}\n"
