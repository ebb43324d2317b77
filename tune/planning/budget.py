"""What the machine has and what each trial may take: GPUs, their memory, CPUs."""

from __future__ import annotations

import ctypes
import os
import re
from dataclasses import dataclass
from typing import Literal

import psutil

from tune.records.spec import SweepError

_UNITS = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}
_SECONDS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True)
class Machine:
    """cpus: cores this process may use; gpu_memory_bytes: of each GPU."""

    cpus: int
    gpu_names: tuple[str, ...]
    gpu_memory_bytes: tuple[int, ...]

    @property
    def gpus(self) -> int:
        return len(self.gpu_names)


@dataclass(frozen=True)
class Budget:
    """How a sweep uses a machine: `concurrent` trials at once, each with so many CPUs and such a share of a GPU."""

    concurrent: int
    cpus_per_trial: int
    gpus: int
    gpu_per_trial: float
    gpu_memory_bytes: int | None  # what one trial may allocate; None: all there is


def look_at_machine() -> Machine:
    """Count CPU cores and NVIDIA GPUs, honouring CPU affinity and CUDA_VISIBLE_DEVICES."""
    names, memory = _nvidia_gpus()
    seen = _visible(os.environ.get("CUDA_VISIBLE_DEVICES"), len(names))
    names, memory = tuple(names[i] for i in seen), tuple(memory[i] for i in seen)
    return Machine(_cpus(), names, memory)


def _visible(setting: str | None, count: int) -> list[int]:
    """Return which of `count` GPUs this process sees: those listed by number, or as many as are listed by UUID."""
    if setting is None:
        return list(range(count))
    listed = [item.strip() for item in setting.split(",") if item.strip() not in ("", "-1")]
    if all(item.isdecimal() for item in listed):
        return [int(item) for item in listed if int(item) < count]
    return list(range(min(len(listed), count)))


def _cpus() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return psutil.cpu_count() or 1


def _has_nvidia_driver() -> bool:
    """Whether NVML's library is there: the module that reads it takes longer to import than all that is checked."""
    if os.name == "nt":
        return True  # it may be in several folders
    try:
        ctypes.CDLL("libnvidia-ml.so.1")
    except OSError:
        return False
    return True


def _nvidia_gpus() -> tuple[tuple[str, ...], tuple[int, ...]]:
    if not _has_nvidia_driver():
        return (), ()
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return (), ()  # no NVIDIA driver: a machine without a GPU
    try:
        handles = [pynvml.nvmlDeviceGetHandleByIndex(i) for i in range(pynvml.nvmlDeviceGetCount())]
        names = tuple(str(pynvml.nvmlDeviceGetName(h)) for h in handles)
        return names, tuple(int(pynvml.nvmlDeviceGetMemoryInfo(h).total) for h in handles)
    finally:
        pynvml.nvmlShutdown()


def plan_budget(
    machine: Machine, *, gpus: int | None, max_concurrent: int | Literal["auto"] | None, gpu_memory_bytes: int | None
) -> Budget:
    """Decide how many trials run at once: one a GPU, or one on the CPUs, unless the user says otherwise.

    auto: as without a number; a plan that knows the model replaces it by one.

    Several trials on one GPU share its memory, and all CPUs are divided, so that threads never outnumber cores.
    Raises SweepError for more than the machine has.
    """
    wanted = min(machine.gpus, 1) if gpus is None else gpus
    if wanted < 0:
        raise SweepError(f"--gpus must be 0 or more, got {wanted}")
    if wanted > machine.gpus:
        raise SweepError(
            f"--gpus must not be more than the machine has, got {wanted}, it has {machine.gpus}; "
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
    smallest = min(machine.gpu_memory_bytes[:gpus])
    if limit is not None and limit > smallest:
        raise SweepError(
            f"--gpu-memory must not exceed the GPU's memory, got {limit / 1e9:.1f} GB, it has {smallest / 1e9:.1f} GB"
        )
    trials_per_gpu = -(-concurrent // gpus)
    if limit is None and trials_per_gpu == 1:
        return None
    return (limit or smallest) // trials_per_gpu


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
