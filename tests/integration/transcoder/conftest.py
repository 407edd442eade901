"""The transcoder's use cases on the real PostgreSQL, NATS and object store; only decoding is played."""

import asyncio
import hashlib
import os
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from mediaapi.v1 import events_pb2, media_pb2
from prometheus_client import CollectorRegistry

from deploy.local.nats import Nats
from deploy.local.postgres import Postgres
from deploy.local.s3 import ACTIVE, S3
from services.common import blobs, context, db, events, ids, outbox
from services.common.context import CallContext
from services.common.runtime import Worker
from services.platforms.catalog import Kind
from services.transcoder.adapters.metrics import Metrics
from services.transcoder.adapters.postgres.items import CHANGED_CHANNEL, SCHEMA
from services.transcoder.adapters.scratch import DiskScratch
from services.transcoder.assembly import Transcoder, World
from services.transcoder.domain.item import Item
from services.transcoder.events import MEDIA, WANTED, TranscoderEvents
from services.transcoder.ports import Ref
from services.transcoder.view import View
from tests.unit.transcoder.stage.fakes import Engine

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CDN_URL = "https://cdn.example/cdn"
KINDS: dict[Kind, tuple[media_pb2.MediaKind.ValueType, str]] = {
    "image": (media_pb2.MEDIA_KIND_IMAGE, "image/jpeg"),
    "video": (media_pb2.MEDIA_KIND_VIDEO, "video/mp4"),
}


class Nobody:
    """ports.Onlookers."""

    def tell(self, ref: Ref, percent: Mapping[str, int]) -> None:
        """Nobody looks."""


@dataclass(slots=True)
class Stage:
    """The transcoder, and everything a test wants to see of it."""

    world: World
    transcoder: Transcoder
    engine: Engine
    client: "S3Client"
    superuser_url: str
    nats: Nats
    workspace_id: str

    def source(self, kind: Kind = "image", data: bytes | None = None) -> events_pb2.Event:
        """A clean source in the bucket, and ingest's word of it."""
        return promotion(self.client, self.workspace_id, kind, os.urandom(1000) if data is None else data)

    def deleted(self, ref: Ref) -> events_pb2.Event:
        return events.event(
            events_pb2.MediaDeleted(), workspace_id=ref.workspace_id, subject_id=ref.media_id, version=9
        )

    @property
    def handlers(self) -> TranscoderEvents:
        return TranscoderEvents(self.transcoder.receiving, wake=self.transcoder.dispatcher.wake)

    async def promoted(self, kind: Kind = "image", data: bytes | None = None) -> Ref:
        """Heard of, and nothing done yet."""
        event = self.source(kind, data)
        await self.handlers.media(event)
        return ref_of(event)

    async def work(self) -> None:
        """All that is due now, one after the other."""
        while (item := await self.transcoder.items.claim(("image", "video"), lease_s=15.0)) is not None:
            await self.transcoder.making.make(item)

    async def rendered(self, kind: Kind = "image", data: bytes | None = None) -> Ref:
        ref = await self.promoted(kind, data)
        await self.work()
        return ref

    async def item(self, ref: Ref) -> Item:
        found = await self.transcoder.items.find(ref)
        assert found is not None
        return found

    def rebuilt(self, **changed: object) -> "Stage":
        """The same with some of the outside replaced."""
        world = replace(self.world, **changed)  # type: ignore[arg-type]
        return replace(self, world=world, transcoder=Transcoder.assemble(world))

    def sql(self, statement: str, *values: object) -> list[tuple[object, ...]]:
        """As the superuser, whom no policy binds."""
        with psycopg.connect(self.superuser_url, autocommit=True) as conn:
            cursor = conn.execute(statement.encode(), values)
            return cursor.fetchall() if cursor.description else []

    def time_passes(self) -> None:
        """Leases and waits are over."""
        for column in ("lease_until", "due_at", "retell_at"):
            self.sql(
                f"UPDATE transcoder.items SET {column} = now() - interval '1 second'"  # noqa: S608
                f" WHERE {column} IS NOT NULL"
            )

    def served(self, ref: Ref) -> dict[str, int]:
        """Objects under the item's public prefix, with their sizes."""
        found = self.client.list_objects_v2(Bucket=ACTIVE, Prefix=f"cdn/{ref.media_id}/").get("Contents", [])
        return {item["Key"]: item["Size"] for item in found}

    def told(self, ref: Ref) -> list[events_pb2.Event]:
        """What was committed to be told of an item, oldest first."""
        rows = self.sql("SELECT body FROM transcoder.outbox ORDER BY n")
        heard = [events_pb2.Event.FromString(bytes(body)) for (body,) in rows]  # type: ignore[call-overload]
        return [event for event in heard if event.subject_id == ref.media_id]

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Ears"]:
        """Everything in motion as in the process: consumers, relay, jobs; and ears for what it tells."""
        async with events.connect(self.nats.url("transcoder")) as bus, events.connect(self.nats.url()) as other:
            ears = Ears(self.workspace_id)
            workers: list[Worker] = [
                bus.consumer(*MEDIA, self.handlers.media),
                bus.consumer(*WANTED, self.handlers.wanted),
                self.transcoder.dispatcher,
                other.consumer(f"test_{uuid.uuid4().hex}", ("media.v1.media_rendered",), ears.hear),
            ]
            tasks = [asyncio.create_task(worker.run()) for worker in workers]
            tasks.append(asyncio.create_task(_relay(outbox.Relay(self.world.database, bus, SCHEMA))))
            ears.bus = other
            try:
                yield ears
            finally:
                for worker in workers:
                    await worker.stop(1.0)
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)


async def _relay(relay: outbox.Relay) -> None:
    """As the runtime does: begun anew whenever NATS was away."""
    while True:
        try:
            await relay.run()
        except Exception:  # noqa: BLE001  whatever it was, the rows are still there
            await asyncio.sleep(0.2)


class Ears:
    """Hears media_rendered as ingest would, and speaks to the stage."""

    def __init__(self, workspace_id: str) -> None:
        self.heard: list[events_pb2.Event] = []
        self.bus: events.Bus | None = None
        self._workspace_id = workspace_id

    async def hear(self, event: events_pb2.Event) -> None:
        if event.workspace_id == self._workspace_id:
            self.heard.append(event)

    async def say(self, event: events_pb2.Event) -> None:
        assert self.bus is not None
        await self.bus.publish(events.subject(event), event.SerializeToString(), message_id=event.id)

    async def settled(self, ref: Ref, *, within_s: float = 20.0) -> events_pb2.Event:
        """The first word on it that settles it."""
        await eventually(lambda: any(self._of(ref)), within_s=within_s)
        return self._of(ref)[0]

    def _of(self, ref: Ref) -> list[events_pb2.Event]:
        return [event for event in self.heard if event.subject_id == ref.media_id and event.media_rendered.settled]


async def eventually(holds: Callable[[], bool], *, within_s: float = 20.0) -> None:
    """Until it holds."""
    async with asyncio.timeout(within_s):
        while not holds():  # noqa: ASYNC110  the world tells nobody
            await asyncio.sleep(0.05)


def promotion(client: "S3Client", workspace_id: str, kind: Kind, data: bytes) -> events_pb2.Event:
    """A clean source in the bucket, and ingest's word of it."""
    media_id = ids.new("med")
    key = f"sources/{media_id}/{ids.new('obj')}"
    etag = client.put_object(Bucket=ACTIVE, Key=key, Body=data)["ETag"].strip('"')
    number, content_type = KINDS[kind]
    promoted = events_pb2.MediaPromoted(
        kind=number,
        content_type=content_type,
        key=key,
        etag=etag,
        size_bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
    )
    with context.use(CallContext(workspace_id=workspace_id, request_id="req_1")):
        return events.event(promoted, workspace_id=workspace_id, subject_id=media_id, version=3)


def ref_of(event: events_pb2.Event) -> Ref:
    return Ref(event.workspace_id, event.subject_id)


@pytest.fixture
async def stage(postgres: Postgres, nats: Nats, s3: S3, transcoder_url: str, tmp_path: Path) -> AsyncIterator[Stage]:
    """Empty stores, and the transcoder on them."""
    s3.empty()
    with psycopg.connect(postgres.url(), autocommit=True) as conn:
        conn.execute(
            "TRUNCATE transcoder.items, transcoder.variants, transcoder.segments, transcoder.outbox, transcoder.inbox"
        )
    pair = s3.credentials("transcoder")
    connect = (s3.endpoint, s3.region, pair.access_key, pair.secret_key, ACTIVE)
    async with AsyncExitStack() as closing:
        database = await closing.enter_async_context(db.connect(transcoder_url, schema=SCHEMA))
        engine = Engine()
        world = World(
            database=database,
            wakeups=await closing.enter_async_context(database.wakeups(CHANGED_CHANNEL)),
            store=await closing.enter_async_context(blobs.connect(*connect)),
            engine=engine,
            scratch=DiskScratch(tmp_path),
            onlookers=Nobody(),
            meter=Metrics((), CollectorRegistry()),
            view=View(CDN_URL),
            workers=2,
            films_bytes=1_500_000_000,
            segment_s=60,
        )
        workspace_id = f"ws_{uuid.uuid4().hex}"
        yield Stage(world, Transcoder.assemble(world), engine, s3.client(), postgres.url(), nats, workspace_id)
