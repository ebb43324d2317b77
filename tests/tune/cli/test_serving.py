"""The command serve through `main` itself: what is rejected before anything is served."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.tune.cli.command_line import Foretune
from tests.tune.forecasts.measured import TOY
from tune.serving import server

LENGTHS = ("--context-length", 2, "--prediction-length", 1)


@pytest.fixture
def folder(export: Callable[..., Path], jsonl: Callable[..., Path]) -> Path:
    """An export whose model says the last value and 1 more."""
    return export(jsonl(a=[1.0, 2.0, 3.0, 4.0]), context_length=2, prediction_length=1, split="rows:0")


def test_a_port_that_is_taken_is_one_message(foretune: Foretune) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = foretune("serve", "moirai-tiny", *LENGTHS, "--port", port)
    assert (ended.status, ended.out) == (2, "")
    assert ended.err == (
        f"foretune: --port {port} on 127.0.0.1 cannot be had: Address already in use; choose another, or 0 for a free "
        "one\n"
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nowhere", *LENGTHS), "nowhere"),
        (("moirai-tiny",), "moirai-tiny is no export of a sweep, which would record its lengths: give --context-length "
         "and --prediction-length"),
        (("moirai-tiny", "--context-length", 0, "--prediction-length", 1), "--context-length must be 1 or more, got 0"),
        (("moirai-tiny", *LENGTHS, "--freq", "fortnight"), "--freq must be a pandas offset like h, 15min or D"),
        (("moirai-tiny", *LENGTHS, "--norm", "zscore"), "--norm must be context, series or none, got 'zscore'"),
        (("moirai-tiny", *LENGTHS, "--port", 70000), "--port must be from 0 to 65535, got 70000"),
        (("moirai-tiny", *LENGTHS, "--host", "no.such.host.invalid"), "--host 'no.such.host.invalid' cannot be had"),
        (("moirai-tiny", *LENGTHS, "--host", ""), "--host must be an address or a name"),
        (("moirai-tiny", *LENGTHS, "--max-batch", 0), "--max-batch must be from 1 to 1000000000, got 0"),
        (("moirai-tiny", *LENGTHS, "--max-wait", "nan"), "--max-wait must be from 0 to 60000, got nan"),
        (("moirai-tiny", "--context-length", 100000, "--prediction-length", 1), "tokens"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_message(foretune: Foretune, arguments: tuple[object, ...], said: str) -> None:
    port = () if "--port" in arguments else ("--port", 0)
    ended = foretune("serve", *arguments, *port, "--gpus", 0)
    assert (ended.status, ended.out) == (2, ""), ended
    assert said in ended.err
    assert len(ended.err.splitlines()) == 1


def test_without_the_extra_its_name_is_said(foretune: Foretune, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "find_spec", lambda name: None if name == "fastapi_offline" else name)
    ended = foretune("serve", "moirai-tiny")
    assert (ended.status, ended.out) == (2, "")
    assert ended.err == (
        "foretune: fastapi-offline is not installed; pip install 'foretune[serve]', or here: uv run --extra serve "
        "foretune serve …\n"
    )


@pytest.mark.parametrize(("host", "is_noted"), [("0.0.0.0", True), ("127.0.0.1", False), ("localhost", False)])
def test_a_host_that_others_can_reach_is_noted(
    foretune: Foretune, folder: Path, monkeypatch: pytest.MonkeyPatch, host: str, is_noted: bool
) -> None:
    monkeypatch.setattr(server, "_run", lambda app, listener, ready: ready())
    ended = foretune("serve", folder, "--trust", TOY, "--host", host, "--port", 0, "--gpus", 0)
    assert ended.status == 0, ended
    note = f"note: {host} can be reached from other machines, and the server asks nobody for a password"
    assert (note in ended.out.splitlines()) == is_noted
    assert f" at http://{host}:" in ended.out
