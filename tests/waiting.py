"""Waiting for what another process or thread does."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

STARTUP_SECONDS = 120


def wait_for(question: Callable[[], Any], what: str = "the answer") -> Any:
    """Ask again and again until the answer is true, and return it."""
    deadline = time.monotonic() + STARTUP_SECONDS
    while time.monotonic() < deadline:
        if answer := question():
            return answer
        time.sleep(0.05)
    raise TimeoutError(f"waited {STARTUP_SECONDS} s for {what}")


def url_in(log: Path, process: subprocess.Popen[Any], pattern: str) -> str | None:
    """Return what a server has printed of its address; the pattern's first group, None before. It must still run."""
    text = log.read_text()
    assert process.poll() is None, text
    found = re.search(pattern, text)
    return found[1] if found else None
