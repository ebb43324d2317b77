"""Ray as foretune runs it: local, quiet, on loopback, with signals that end a sweep in good order."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

# Read by Ray when it is imported, so they are set when this module is.
SETTINGS = {
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",  # else `uv run` makes Ray ship the working directory to its workers
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # keeps every listener on loopback
    "RAY_AUTH_MODE": "token",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_memory_monitor_refresh_ms": "0",  # Ray's own out-of-memory kill would end the whole sweep
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_TRAIN_ENABLE_V2_MIGRATION_WARNINGS": "0",
    "RAY_DEDUP_LOGS": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
    "TUNE_GLOBAL_CHECKPOINT_S": "3600",  # a resume reads our own journal and the study, not Ray's snapshot
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
}
os.environ.update({name: os.environ.get(name, value) for name, value in SETTINGS.items()})


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
