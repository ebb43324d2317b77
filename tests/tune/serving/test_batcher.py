"""The queue before the model: what becomes one batch, and who leaves it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any

import pytest

from tune.serving.batcher import Batcher, FullError


class Recorded:
    """Doubles numbers, and remembers in which batches; while `gate` is closed it does not begin."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.gate = threading.Event()
        self.gate.set()

    def __call__(self, items: Sequence[int]) -> list[int]:
        assert self.gate.wait(30)
        self.batches.append(list(items))
        if 13 in items:
            raise ValueError("13")
        return [2 * item for item in items]


def run(scenario: Callable[[Batcher[int, int], Recorded], Awaitable[Any]], **how: Any) -> tuple[Any, Recorded]:
    work = Recorded()

    async def main() -> Any:
        batcher = Batcher(work, **{"most": 4, "wait_seconds": 0.05, "most_waiting": 100, **how})
        task = asyncio.create_task(batcher.run())
        try:
            return await asyncio.wait_for(scenario(batcher, work), 30)  # type: ignore[arg-type]
        finally:
            work.gate.set()
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    return asyncio.run(main()), work


def test_what_comes_within_the_wait_is_one_batch() -> None:
    async def scenario(batcher: Batcher[int, int], _: Recorded) -> Any:
        async def late() -> list[int]:
            await asyncio.sleep(0.01)
            return await batcher.answer([3])

        return await asyncio.gather(batcher.answer([1, 2]), late())

    found, work = run(scenario, wait_seconds=10.0, most=3)
    assert found == [[2, 4], [6]]
    assert work.batches == [[1, 2, 3]]  # full, and so before the wait is over


def test_a_batch_is_no_larger_than_it_may_be_and_keeps_the_order() -> None:
    async def scenario(batcher: Batcher[int, int], _: Recorded) -> Any:
        return await asyncio.gather(batcher.answer([1, 2, 3]), batcher.answer([4, 5, 6]))

    found, work = run(scenario)
    assert found == [[2, 4, 6], [8, 10, 12]]
    assert work.batches == [[1, 2, 3, 4], [5, 6]]


def test_one_that_has_gone_is_not_worked_on() -> None:
    async def scenario(batcher: Batcher[int, int], work: Recorded) -> Any:
        work.gate.clear()
        first = asyncio.create_task(batcher.answer([1]))
        await asyncio.sleep(0.2)  # it is with the model
        gone, stays = (asyncio.create_task(batcher.answer([i])) for i in (2, 3))
        await asyncio.sleep(0)
        gone.cancel()
        with suppress(asyncio.CancelledError):
            await gone
        work.gate.set()
        return await first, await stays

    found, work = run(scenario)
    assert found == ([2], [6])
    assert work.batches == [[1], [3]]


def test_a_full_queue_takes_no_more_and_then_does_again() -> None:
    async def scenario(batcher: Batcher[int, int], work: Recorded) -> Any:
        work.gate.clear()
        first = asyncio.create_task(batcher.answer([1]))
        await asyncio.sleep(0.2)
        second = asyncio.create_task(batcher.answer([2, 3]))
        await asyncio.sleep(0)
        assert batcher.waiting == 2
        with pytest.raises(FullError):
            await batcher.answer([4])
        work.gate.set()
        await asyncio.gather(first, second)
        return await batcher.answer([5, 6, 7])  # more than the queue may hold, into an empty one

    assert run(scenario, most_waiting=2)[0] == [10, 12, 14]


def test_a_failure_is_its_batchs_alone() -> None:
    async def scenario(batcher: Batcher[int, int], _: Recorded) -> Any:
        with pytest.raises(ValueError, match="13"):
            await batcher.answer([13])
        return await batcher.answer([1])

    assert run(scenario)[0] == [2]
