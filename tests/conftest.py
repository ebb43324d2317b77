"""What several tests share: a real TensorBoard on a sweep's folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

import tune  # noqa: F401  (sets what torch and Ray read when they are imported)
from tests.waiting import url_in, wait_for

OURS = (
    "import logging, sys, pathlib; from tune.records.sweep_folder import SweepFolder; "
    "from tune.report.tensorboard_server import serve; "
    "logging.basicConfig(); serve(SweepFolder(pathlib.Path(sys.argv[1])), port=0)"
)
EVENT_FILES = "events.out.tfevents.*"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the files with whole sweeps first: minutes each, they would else be what the other process waits for."""
    items.sort(key=lambda item: item.get_closest_marker("sweeps") is None)


@pytest.fixture(scope="session")
def tensorboard_server() -> Callable[..., AbstractContextManager[str]]:
    """`with tensorboard_server(folder) as url:` runs TensorBoard as a process of its own, and has read the folder.

    stock=True runs `tensorboard --logdir` as a user would; otherwise `tune.report.tensorboard_server.serve`.
    """
    return _serve


@contextmanager
def _serve(folder: Path, *, stock: bool = False) -> Iterator[str]:
    events = folder / "tensorboard"
    stock_arguments = ["-m", "tensorboard.main", "--logdir", str(events), "--port=0", "--host=127.0.0.1"]
    arguments = stock_arguments if stock else ["-c", OURS, str(folder)]
    log = folder / "tensorboard.log"
    with log.open("w") as output:
        process = subprocess.Popen([sys.executable, *arguments], stdout=output, stderr=subprocess.STDOUT)
    try:
        url = wait_for(lambda: url_in(log, process, r"(http://[\w.]+:\d+/)"), "TensorBoard's URL")
        wait_for(lambda: _has_read(events, url), f"TensorBoard to read {events}")
        yield url
    finally:
        process.terminate()
        process.wait(30)


def _has_read(folder: Path, url: str) -> bool:
    """Whether every folder with event files is a run, and nothing new has come for a second."""
    written = {path.parent.relative_to(folder).as_posix() for path in folder.rglob(EVENT_FILES)}
    first = _answer(url + "data/runs"), _answer(url + "data/plugin/scalars/tags")
    time.sleep(1)
    second = _answer(url + "data/runs"), _answer(url + "data/plugin/scalars/tags")
    return first == second and written == {run.replace(os.sep, "/") for run in first[0]}


def _answer(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=30) as response:
        return json.load(response)
