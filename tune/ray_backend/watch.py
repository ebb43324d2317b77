"""Ray's own processes: a search that loses one of them is ended at once, where Ray would wait for it for ever."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

NEEDED = ("raylet", "gcs_server")  # without the one nothing runs, without the other Ray aborts this process in a minute
LAST_WILL = Path(__file__).with_name("last_will.py")
LOOKS_SECONDS = 0.5
LOOKS_A_CENSUS = 10  # children of children are counted this much less often: it takes a look at every process
YOUNG_LOOKS = 20  # until when they are counted at every look: Ray's agents start after it


@contextmanager
def watched(on_death: Callable[[str], None]) -> Iterator[None]:
    """Call on_death(name), on a thread of its own, when a process that Ray needs has died and the others are ended.

    If this process is killed, its Ray is ended by a small process of its own: Ray's agents would stay for a minute.
    Of a Ray that was joined nothing is a child of this process, and nothing is watched.
    """
    ended = threading.Event()
    watch = _Watch(on_death, ended)
    watch.start()
    with start_last_will() as last_will:
        try:
            yield
        finally:
            ended.set()
            last_will.kill()


def start_last_will() -> subprocess.Popen[bytes]:
    """Start a small process that ends this one's children as they are now, should this one be killed."""
    family = [f"{process.pid}:{process.create_time()}" for process in _children()]
    command = [sys.executable, "-I", str(LAST_WILL), *family]
    return subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)


class _Watch(threading.Thread):
    def __init__(self, on_death: Callable[[str], None], ended: threading.Event) -> None:
        super().__init__(name="watch over Ray", daemon=True)
        self.on_death, self.ended = on_death, ended
        self.needed = {process: process.name() for process in needed_processes()}
        self.family = _children()

    def run(self) -> None:
        looks = 0
        while not self.ended.wait(LOOKS_SECONDS):
            dead = next((name for process, name in self.needed.items() if not _is_alive(process)), None)
            if dead is not None and not self.ended.is_set():
                self._end_all()
                self.on_death(dead)
                return
            looks += 1
            if looks <= YOUNG_LOOKS or looks % LOOKS_A_CENSUS == 0:
                self.family = _children()

    def _end_all(self) -> None:
        """End what is left of Ray: workers and agents are no children of ours any more once the raylet is dead."""
        end_processes({*self.family, *_children()})


def end_processes(processes: Iterable[psutil.Process]) -> None:
    """End processes at once; those that have gone are left."""
    for process in processes:
        with suppress(psutil.Error):
            process.kill()


def children_of_needed() -> list[psutil.Process]:
    """Return all that Ray's own processes have started, as it is now."""
    found: list[psutil.Process] = []
    for process in needed_processes():
        with suppress(psutil.Error):
            found += process.children(recursive=True)
    return found


def needed_processes() -> list[psutil.Process]:
    """Return those processes of Ray that this one has started and cannot do without; not those that have died."""
    return [child for child in psutil.Process().children() if _is_alive(child) and child.name() in NEEDED]


def _children() -> list[psutil.Process]:
    return psutil.Process().children(recursive=True)


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
