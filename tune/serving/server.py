"""The server of a checkpoint's forecasts: a socket, uvicorn on it, and how it ends."""

from __future__ import annotations

import ipaddress
import logging
import os
import signal
import socket
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from data.errors import UserError

if TYPE_CHECKING:
    from fastapi import FastAPI

    from tune.serving.limits import Limits
    from tune.serving.request import ServedRequest

EXTRA, PACKAGES = "serve", ("fastapi", "uvicorn", "fastapi_offline")
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
HIGHEST_PORT = 65535
GRACE_SECONDS = 10  # that requests at work have when the server is stopped


def check_installed() -> None:
    """Reject, before any work, a machine without the extra; UserError."""
    if missing := [name for name in PACKAGES if find_spec(name) is None]:
        raise UserError(
            f"{missing[0].replace('_', '-')} is not installed; pip install 'foretune[{EXTRA}]', or here: uv run "
            f"--extra {EXTRA} foretune serve …"
        )


def serve(request: ServedRequest, limits: Limits, *, host: str, port: int, say: Callable[[str], None]) -> int:
    """Answer until Ctrl+C or SIGTERM, and return how many requests were answered; port 0 takes a free one.

    say: called with the URL, and with what must be known of a host that is not this machine's alone.
    Raises UserErrors: the port cannot be had, no checkpoint, and whatever else the user can fix.
    """
    check_installed()
    warnings.filterwarnings("ignore", "Could not infer format")  # pandas, of timestamps, which are then read one by one
    with listening(host, port) as listener:
        from tune.serving.app import Served, make_app
        from tune.serving.served_model import ServedModel

        served = Served.of(ServedModel(request), limits)
        is_local = is_loopback(host)
        app = make_app(served, hosts=LOOPBACK if is_local else ("*",))
        url = f"http://{_in_url(host)}:{listener.getsockname()[1]}"
        if not is_local:
            say(f"note: {host} can be reached from other machines, and the server asks nobody for a password")
        _run(
            app,
            listener,
            lambda: say(f"{served.model.checkpoint.title} at {url}, described at {url}/docs (Ctrl+C stops it)"),
        )
        return served.requests


@contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """Bind a socket; UserError where the port cannot be had."""
    if not 0 <= port <= HIGHEST_PORT:  # the system would take the rest of a division
        raise UserError(f"--port must be from 0 to {HIGHEST_PORT}, got {port}; 0 takes a free one")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except (OSError, UnicodeError) as error:
        raise UserError(f"--host {host!r} cannot be had: {_reason(error)}; choose another") from error
    with socket.socket(family, kind, protocol) as listener:
        if os.name != "nt":  # there, it would share a port that is in use
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
            listener.listen(2048)
        except OSError as error:
            raise UserError(
                f"--port {port} on {host} cannot be had: {_reason(error)}; choose another, or 0 for a free one"
            ) from error
        yield listener


def is_loopback(host: str) -> bool:
    """Return whether a host can be reached from this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def _run(app: FastAPI, listener: socket.socket, ready: Callable[[], None]) -> None:
    """Answer until a signal; requests at work are answered first."""
    import uvicorn

    class Announced(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            ready()

    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
    config = uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=GRACE_SECONDS)
    with _terminated_as_interrupted():
        try:
            Announced(config).run(sockets=[listener])
        except KeyboardInterrupt:  # uvicorn ends in good order, and raises the signal again
            return


@contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """Let SIGTERM end the server as Ctrl+C does."""

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
