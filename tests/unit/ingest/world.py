"""Everything ingest does, wired to the world in memory."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from itertools import count
from typing import Literal

from prometheus_client import CollectorRegistry

from services.common.context import CallContext
from services.common.plans import Plans
from services.ingest.adapters.metrics import Metrics
from services.ingest.app.admitting import Door, UploadLimits
from services.ingest.app.cleaning import Cleaning
from services.ingest.app.describing import Describing
from services.ingest.app.frames import End, Frame, Start
from services.ingest.app.judging import Judging
from services.ingest.app.prompting import Prompt
from services.ingest.app.reading import Reading
from services.ingest.app.removing import Removing
from services.ingest.app.rendering import Rendering
from services.ingest.app.resuming import Resuming
from services.ingest.app.sealing import Sealing
from services.ingest.app.sweeping import Sweeping
from services.ingest.app.upload_sweeping import UploadSweeping
from services.ingest.app.uploading import Uploading
from services.ingest.domain.media import Media
from services.ingest.domain.quotas import Quota
from services.ingest.ports import Announcement, Ref, UploadTable
from services.ingest.ports import Store as StorePort
from tests.unit.ingest.fakes import Clock, Scanner, Store, Table, Uploads

CALLER = CallContext(workspace_id="ws_1", request_id="req_1", plan="pro")
JPEG_HEAD = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + bytes(4096)
MP4_HEAD = b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isomiso2" + bytes(4096)
QUOTA = Quota(media=100, bytes=1_000_000_000, uploads=100)
LIMITS = UploadLimits(at_once=2, under_way=4, backlog_workspace=3, backlog_total=5, quotas=Plans({"pro": QUOTA}))


class World:
    """One of each. `opinion` is what libmagic is made to say."""

    def __init__(self, limits: UploadLimits = LIMITS, *, prompt_verdicts: int = 0) -> None:
        self.clock = Clock()
        self.table = Table(self.clock)
        self.quarantine = Store(name="quarantine")
        self.active = Store(self.quarantine, name="active")
        self.scanner = Scanner(self.quarantine)
        self.opinion = "image/jpeg"
        self._numbers = count(1)
        cleaning = Cleaning(self.table, self.table, self.quarantine, self.active)
        self.door = Door(self.table, limits)
        self.uploads = Uploads(self.clock, self.table)
        self.resuming = self.resuming_over(self.uploads, self.quarantine)
        self.upload_sweeping = UploadSweeping(self.uploads, self.uploads, self.quarantine, self.resuming)
        self.judging = Judging(self.table, self.scanner, self.active, cleaning, quarantine_bucket="quarantine")
        self.prompt = Prompt(self.judging, at_once=prompt_verdicts)
        self.uploading = Uploading(
            self.table,
            self.quarantine,
            self._opinion,
            now=self.clock,
            new_id=self._new_id,
            door=self.door,
            prompt=self.prompt,
        )
        self.metrics = CollectorRegistry()
        self.rendering = Rendering(self.table, Metrics(self.metrics))
        self.reading = Reading(self.table, self.active, Never(), now=self.clock)
        self.removing = Removing(self.table, cleaning)
        self.describing = Describing(self.table)
        self.sweeping = Sweeping(
            self.table, self.table, self.quarantine, self.judging, self.removing, self.describing, cleaning
        )

    def resuming_over(self, uploads: UploadTable, store: StorePort) -> Resuming:
        """The use cases as one process has them."""
        sealing = Sealing(uploads, store, now=self.clock, new_id=self._new_id)
        return Resuming(uploads, store, self._opinion, Never(), sealing, self.door, now=self.clock, new_id=self._new_id)

    async def upload(
        self, *chunks: bytes, end: End | None = None, filename: str = "photo.jpg", plan: str = CALLER.plan
    ) -> Media:
        caller = replace(CALLER, plan=plan)
        return await self.uploading.upload(caller, frames(Start(filename), *chunks, end or End(None, None)))

    async def sealed(self, data: bytes = JPEG_HEAD, *, plan: str = CALLER.plan) -> Ref:
        media = await self.upload(data, plan=plan)
        return Ref(media.workspace_id, media.media_id)

    async def promoted(self, *, plan: str = CALLER.plan) -> Ref:
        ref = await self.sealed(plan=plan)
        await self.judging.judge(ref)
        return ref

    def told(self) -> list[Announcement]:
        return [announcement for announcement, _ in self.table.announced]

    def _new_id(self, prefix: str) -> str:
        return f"{prefix}_{next(self._numbers):026d}"

    async def _opinion(self, head: bytes) -> str:
        return self.opinion


class Impatient(asyncio.Event):
    """Is not waited for, but looked after again at once."""

    async def wait(self) -> Literal[True]:
        await asyncio.sleep(0.01)
        return True


class Never:
    """ports.Wakeups that wake nobody."""

    def watch(self, key: str) -> AbstractContextManager[asyncio.Event]:
        return nullcontext(Impatient())

    def wake(self, key: str) -> None:
        """Nobody waits."""


async def frames(*those: Frame) -> AsyncIterator[Frame]:
    for frame in those:
        yield frame


def in_chunks(data: bytes, size: int = 1 << 20) -> Sequence[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]
