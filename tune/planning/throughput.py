"""How fast this machine multiplies matrices, starts operations and passes over numbers; measured in half a second."""

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
SMALL, LARGE = 1_000, 262_144  # numbers in a tensor: the start of an operation is all its time, or none of it
CHAIN = 100  # products in a chain
SIZES = {"cpu": 1024, "cuda": 4096}  # rows of a square matrix: large enough to keep the device busy
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class Speed:
    """flops: floating point operations a second of a matrix product, on all cores or on the GPU.

    operation_seconds: of starting an operation, forward and backward being two. number_seconds: of a number in a tensor
    that an operation passes over, with one thread and with all.
    """

    flops: float
    operation_seconds: float = 0.0
    number_seconds: tuple[float, float] = (0.0, 0.0)

    def seconds_a_number(self, share: float) -> float:
        """Return what a number takes with a share of the threads; no more than with one of them."""
        one, all_ = self.number_seconds
        return min(one, all_ / share)


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
    flops = product_flops(precision, device)
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        start, one = chain_seconds(SMALL, device), chain_seconds(LARGE, device)
    finally:
        torch.set_num_threads(threads)
    of_all = chain_seconds(LARGE, device)
    return Speed(flops, start, ((one - start) / LARGE, max(0.0, of_all - start) / LARGE))


def chain_seconds(numbers: int, device: str) -> float:
    """Time one operation of a chain of products of tensors with so many numbers, and of their gradients."""
    factor = torch.rand(numbers, device=device)
    best = math.inf
    for _ in range(3):
        started = time.perf_counter()
        product = first = torch.rand(numbers, device=device, requires_grad=True)
        for _ in range(CHAIN):
            product = product * factor
        product.sum().backward()
        if device == "cuda":
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - started)
        del product, first
    return best / (2 * CHAIN)


@torch.no_grad()
def product_flops(precision: str, device: str, *, seconds: float = SECONDS) -> float:
    """Multiply square matrices for so many seconds; return the operations a second of the fastest product.

    What else the machine does meanwhile, such as starting Ray, makes the others slower.
    """
    size = SIZES[device]
    left, right = torch.rand(2, size, size, device=device).to(DTYPES[precision])
    _multiply(left, right)  # the first one also loads the libraries
    fastest, started = math.inf, time.perf_counter()
    while (before := time.perf_counter()) < started + seconds:
        _multiply(left, right)
        fastest = min(fastest, time.perf_counter() - before)
    return 2 * size**3 / fastest


def _multiply(left: torch.Tensor, right: torch.Tensor) -> None:
    torch.mm(left, right)
    if left.is_cuda:
        torch.cuda.synchronize()
