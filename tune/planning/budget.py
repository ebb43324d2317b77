"""What the machine has and what each trial may take: GPUs, their memory, CPUs."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import Literal

import psutil

from trainables.device.host_memory import memory_limit_bytes
from tune.planning.gpus import Gpu, visible_gpus
from tune.records.spec import SweepError

_UNITS = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}
_SECONDS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True)
class Machine:
    """cpus: cores this process may use. memory_bytes: that it can have of the host's; None where that is not known."""

    cpus: int
    gpus: tuple[Gpu, ...] = ()
    memory_bytes: int | None = None


@dataclass(frozen=True)
class Budget:
    """How a sweep uses a machine: `concurrent` trials at once, each with so many CPUs and such a share of a GPU."""

    concurrent: int
    cpus_per_trial: int
    gpus: int
    gpu_per_trial: float
    gpu_memory_bytes: int | None  # what one trial may allocate; None: all there is


def look_at_machine() -> Machine:
    """Count CPU cores, NVIDIA GPUs and memory, honouring CPU affinity, CUDA_VISIBLE_DEVICES and a container's limit."""
    return Machine(_cpus(), visible_gpus(), memory_limit_bytes())


def _cpus() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return psutil.cpu_count() or 1


def plan_budget(
    machine: Machine, *, gpus: int | None, max_concurrent: int | Literal["auto"] | None, gpu_memory_bytes: int | None
) -> Budget:
    """Decide how many trials run at once: one a GPU, or one on the CPUs, unless the user says otherwise.

    auto: as without a number; a plan that knows the model replaces it by one.

    Several trials on one GPU share the memory that is free, and all CPUs are divided, so that threads never outnumber
    cores.
    Raises SweepError for more than the machine has.
    """
    wanted = min(len(machine.gpus), 1) if gpus is None else gpus
    if wanted < 0:
        raise SweepError(f"--gpus must be 0 or more, got {wanted}")
    if wanted > len(machine.gpus):
        raise SweepError(
            f"--gpus must not be more than the machine has, got {wanted}, it has {len(machine.gpus)}; "
            "leave --gpus out to use what is there"
        )
    concurrent = max_concurrent if isinstance(max_concurrent, int) else max(1, wanted)
    if concurrent > machine.cpus:
        raise SweepError(f"--max-concurrent must not exceed the CPU cores, got {concurrent}, there are {machine.cpus}")
    return Budget(
        concurrent=concurrent,
        cpus_per_trial=machine.cpus // concurrent,
        gpus=wanted,
        gpu_per_trial=_gpu_share(wanted, concurrent),
        gpu_memory_bytes=_memory_per_trial(machine, wanted, concurrent, gpu_memory_bytes),
    )


def _gpu_share(gpus: int, concurrent: int) -> float:
    if gpus == 0:
        return 0.0
    trials_per_gpu = -(-concurrent // gpus)
    return 1.0 / trials_per_gpu


def _memory_per_trial(machine: Machine, gpus: int, concurrent: int, limit: int | None) -> int | None:
    if gpus == 0:
        if limit is not None:
            raise SweepError(
                f"--gpu-memory limits a GPU, got {limit / 1e9:g} GB, and this sweep has none; leave it out"
            )
        return None
    smallest = min(gpu.total_bytes for gpu in machine.gpus[:gpus])
    if limit is not None and limit > smallest:
        raise SweepError(
            f"--gpu-memory must not exceed the GPU's memory, got {limit / 1e9:.1f} GB, it has {smallest / 1e9:.1f} GB"
        )
    trials_per_gpu = -(-concurrent // gpus)
    if limit is None and trials_per_gpu == 1:
        return None
    return (limit or min(gpu.free_bytes for gpu in machine.gpus[:gpus])) // trials_per_gpu


def parse_memory(text: str) -> int:
    """Turn '8GB', '8GiB' or '8000MB' into bytes; SweepError otherwise."""
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?", plain := text.strip()):
        raise SweepError(f"--gpu-memory needs a unit, got {text!r}; give {plain}GB, {plain}GiB or {plain}MB")
    match = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([KMG]I?B|B)\s*", text.upper())
    if match is None or float(match.group(1)) == 0:
        raise SweepError(f"--gpu-memory must be a size like 8GB or 7.5GiB, got {text!r}")
    return int(float(match.group(1)) * _UNITS[match.group(2)])


def parse_duration(text: str) -> float:
    """Turn '2h', '90m' or '1h30m' into seconds; SweepError for others, a number without a unit among them."""
    parts = re.findall(r"([0-9]+(?:\.[0-9]+)?)\s*(min|[smhd])", text.lower())
    joined = "".join(number + unit for number, unit in parts)
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?", plain := text.strip()):
        raise SweepError(f"--time-budget needs a unit, got {text!r}; give {plain}h, {plain}m or {plain}s")
    units = [_SECONDS[unit] for _, unit in parts]
    if joined != re.sub(r"\s+", "", text.lower()) or not parts or units != sorted(set(units), reverse=True):
        raise SweepError(f"--time-budget must be a duration like 2h, 90m or 1h30m, got {text!r}")
    seconds = sum(float(number) * _SECONDS[unit] for number, unit in parts)
    if seconds <= 0:
        raise SweepError(f"--time-budget must be above zero, got {text!r}")
    return float(seconds)


def parse_concurrency(text: str) -> int | Literal["auto"]:
    """Turn '2' into 2, and leave 'auto'; SweepError otherwise."""
    return "auto" if text == "auto" else parse_number_at_once(text)


def parse_number_at_once(text: str) -> int:
    """Turn '2' into 2; SweepError otherwise."""
    if not text.isdecimal() or int(text) < 1:
        raise SweepError(f"--max-concurrent must be auto or a number from 1, got {text!r}")
    return int(text)
