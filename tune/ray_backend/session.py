"""Ray as foretune runs it: local, quiet, on loopback, with signals that end a sweep in good order."""

from __future__ import annotations

import logging
import os
import re
import signal
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager
from pathlib import Path
from typing import Any

from tune.ray_backend.leftovers import mark_session, ray_temp_folder, remove_dead_sessions
from tune.ray_backend.watch import watched
from tune.records.spec import SweepError

logger = logging.getLogger(__name__)

START_ATTEMPTS = 3
# Workers look for modules first where the driver is when Ray starts: in a folder of the user's they would take its
# `data` for ours.
PACKAGES = Path(__file__).resolve().parents[2]
ENDING = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]


@contextmanager
def ray_session(*, num_cpus: int, num_gpus: int, on_death: Callable[[str], None]) -> Iterator[None]:
    """Start a local Ray with these resources (or join RAY_ADDRESS, if set), and leave it at the end.

    SIGTERM and SIGHUP then end `Tuner.fit` as Ctrl+C does: the running trials are left at their last checkpoint.
    on_death: called with the name of a process of our own Ray that has died, on a thread of its own; `Tuner.fit` will
    not return. Raises SweepError if Ray does not start.
    """
    import ray

    for name in ("ray", "ray.tune", "ray._private"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    address = os.environ.get("RAY_ADDRESS")
    resources: dict[str, Any] = {} if address else {"num_cpus": num_cpus, "num_gpus": num_gpus}
    previous: dict[int, Any] = {}
    try:
        with _deaf_children():
            if address is None:
                remove_dead_sessions(ray_temp_folder())
            session = _start_ray(address=address or "local", include_dashboard=None if address else False, **resources)
            if address is None:
                mark_session(session)
            previous = _end_gracefully_on_signals()
        with watched(on_death):
            yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
        _kill_deaf_children_at_once()
        ray.shutdown()


@contextmanager
def _deaf_children() -> Iterator[None]:
    """Processes started inside are not reached by the signals that end a sweep; here such a signal waits.

    `timeout`, systemd, SLURM and a terminal that closes signal the whole group at once. Ray without its own processes
    would hang for a minute and then abort; as it is, this process ends it in good order.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        yield
    finally:
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


def _kill_deaf_children_at_once() -> None:
    """Keep `ray.shutdown` from asking its processes to end, and waiting a second for each: they do not hear it."""
    from ray._private import worker

    if (node := worker._global_node) is not None:
        kill = node.kill_all_processes
        node.kill_all_processes = lambda **_: kill(check_alive=False, allow_graceful=False, wait=True)


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
