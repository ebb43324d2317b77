"""What the driver says of GPUs; the driver is made up."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from trainables.device import nvml as nvml_module
from tune.planning.gpus import Gpu, GpuProcess, visible_gpus

GB = 10**9


class NvmlError(Exception):
    pass


def processes_of(handle: str) -> list[Any]:
    if handle == "B":
        raise NvmlError
    gone = 2**31 - 1
    return [SimpleNamespace(pid=gone, usedGpuMemory=20 * GB), SimpleNamespace(pid=gone - 1, usedGpuMemory=None)]


@pytest.fixture
def nvml(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A driver with card A of 80 GB, 30 of them used by two processes, and B of 40 GB, whose processes it does not
    name; what was opened and closed."""
    calls: list[str] = []
    fake = ModuleType("pynvml")
    fake.__dict__.update(
        NVMLError=NvmlError,
        nvmlInit=lambda: calls.append("open"),
        nvmlShutdown=lambda: calls.append("close"),
        nvmlDeviceGetCount=lambda: 2,
        nvmlDeviceGetHandleByIndex=lambda index: "AB"[index],
        nvmlDeviceGetName=lambda handle: handle,
        nvmlDeviceGetMemoryInfo=lambda handle: SimpleNamespace(
            total={"A": 80, "B": 40}[handle] * GB, free={"A": 50, "B": 40}[handle] * GB
        ),
        nvmlDeviceGetComputeRunningProcesses=processes_of,
    )
    monkeypatch.setitem(sys.modules, "pynvml", fake)
    monkeypatch.setattr(nvml_module, "has_driver", lambda: True)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return calls


def test_each_gpu_has_its_memory_and_who_uses_it(nvml: list[str]) -> None:
    first, second = visible_gpus()
    processes = (GpuProcess(2**31 - 1, "unknown", 20 * GB), GpuProcess(2**31 - 2, "unknown", None))
    assert first == Gpu("A", 80 * GB, 50 * GB, processes)
    assert second == Gpu("B", 40 * GB, 40 * GB)
    assert nvml == ["open", "close"]


def test_a_gpu_that_others_use_is_worth_a_note(nvml: list[str]) -> None:
    first, second = visible_gpus()
    assert first.note == (
        "A: 30.0 GB of 80.0 GB are used by unknown (2147483647) with 20.0 GB, unknown (2147483646); "
        "trials get what is free"
    )
    assert second.note is None


def test_a_driver_that_does_not_start_is_none(nvml: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise NvmlError

    monkeypatch.setattr(sys.modules["pynvml"], "nvmlInit", fail)
    assert visible_gpus() == ()


def test_without_a_driver_its_module_is_not_even_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nvml_module, "has_driver", lambda: False)
    monkeypatch.setitem(sys.modules, "pynvml", None)  # an import would fail
    assert visible_gpus() == ()


@pytest.mark.parametrize(
    ("visible", "names"),
    [
        ("0,1", "AB"),
        ("1", "B"),
        ("1,0", "BA"),
        ("7", ""),
        ("", ""),
        ("-1", ""),
        ("GPU-4f2a", "A"),
    ],
)
def test_gpus_are_those_that_the_process_may_see(
    nvml: list[str], visible: str, names: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert "".join(gpu.name for gpu in visible_gpus()) == names
