"""How many threads a step gets: by its work alone."""

from __future__ import annotations

import pytest

from trainables.workload import Workload, worthwhile_threads


def work(train: float, step: float = 0.0) -> Workload:
    return Workload(1, 1, 4, train_flops=train, eval_flops=0.0, step_flops=step, activation_bytes=0)


@pytest.mark.parametrize(
    ("workload", "batch_size", "most", "threads"),
    [
        (work(20e6), 16, 2, 1),  # 0.32 GFLOP: the bundled Moirai
        (work(100e6), 64, 2, 1),  # 6.4
        (work(200e6), 64, 2, 2),  # 12.8
        (work(1200e6), 32, 16, 9),  # 38.4: a published small one
        (work(0.0, 20e9), 1, 16, 5),
        (work(1e15), 512, 16, 16),
        (None, 32, 7, 7),
    ],
)
def test_a_thread_is_worth_four_gigaflop_of_a_step(
    workload: Workload | None, batch_size: int, most: int, threads: int
) -> None:
    assert worthwhile_threads(workload, batch_size, most=most) == threads
