"""Ray as foretune runs it: local, quiet, on loopback, with signals that end a sweep in good order."""

from __future__ import annotations

import atexit
import logging
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tune.ray_backend.leftovers import mark_session, ray_temp_folder, remove_dead_sessions
from tune.ray_backend.watch import children_of_needed, end_processes, start_last_will, watched
from tune.records.spec import SweepError

logger = logging.getLogger(__name__)

START_ATTEMPTS = 3
PRELOADED = "RAY_preload_python_modules"  # in the environment: what each worker imports when it starts
# Workers look for modules first where the driver is when Ray starts: in a folder of the user's they would take its
# `data` for ours.
PACKAGES = Path(__file__).resolve().parents[2]
ENDING = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]


@dataclass(frozen=True)
class Resources:
    """What a Ray of our own is started with.

    trials: so many run at once. Ray's CPUs are their places, and not the cores of the machine, because it starts a
    worker for each at once. modules: what these workers import before there is a trial.
    """

    trials: int
    gpus: int
    modules: tuple[str, ...]


class _Start(threading.Thread):
    """The start of Ray, which is waiting for other processes, beside what this one has to import.

    The thread lives as long as Ray: Linux ends Ray's processes with the thread that has started them.
    """

    def __init__(self, resources: Resources) -> None:
        super().__init__(name="start of Ray", daemon=True)
        self.resources = resources
        self.error: Exception | None = None
        self.last_will: subprocess.Popen[bytes] | None = None
        self.mask = _block_signals()  # until the processes that it starts have somebody who ends them
        self.is_up, self.is_over = threading.Event(), threading.Event()
        self.began = self.ended = time.time()

    def run(self) -> None:
        try:
            with _deaf_children():
                _join_or_start(self.resources)
                self.last_will = start_last_will()
        except Exception as error:  # raised where Ray is needed
            self.error = error
        self.ended = time.time()
        self.is_up.set()
        self.is_over.wait()

    def wait(self) -> None:
        """Wait until Ray runs, and the working folder is what it was."""
        self.is_up.wait()
        _unblock_signals(self.mask)


_start: _Start | None = None  # of a Ray that nobody has waited for yet


def begin_ray(resources: Resources) -> None:
    """Start Ray, or join RAY_ADDRESS, on a thread; `ray_session` waits for it.

    Until then nothing may go by the working folder, which the start changes for a moment. Ends with the process, should
    there be no session.
    """
    global _start
    if _start is None:
        _start = _Start(resources)
        _start.start()
        atexit.register(_end_what_has_begun)


def _end_what_has_begun() -> None:
    if _start is not None:
        _start.wait()
        _kill_deaf_children_at_once()  # Ray ends itself after this, at the exit of the process


def wait_for_begun_ray() -> None:
    """Wait until a start that has begun is over."""
    if _start is not None:
        _start.wait()


@contextmanager
def ray_session(resources: Resources, *, on_death: Callable[[str], None]) -> Iterator[tuple[float, float]]:
    """Have a local Ray with these resources (or join RAY_ADDRESS, if set), and leave it at the end.

    Yields from when to when it started, in seconds since 1970.

    SIGTERM and SIGHUP then end `Tuner.fit` as Ctrl+C does: the running trials are left at their last checkpoint.
    on_death: called with the name of a process of our own Ray that has died, on a thread of its own; `Tuner.fit` will
    not return. Raises SweepError if Ray does not start.
    """
    global _start
    import ray

    previous: dict[int, Any] = {}
    begin_ray(resources)
    assert _start is not None
    start, _start = _start, None
    try:
        start.wait()
        if start.error is not None:
            raise start.error
        previous = _end_gracefully_on_signals()
        with watched(on_death):
            if start.last_will is not None:
                start.last_will.kill()
                start.last_will.wait()
            yield start.began, start.ended
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
        with _deaf_to_ctrl_c():  # a second one would leave Ray's agents behind for a minute
            _kill_deaf_children_at_once()
            ray.shutdown()
        start.is_over.set()


def _join_or_start(resources: Resources) -> None:
    for name in ("ray", "ray.tune", "ray._private"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    address = os.environ.get("RAY_ADDRESS")
    if address is not None:
        _start_ray(address=address, include_dashboard=None)
        return
    remove_dead_sessions(ray_temp_folder())
    os.environ[PRELOADED] = ",".join(resources.modules)
    mark_session(
        _start_ray(address="local", include_dashboard=False, num_cpus=resources.trials, num_gpus=resources.gpus)
    )


@contextmanager
def _deaf_to_ctrl_c() -> Iterator[None]:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _deaf_children() -> Iterator[None]:
    """Processes started inside are not reached by the signals that end a sweep; here such a signal waits.

    `timeout`, systemd, SLURM and a terminal that closes signal the whole group at once. Ray without its own processes
    would hang for a minute and then abort; as it is, this process ends it in good order.
    """
    before = _block_signals()
    try:
        yield
    finally:
        _unblock_signals(before)


def _block_signals() -> set[signal.Signals] | None:
    """Let this thread, and the processes that it starts, wait for the signals that end a sweep; return what was."""
    if not hasattr(signal, "pthread_sigmask"):
        return None
    return signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)  # type: ignore[return-value]  # typed as int or Signals


def _unblock_signals(before: set[signal.Signals] | None) -> None:
    if before is not None:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _start_ray(**options: Any) -> Path:
    """Start or join Ray and return its session's folder; on a busy machine its own limit of 30 s, which cannot be set,
    may pass: then try again."""
    import ray

    for attempt in range(1, START_ATTEMPTS + 1):
        try:
            _keep_ray_off_the_terminal()
            with chdir(PACKAGES):
                joined = ray.init(
                    log_to_driver=False, logging_level=logging.CRITICAL, configure_logging=False, **options
                )
            return Path(joined.address_info["session_dir"])
        except Exception as error:  # Ray raises plain Exception and RuntimeError for a start that took too long
            ray.shutdown()
            if "imed out" not in str(error) or attempt == START_ATTEMPTS:
                raise SweepError(f"Ray could not be started: {_reason(error)}") from error
            logger.warning("Ray did not start in time, trying again")
    raise AssertionError("the last attempt returns or raises")


def _keep_ray_off_the_terminal() -> None:
    """Log what Ray's processes publish, such as fifty lines of the state of one that died; no setting keeps Ray from
    printing it on the driver's terminal."""
    from ray._private import worker

    worker.print_to_stdstream = lambda data, **_: logger.debug("%s", data)


def use_warm_workers() -> None:
    """Keep Tune from asking for workers with an environment of their own, which none of those that wait has.

    What Tune would set is in the environment of our own Ray already.
    """
    from ray.tune.execution import class_cache

    if "RAY_ADDRESS" not in os.environ:
        class_cache.DEFAULT_ENV_VARS.clear()
        class_cache.ENV_VARS_TO_PROPAGATE.clear()


def _kill_deaf_children_at_once() -> None:
    """Keep `ray.shutdown` from asking its processes to end, and waiting a second for each: they do not hear it.

    Agents and workers are the raylet's children, and may stay for a minute when that has gone: they are ended too.
    """
    from ray._private import worker

    if (node := worker._global_node) is not None:
        kill = node.kill_all_processes

        def kill_all(**_: Any) -> None:
            of_raylet = children_of_needed()
            kill(check_alive=False, allow_graceful=False, wait=True)
            end_processes(of_raylet)

        node.kill_all_processes = kill_all


def _reason(error: Exception) -> str:
    """Say in words why Ray did not start, and what helps."""
    text = str(error) or type(error).__name__
    if limit := re.search(r"AF_UNIX path length cannot exceed (\d+) bytes", text):
        return (
            f"it keeps sockets under {ray_temp_folder()}, and the path of a socket must not be longer than {limit[1]} "
            "bytes; set RAY_TMPDIR to a short folder, like /tmp"
        )
    if "imed out" in text:
        return f"{text.splitlines()[0]}; is the machine overloaded? Try again when it is less busy"
    return text.splitlines()[0]


def _end_gracefully_on_signals() -> dict[int, Any]:
    if not hasattr(signal, "SIGUSR1"):  # Windows: Ctrl+C only
        return {}

    def end(_number: int, _frame: Any) -> None:
        if signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL:  # `Tuner.fit` has not begun, or is over
            raise KeyboardInterrupt
        os.kill(os.getpid(), signal.SIGUSR1)  # Ray Tune ends in good order on it

    # a process started with nohup ignores SIGHUP, and goes on doing so
    wanted = [number for number in ENDING if signal.getsignal(number) is not signal.SIG_IGN]
    return {number: signal.signal(number, end) for number in wanted}
