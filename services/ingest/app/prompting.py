"""Verdicts on what this very process sealed, sought at once."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager

from services.common import tasks, telemetry
from services.common.seat import Seat
from services.ingest.app.judging import Judging
from services.ingest.domain.media import Media

log = logging.getLogger(__name__)


class Prompt:
    """Whoever seals an item may claim it in the same transaction, for judging.LEASE_S, and have it judged here: then no
    word of it need go round, and nobody need claim it. While there is no room for that, the word goes to all.

    Args:
        at_once: Verdicts sought here at the same time; what the word brings is counted apart.
    """

    def __init__(self, judging: Judging, *, at_once: int) -> None:
        self._judging = judging
        self._room = at_once
        self._running: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()

    @contextmanager
    def seat(self) -> Iterator[Seat[Media] | None]:
        """None: there is no room. What has taken it by the end is judged."""
        if not self._room or self._stopping.is_set():
            yield None
            return
        self._room -= 1
        seat = Seat[Media]()
        try:
            yield seat
        finally:
            if seat.taken is None:
                self._room += 1
            else:
                self._start(seat.taken)

    async def run(self) -> None:
        """Until stopped."""
        await self._stopping.wait()

    async def stop(self, within_s: float) -> None:
        """Takes no more; verdicts have `within_s` seconds. Of those that are late the claim runs out."""
        self._stopping.set()
        await tasks.drain(self._running, within_s)

    def _start(self, media: Media) -> None:
        task = asyncio.create_task(self._judge(media), name=f"judge-{media.media_id}")
        self._running.add(task)
        task.add_done_callback(self._done)

    async def _judge(self, media: Media) -> None:
        with telemetry.span("ingest_judge"):
            await self._judging.judge_claimed(media)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._room += 1
        if not task.cancelled() and (exc := task.exception()) is not None:
            log.error("a verdict broke off; its claim runs out", exc_info=exc, extra={"task": task.get_name()})
