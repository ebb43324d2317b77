"""Gathers what comes within a few milliseconds into one batch, and works on one batch after the other in a thread."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Generic, TypeVar

Item = TypeVar("Item")
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class _Job(Generic[Item, Answer]):
    item: Item
    answer: asyncio.Future[Answer]


class FullError(Exception):
    """More would wait than may."""


class Batcher(Generic[Item, Answer]):
    """Answers items, each as soon as its batch is done.

    work: from items to their answers, in order; one call at a time, in a thread of its own. most: items in a batch.
    wait_seconds: how long the first of a batch waits for others. most_waiting: items in the queue.
    """

    def __init__(
        self, work: Callable[[Sequence[Item]], Sequence[Answer]], *, most: int, wait_seconds: float, most_waiting: int
    ) -> None:
        self._work, self._most, self._wait_seconds, self._most_waiting = work, most, wait_seconds, most_waiting
        self._waiting: deque[_Job[Item, Answer]] = deque()
        self._arrived = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="model")
        self.batches = 0
        self.answered = 0

    @property
    def waiting(self) -> int:
        """Return how many items are in the queue."""
        return len(self._waiting)

    async def answer(self, items: Sequence[Item]) -> list[Answer]:
        """Return the answers to items, in order; FullError, for all of them, where the queue has no room.

        An item whose batch failed raises what `work` raised. Cancelled, it leaves the queue.
        """
        if len(self._waiting) + len(items) > max(self._most_waiting, len(items)):
            raise FullError
        loop = asyncio.get_running_loop()
        jobs = [_Job[Item, Answer](item, loop.create_future()) for item in items]
        self._waiting.extend(jobs)
        self._arrived.set()
        return list(await asyncio.gather(*(job.answer for job in jobs)))

    async def run(self) -> None:
        """Work until cancelled; then the batch at work is waited for, and who still waits is cancelled."""
        try:
            while True:
                await self._work_on(await self._batch())
        finally:
            for job in self._waiting:
                job.answer.cancel()
            self._thread.shutdown()

    async def _batch(self) -> list[_Job[Item, Answer]]:
        """Wait for the first item, and a little for others."""
        while not self._waiting:
            self._arrived.clear()
            await self._arrived.wait()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._wait_seconds):
                while len(self._waiting) < self._most:
                    self._arrived.clear()
                    await self._arrived.wait()
        return [self._waiting.popleft() for _ in range(min(self._most, len(self._waiting)))]

    async def _work_on(self, jobs: Sequence[_Job[Item, Answer]]) -> None:
        jobs = [job for job in jobs if not job.answer.done()]  # whoever asked has gone
        if not jobs:
            return
        items = [job.item for job in jobs]
        try:
            answers = await asyncio.get_running_loop().run_in_executor(self._thread, self._work, items)
        except Exception as error:  # of whatever kind: it is each asker's, and the next batch may do
            for job in jobs:
                if not job.answer.done():
                    job.answer.set_exception(error)
            return
        self.batches += 1
        self.answered += len(jobs)
        for job, answer in zip(jobs, answers, strict=True):
            if not job.answer.done():
                job.answer.set_result(answer)
