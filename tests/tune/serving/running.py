"""A server on a real socket: in a thread of this process, or as the command that a user types."""

from __future__ import annotations

import http.client
import json
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn

from tests.waiting import url_in, wait_for
from tune.command_text import own_command, own_environment
from tune.serving.app import Served, make_app
from tune.serving.limits import Limits
from tune.serving.served_model import ServedModel
from tune.serving.server import listening


@dataclass(frozen=True)
class Answer:
    status: int
    content: Any

    @property
    def detail(self) -> str:
        return str(self.content["detail"])


@dataclass(frozen=True)
class Client:
    """Asks a server."""

    url: str

    def get(self, path: str) -> Answer:
        return self._ask(urllib.request.Request(self.url + path))

    def post(self, body: object, *, kind: str = "application/json") -> Answer:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self._ask(urllib.request.Request(f"{self.url}/predict", data, {"Content-Type": kind}))

    def post_at_once(self, bodies: list[object]) -> list[Answer]:
        with ThreadPoolExecutor(len(bodies)) as threads:
            return list(threads.map(self.post, bodies))

    def _ask(self, request: urllib.request.Request) -> Answer:
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return Answer(answer.status, _content(answer))
        except urllib.error.HTTPError as error:
            return Answer(error.code, _content(error))


def _content(answer: http.client.HTTPResponse | urllib.error.HTTPError) -> Any:
    text = answer.read()
    return json.loads(text) if answer.headers["Content-Type"] == "application/json" else text.decode()


@contextmanager
def running(model: ServedModel, limits: Limits | None = None, **app: Any) -> Iterator[Client]:
    """Serve a model in a thread."""
    with listening("127.0.0.1", 0) as listener:
        made = make_app(Served.of(model, limits or Limits()), **app)
        server = uvicorn.Server(uvicorn.Config(made, log_config=None))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            wait_for(lambda: server.started)
            yield Client(f"http://127.0.0.1:{listener.getsockname()[1]}")
        finally:
            server.should_exit = True
            thread.join(30)


@contextmanager
def command(*arguments: object, cwd: Path) -> Iterator[tuple[subprocess.Popen[str], Client]]:
    """Run `foretune serve` as a process of its own, until it can be asked."""
    out = cwd / "serve.log"
    with out.open("w") as log:
        process = subprocess.Popen(
            own_command("serve", *arguments, "--port", 0, "--gpus", 0),
            stdout=log, stderr=subprocess.STDOUT, text=True, cwd=cwd, env=own_environment(),
        )  # fmt: skip
    try:
        yield process, Client(wait_for(lambda: url_in(out, process, r"at (http://\S+), described")))
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(30)
