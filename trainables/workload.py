"""What a trial costs, and how many threads that is worth on a CPU."""

from __future__ import annotations

from dataclasses import dataclass

# Of an optimiser step, below which another thread costs more than it saves: waking it for each of a thousand small
# operations. Measured on two cores with Moirai from 96 to 384 wide (docs/benchmarks.md): with 3 GFLOP a step a second
# thread makes it 1.7 times as long, with 6 it changes nothing, with 13 it saves a sixth, with 77 two fifths.
FLOPS_A_THREAD = 4e9


@dataclass(frozen=True)
class Workload:
    """What a trial costs, counted from the sizes of its model and task, not measured.

    parameters, trainable: numbers of weights. weight_bytes: all weights as they lie in memory.
    train_flops, eval_flops: of one window, forward and backward, and forward alone; step_flops: of what every
    optimiser step computes once, whatever its batch. activation_bytes: of one training window.
    step_operations, eval_operations: how many an optimiser step, and a batch of validation, is made of: their number,
    and not their arithmetic, is the time of a small model. eval_numbers: what the validation of a window passes over
    beside the model itself, such as draws.
    """

    parameters: int
    trainable: int
    weight_bytes: int
    train_flops: float
    eval_flops: float
    step_flops: float
    activation_bytes: int
    step_operations: int = 0
    eval_operations: int = 0
    eval_numbers: int = 0


def worthwhile_threads(workload: Workload | None, batch_size: int, *, most: int) -> int:
    """Return how many threads to train with, all where the work is not known.

    By a rule and not by a measurement: the last digit of a sum depends on the number of threads, and a trial that is
    run again must end at the same numbers.
    """
    if workload is None:
        return most
    step = workload.train_flops * batch_size + workload.step_flops
    return max(1, min(most, int(step / FLOPS_A_THREAD)))
