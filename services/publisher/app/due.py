"""Work that is due: claimed from the database, a bounded number at once.

Events and timers only say "look now". What is due is a question to the database, asked at least every `poll_s`, so no
lost message and no crash leaves anything behind.
"""

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Coroutine
from typing import Any

from services.common import tasks

log = logging.getLogger("publisher.due")

POLL_S = 1.0


class DueWork(ABC):
    """One loop. What it starts is in `_running` until it is over.

    Args:
        gather_s: What becomes due or is done within this time is claimed for together.
    """

    def __init__(self, *, poll_s: float = POLL_S, gather_s: float = 0.0) -> None:
        self._poll_s = poll_s
        self._gather_s = gather_s
        self._due = asyncio.Event()
        self._running: set[asyncio.Task[None]] = set()
        self._stopping = False

    def wake(self) -> None:
        """Something may be due."""
        self._due.set()

    async def run(self) -> None:
        """Until stopped. What _start_due raises passes through: run it again."""
        while not self._stopping:
            self._due.clear()
            await self._start_due()
            await asyncio.sleep(self._gather_s)
            try:
                async with asyncio.timeout(self._poll_s):
                    await self._due.wait()
            except TimeoutError:
                continue

    async def stop(self, within_s: float) -> None:
        """Takes on no more; what was begun has `within_s` seconds, then it is handed back."""
        self._stopping = True
        self.wake()
        await tasks.drain(self._running, within_s)

    @abstractmethod
    async def _start_due(self) -> None:
        """Claims as much as there is room for, and begins it."""

    def _begin(self, work: Coroutine[Any, Any, None], name: str) -> "asyncio.Task[None]":
        task = asyncio.create_task(work, name=name)
        self._running.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._running.discard(task)
        self.wake()
        if not task.cancelled() and (fault := task.exception()) is not None:
            log.error("it broke off; its lease will end", exc_info=fault, extra={"task": task.get_name()})
