"""How fast this machine multiplies matrices, and how fast it does small operations; measured in half a second."""

from __future__ import annotations

import logging
import math
import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import torch

logger = logging.getLogger(__name__)

SECONDS = 1 / 3
SMALL, CHAIN = 32_768, 200  # numbers in a tensor such as small models have, products in a chain
SIZES = {"cpu": 1024, "cuda": 4096}  # rows of a square matrix: large enough to keep the device busy
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class Speed:
    """flops: floating point operations a second of a matrix product, on all cores or on the GPU.

    operation_seconds: of one operation on a small tensor, forward and backward being two.
    """

    flops: float
    operation_seconds: float = 0.0


def measure_speed(precision: str, *, use_gpu: bool) -> Speed | None:
    """Return how fast this machine computes; None where the GPU cannot be measured.

    A GPU is measured by a process of its own: what CUDA takes of its memory is free again when the trials start.
    """
    if not use_gpu:
        return device_speed(precision, "cpu")
    try:
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
            return pool.submit(device_speed, precision, "cuda").result()
    except (RuntimeError, AssertionError) as error:  # a full GPU, a dead process; a torch without CUDA asserts
        logger.warning("the GPU could not be measured: %s", error)
        return None


def device_speed(precision: str, device: str) -> Speed:
    return Speed(product_flops(precision, device), operation_seconds(device))


def operation_seconds(device: str) -> float:
    """Time a chain of products of small tensors and their gradients, on one thread as small models are trained."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        small = torch.rand(SMALL, device=device, requires_grad=True)
        best = math.inf
        for _ in range(3):
            started = time.perf_counter()
            product = small
            for _ in range(CHAIN):
                product = product * small.detach()
            product.sum().backward()
            if device == "cuda":
                torch.cuda.synchronize()
            best = min(best, time.perf_counter() - started)
        return best / (2 * CHAIN)
    finally:
        torch.set_num_threads(threads)


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
