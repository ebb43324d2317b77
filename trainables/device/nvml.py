"""NVIDIA's management library (NVML), where its driver is there."""

from __future__ import annotations

import ctypes
import os
from typing import Any


def has_driver() -> bool:
    """Whether NVML's library is there: the module that reads it takes longer to import than all that is checked."""
    if os.name == "nt":
        return True  # it may be in several folders
    try:
        ctypes.CDLL("libnvidia-ml.so.1")
    except OSError:
        return False
    return True


def open_nvml() -> Any:
    """Return the module `pynvml`, initialised, or None without an NVIDIA driver; nvmlShutdown closes it."""
    if not has_driver():
        return None
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return None
    return pynvml
