"""Processes that the system ends because the machine's memory ran out: they leave no word, so a mark is left before."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from data.errors import DamagedFileError
from data.files import read_object, replace_text

VMSTAT = Path("/proc/vmstat")
# Limits of this process's container, cgroups of version 2 and 1.
CGROUP_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


def memory_kills() -> int:
    """Count the processes that Linux has ended for want of memory since it started; 0 where it does not say.

    Source: the field oom_kill of /proc/vmstat, which has those of containers too.
    """
    with suppress(OSError, ValueError):
        for line in VMSTAT.read_text(encoding="ascii").splitlines():
            name, _, value = line.partition(" ")
            if name == "oom_kill":
                return int(value)
    return 0


def memory_limit_bytes() -> int:
    """Return the memory that this process can have: the machine's, or its container's."""
    limits = [psutil.virtual_memory().total]
    for file in CGROUP_LIMITS:
        with suppress(OSError, ValueError):
            limits.append(int(file.read_text(encoding="ascii")))
    return min(limits)


@dataclass(frozen=True)
class WorkerMark:
    """What a worker leaves in a trial's folder while it works on it; one that is still there was killed.

    kills: `memory_kills` when it began. deaths: how many workers of this trial were killed for want of memory before.
    micro_batch_size: that it began with, 0 until that is known.
    """

    kills: int
    deaths: int = 0
    micro_batch_size: int = 0

    def write(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        replace_text(file, json.dumps(asdict(self)), is_lasting=False)

    @classmethod
    def read(cls, file: Path) -> WorkerMark | None:
        """Read the mark of a worker; None where it has come to its end, or cannot be read."""
        try:
            return cls(**{name: int(value) for name, value in read_object(file).items()})
        except (FileNotFoundError, DamagedFileError, TypeError, ValueError):
            return None

    @property
    def deaths_now(self) -> int:
        """How many workers were killed for want of memory, the one that left this mark among them."""
        return self.deaths + (memory_kills() > self.kills)
