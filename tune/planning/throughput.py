"""How fast this machine multiplies matrices, measured in a third of a second."""

from __future__ import annotations

import logging
import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor

import torch

logger = logging.getLogger(__name__)

SECONDS = 1 / 3
SIZES = {"cpu": 1024, "cuda": 4096}  # rows of a square matrix: large enough to keep the device busy
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def measure_flops(precision: str, *, use_gpu: bool) -> float | None:
    """Return the floating point operations a second of a matrix product; None where the GPU cannot be measured.

    A GPU is measured by a process of its own: what CUDA takes of its memory is free again when the trials start.
    """
    if not use_gpu:
        return product_flops(precision, "cpu")
    try:
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
            return pool.submit(product_flops, precision, "cuda").result()
    except (RuntimeError, AssertionError) as error:  # a full GPU, a dead process; a torch without CUDA asserts
        logger.warning("the GPU could not be measured: %s", error)
        return None


@torch.no_grad()
def product_flops(precision: str, device: str, *, seconds: float = SECONDS) -> float:
    """Multiply square matrices for about so many seconds; return the operations a second."""
    size = SIZES[device]
    left, right = torch.rand(2, size, size, device=device).to(DTYPES[precision])
    _multiply(left, right)  # the first one also loads the libraries
    products = 0
    started = time.perf_counter()
    while (elapsed := time.perf_counter() - started) < seconds:
        _multiply(left, right)
        products += 1
    return 2 * size**3 * products / elapsed


def _multiply(left: torch.Tensor, right: torch.Tensor) -> None:
    torch.mm(left, right)
    if left.is_cuda:
        torch.cuda.synchronize()
