"""Ray as foretune runs it: local, quiet, on loopback, with signals that end a sweep in good order."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def ray_session(*, num_cpus: int, num_gpus: int) -> Iterator[None]:
    """Start a local Ray with these resources (or join RAY_ADDRESS, if set), and leave it at the end.

    SIGTERM and SIGHUP then end `Tuner.fit` as Ctrl+C does: the running trials are left at their last checkpoint.
    """
    import ray

    for name in ("ray", "ray.tune", "ray._private"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    address = os.environ.get("RAY_ADDRESS")
    resources: dict[str, Any] = {} if address else {"num_cpus": num_cpus, "num_gpus": num_gpus}
    ray.init(
        address=address or "local",
        include_dashboard=None if address else False,
        log_to_driver=False,
        logging_level=logging.CRITICAL,
        configure_logging=False,
        **resources,
    )
    previous = _end_gracefully_on_signals()
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
        ray.shutdown()


def _end_gracefully_on_signals() -> dict[int, Any]:
    if not hasattr(signal, "SIGUSR1"):  # Windows: Ctrl+C only
        return {}

    def end(_number: int, _frame: Any) -> None:
        os.kill(os.getpid(), signal.SIGUSR1)  # Ray Tune ends in good order on it

    numbers = (signal.SIGTERM, signal.SIGHUP)
    # a process started with nohup ignores SIGHUP, and goes on doing so
    wanted = [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]
    return {number: signal.signal(number, end) for number in wanted}
