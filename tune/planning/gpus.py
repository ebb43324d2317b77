"""The NVIDIA GPUs of a machine, what of their memory is free, and who has the rest; asked of the driver (NVML)."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import psutil

from trainables.device.nvml import open_nvml
from tune.format import memory

LEAST_USED = 0.05  # of a GPU's memory, that is worth a note: a desktop takes some


@dataclass(frozen=True)
class GpuProcess:
    """A process that has memory of a GPU; memory_bytes: None where the driver does not say how much."""

    pid: int
    name: str
    memory_bytes: int | None


@dataclass(frozen=True)
class Gpu:
    """total_bytes, free_bytes: of its memory. processes: those that compute on it."""

    name: str
    total_bytes: int
    free_bytes: int
    processes: tuple[GpuProcess, ...] = ()

    @property
    def note(self) -> str | None:
        """Say how much of its memory others have, and who; None where next to nothing is used."""
        used = self.total_bytes - self.free_bytes
        if used < LEAST_USED * self.total_bytes:
            return None
        users = [f"{p.name} ({p.pid}){_of(p.memory_bytes)}" for p in self.processes]
        who = f" by {', '.join(users)}" if users else ""
        return f"{self.name}: {memory(used)} of {memory(self.total_bytes)} are used{who}; trials get what is free"


@dataclass(frozen=True)
class DriverVersions:
    """driver: such as 580.65. cuda: the newest CUDA that it runs, such as 13.0."""

    driver: str
    cuda: str


def driver_versions() -> DriverVersions | None:
    """Return the versions of the NVIDIA driver; None without one."""
    driver = open_nvml()
    if driver is None:
        return None
    try:
        cuda = int(driver.nvmlSystemGetCudaDriverVersion_v2())  # 13020 is 13.2
        return DriverVersions(str(driver.nvmlSystemGetDriverVersion()), f"{cuda // 1000}.{cuda % 1000 // 10}")
    finally:
        driver.nvmlShutdown()


def visible_gpus() -> tuple[Gpu, ...]:
    """Return the GPUs that this process may use by CUDA_VISIBLE_DEVICES; none without a driver."""
    found = _all_gpus()
    return tuple(found[i] for i in _visible(os.environ.get("CUDA_VISIBLE_DEVICES"), len(found)))


def _visible(setting: str | None, count: int) -> list[int]:
    """Return which of `count` GPUs this process sees: those listed by number, or as many as are listed by UUID."""
    if setting is None:
        return list(range(count))
    listed = [item.strip() for item in setting.split(",") if item.strip() not in ("", "-1")]
    if all(item.isdecimal() for item in listed):
        return [int(item) for item in listed if int(item) < count]
    return list(range(min(len(listed), count)))


def _all_gpus() -> list[Gpu]:
    driver = open_nvml()
    if driver is None:
        return []
    try:
        return [_gpu(driver, driver.nvmlDeviceGetHandleByIndex(i)) for i in range(driver.nvmlDeviceGetCount())]
    finally:
        driver.nvmlShutdown()


def _gpu(driver: Any, handle: Any) -> Gpu:
    found = driver.nvmlDeviceGetMemoryInfo(handle)
    processes: list[GpuProcess] = []
    with suppress(driver.NVMLError):  # some drivers do not say
        for process in driver.nvmlDeviceGetComputeRunningProcesses(handle):
            used = process.usedGpuMemory
            processes.append(GpuProcess(int(process.pid), _name_of(process.pid), None if used is None else int(used)))
    name = driver.nvmlDeviceGetName(handle)
    return Gpu(str(name), int(found.total), int(found.free), tuple(processes))


def _of(memory_bytes: int | None) -> str:
    return "" if memory_bytes is None else f" with {memory(memory_bytes)}"


def _name_of(pid: int) -> str:
    try:
        return psutil.Process(pid).name()
    except psutil.Error:  # in another container, or gone
        return "unknown"
