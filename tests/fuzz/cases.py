"""One case of drawn input: it works or ends in one message of the `UserError` family, in time and in little memory."""

from __future__ import annotations

import contextlib
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from hypothesis import settings

from data.errors import UserError

SHORT, LONG = "thousand", "twenty thousand"
LONGER = 20  # times as many cases as in the default run
SECONDS = 10.0  # of the processor, a case
WAITING_SECONDS = 120.0  # by the clock, on a machine that is busy with something else
SPARE_BYTES = 96 << 20  # that a case may take beside twice its files
LONGEST_MESSAGE = 9000  # characters


class _TooLongError(BaseException):
    """No `except Exception` of what is tested may swallow it."""


def cases(count: int) -> Callable[[Any], Any]:
    """Set how many cases a test draws in the default run."""
    return settings(max_examples=count * LONGER if settings.get_current_profile_name() == LONG else count)


def outcome(call: Callable[[], Any], *, file_bytes: int = 0) -> Any:
    """Return what a call returns, or the message of its `UserError`; anything else, and any excess, fails."""
    with within_limits(file_bytes):
        try:
            return call()
        except UserError as error:
            return checked_message(str(error))


def checked_message(message: str) -> str:
    """Return a message that can be read."""
    assert message.strip(), "an empty message"
    assert "Traceback" not in message, message
    assert len(message) < LONGEST_MESSAGE, f"{len(message)} characters: {message[:500]}"
    return message


@contextlib.contextmanager
def within_limits(file_bytes: int) -> Iterator[None]:
    """Fail a case that takes too long, or more memory than twice its files and a constant."""
    before = _reset_peak()
    started = time.process_time()
    try:
        with _alarms():
            yield
    except _TooLongError as error:
        raise AssertionError(f"a case took more than {SECONDS:g} s, or did not end") from error
    assert time.process_time() - started < SECONDS, "a case took too long"
    grown = _peak() - before
    assert grown <= 2 * file_bytes + SPARE_BYTES, f"{grown:,} bytes of memory for {file_bytes:,} of files"


@contextlib.contextmanager
def _alarms() -> Iterator[None]:
    """End a case that computes for too long, or waits without end."""
    if not hasattr(signal, "setitimer"):  # Windows
        yield
        return

    def ring(*_: object) -> None:
        raise _TooLongError

    alarms = ((signal.SIGPROF, signal.ITIMER_PROF, SECONDS), (signal.SIGALRM, signal.ITIMER_REAL, WAITING_SECONDS))
    were = [signal.signal(number, ring) for number, _, _ in alarms]
    for _, timer, seconds in alarms:
        signal.setitimer(timer, seconds)
    try:
        yield
    finally:
        for (number, timer, _), was in zip(alarms, were, strict=True):
            signal.setitimer(timer, 0)
            signal.signal(number, was)


def _reset_peak() -> int:
    """Make the process's peak of memory what it has now, and return that in bytes; 0 where the system cannot."""
    if sys.platform != "linux":
        return 0
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return _peak()


def _peak() -> int:
    if sys.platform != "linux":
        return 0
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) << 10
    return 0
