"""How many trials at once fit into a machine, and are worth more than one after the other: `--max-concurrent auto`."""

from __future__ import annotations

from collections.abc import Sequence

import psutil

from trainables.workload import worthwhile_threads
from tune.planning.budget import Machine
from tune.planning.estimate import Load

SPARE = 0.8  # of what is free
PROCESS_BYTES = 700_000_000  # of a worker beside its model: Python, PyTorch, on a GPU CUDA's own
# A step of more operations keeps a GPU busy by itself: some milliseconds, as long as starting a thousand operations.
MOST_STEP_FLOPS = 2e11
MOST_ON_A_GPU = 4


def trials_at_once(loads: Sequence[Load], machine: Machine, *, gpus: int, free_bytes: int | None = None) -> int:
    """Return how many of the largest trials fit, each with all the threads that its step is worth.

    loads: nothing where the model does not count its work: then one. free_bytes: of the host, instead of what is
    free now. By sizes and not by a trial run: which configurations are proposed depends on how many run at once, and
    a sweep that is started again must propose the same.
    """
    if not loads:
        return max(1, gpus)
    largest = max(load.memory_bytes for load in loads) + PROCESS_BYTES
    if gpus:
        steps = [load.workload.train_flops * load.hyper.batch_size + load.workload.step_flops for load in loads]
        worth = MOST_ON_A_GPU if max(steps) <= MOST_STEP_FLOPS else 1
        fitting = int(SPARE * min(gpu.free_bytes for gpu in machine.gpus[:gpus]) / largest)
        return max(gpus, min(machine.cpus, gpus * min(worth, fitting)))
    threads = max(worthwhile_threads(load.workload, load.hyper.batch_size, most=machine.cpus) for load in loads)
    free = psutil.virtual_memory().available if free_bytes is None else free_bytes
    return max(1, min(machine.cpus // threads, int(SPARE * free / largest)))
