"""Who and what is let in, whatever way the bytes come."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from services.common.errors import Code, MediaError
from services.common.plans import Plans
from services.ingest.domain import formats
from services.ingest.domain.formats import SNIFF_BYTES, Format
from services.ingest.domain.quotas import Quota
from services.ingest.ports import MediaTable, SecondOpinion

RETRY_AFTER_S = 15
LIGHT_BYTES = 1 << 20  # what an upload may have in memory without a place
PLACE_WAIT_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadLimits:
    """What is refused at the door.

    Attributes:
        at_once: Uploads with more than LIGHT_BYTES in memory.   under_way: all of them, those of slow clients too.
        backlog_…: See ports.Backlog.
    """

    at_once: int
    under_way: int
    backlog_workspace: int
    backlog_total: int
    quotas: Plans[Quota]


class Place:
    """One upload's share of the memory. A slow client, whose bytes hardly fill any, keeps no place from others."""

    def __init__(self, places: asyncio.Semaphore) -> None:
        self._places = places
        self._taken = False

    async def holds(self, size_bytes: int) -> None:
        """Told what the upload has in memory; waits for a place, or gives it back.

        Raises:
            MediaError: UPSTREAM_BUSY, none has become free.
        """
        if size_bytes <= LIGHT_BYTES:
            self.leave()
        elif not self._taken:
            try:
                async with asyncio.timeout(PLACE_WAIT_S):
                    await self._places.acquire()
            except TimeoutError as exc:
                raise busy() from exc
            self._taken = True

    def leave(self) -> None:
        """Gives it back, if there is one."""
        if self._taken:
            self._taken = False
            self._places.release()


class Door:
    """Bounds what is taken in at once, and in advance of its scan."""

    def __init__(self, table: MediaTable, limits: UploadLimits) -> None:
        self._table = table
        self._limits = limits
        self._under_way = 0
        self._places = asyncio.Semaphore(limits.at_once)

    async def admit(self, workspace_id: str) -> None:
        """Raises MediaError: UPSTREAM_BUSY, SCANNER_UNAVAILABLE."""
        self._check()
        owed = await self._table.backlog(workspace_id)
        if owed.workspace >= self._limits.backlog_workspace or owed.total >= self._limits.backlog_total:
            raise MediaError(Code.SCANNER_UNAVAILABLE, retry_after_s=RETRY_AFTER_S)

    def quota(self, plan: str) -> Quota:
        """What a workspace of that plan may hold."""
        return self._limits.quotas.of(plan)

    @contextmanager
    def place(self) -> Iterator[Place]:
        """Held while bytes come in. Raises MediaError: UPSTREAM_BUSY."""
        self._check()
        self._under_way += 1
        place = Place(self._places)
        try:
            yield place
        finally:
            place.leave()
            self._under_way -= 1

    def _check(self) -> None:
        if self._places.locked() or self._under_way >= self._limits.under_way:
            raise busy()


def busy() -> MediaError:
    """Too much is under way."""
    return MediaError(Code.UPSTREAM_BUSY, upstream="ingest", retry_after_s=1)


async def recognise(opinion: SecondOpinion, head: bytes) -> Format:
    """Two tables must agree: ours picks the format, libmagic may object.

    Raises:
        MediaError: MEDIA_TYPE_UNSUPPORTED.
    """
    first = head[:SNIFF_BYTES]
    format_ = formats.sniff(first)
    if format_ is None or await opinion(first) not in format_.libmagic:
        raise MediaError(Code.MEDIA_TYPE_UNSUPPORTED)
    return format_
