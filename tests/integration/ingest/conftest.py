"""Ingest on the real PostgreSQL, object store and clamd. Events are read from the outbox, where they are decided."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import psycopg
import pytest
from mediaapi.v1 import events_pb2
from prometheus_client import CollectorRegistry

from deploy.local.clamd import Clamd
from deploy.local.postgres import Postgres
from deploy.local.s3 import ACTIVE, QUARANTINE, S3
from services.common import blobs, clock, db, ids, plans
from services.common.context import CallContext, use
from services.common.errors import Code, MediaError
from services.ingest.adapters import remote
from services.ingest.adapters.libmagic import Libmagic
from services.ingest.adapters.metrics import Metrics as IngestMetrics
from services.ingest.adapters.postgres.media import CHANGED_CHANNEL, SCHEMA
from services.ingest.app.admitting import UploadLimits
from services.ingest.app.frames import End, Frame, Start
from services.ingest.assembly import Ingest, World
from services.ingest.domain.media import Media, Sealed
from services.ingest.domain.quotas import Quota
from services.ingest.ports import Outcome, Ref, Verdict
from services.scanner.adapters.clamd import Clamd as Engine
from services.scanner.adapters.metrics import Metrics
from services.scanner.app import Scanner
from services.scanner.ports import Objects

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

LIMITS = UploadLimits(
    at_once=16, under_way=16, backlog_workspace=50, backlog_total=100, quotas=plans.load("quota", Quota.of)
)
CALLER = CallContext(workspace_id="ws_ONE", request_id="req_1")


class InProcessScanner:
    """ports.Scanner without the wire between the two stages."""

    def __init__(self, scanner: Scanner) -> None:
        self._scanner = scanner

    async def scan(self, sealed: Sealed, content_type: str) -> Verdict:
        report = await self._scanner.scan(sealed.key, sealed.etag, sealed.size_bytes, content_type)
        about = Sealed(sealed.key, sealed.etag, report.size_bytes, report.sha256)
        found = report.finding
        return Verdict(Outcome(found.outcome.value), found.threat, about, Code(found.code) if found.code else None)


def scanner_over(objects: Objects, clamd: Clamd) -> Scanner:
    """The scanner stage on that store and that clamd."""
    return Scanner(
        objects,
        Engine(str(clamd.socket)),
        Metrics(CollectorRegistry()),
        now=clock.utc_now,
        max_scans=4,
        signatures_max_age_s=0,
    )


@dataclass(slots=True)
class Stage:
    """Ingest, and everything a test wants to see of it."""

    world: World
    ingest: Ingest
    client: "S3Client"
    superuser_url: str

    async def upload(
        self, *chunks: bytes, filename: str = "photo.jpg", end: End | None = None, caller: CallContext = CALLER
    ) -> Ref:
        stream = frames(Start(filename), *chunks, end or End(None, None))
        with use(caller):
            media = await self.ingest.uploading.upload(caller, stream)
        return Ref(media.workspace_id, media.media_id)

    async def promoted(self, *chunks: bytes) -> Ref:
        ref = await self.upload(*chunks)
        await self.ingest.judging.judge(ref)
        return ref

    async def media(self, ref: Ref) -> Media:
        return await self.ingest.reading.get(ref)

    def rebuilt(self, limits: UploadLimits = LIMITS, *, prompt_verdicts: int = 0, **changed: object) -> "Stage":
        """The same with other limits, or some of the outside replaced."""
        world = replace(self.world, **changed)  # type: ignore[arg-type]
        ingest = Ingest.assemble(world, limits, prompt_verdicts=prompt_verdicts)
        return Stage(world, ingest, self.client, self.superuser_url)

    def sql(self, statement: str, *values: object) -> list[tuple[object, ...]]:
        """As the superuser, whom no policy binds."""
        with psycopg.connect(self.superuser_url, autocommit=True) as conn:
            cursor = conn.execute(statement.encode(), values)
            return cursor.fetchall() if cursor.description else []

    def time_passes(self) -> None:
        """Leases and waits are over."""
        past = "now() - interval '1 second'"
        self.sql(f"UPDATE ingest.media SET lease_until = {past} WHERE lease_until IS NOT NULL")  # noqa: S608
        self.sql(f"UPDATE ingest.media SET due_at = {past} WHERE due_at IS NOT NULL")  # noqa: S608

    def objects(self, bucket: str) -> dict[str, int]:
        found = self.client.list_objects_v2(Bucket=bucket).get("Contents", [])
        return {item["Key"]: item["Size"] for item in found}

    def multipart_uploads(self) -> int:
        return len(self.client.list_multipart_uploads(Bucket=QUARANTINE).get("Uploads", []))

    def told(self, ref: Ref) -> list[events_pb2.Event]:
        """Every event about an item, oldest first."""
        return [event for event in outbox_events(self) if event.subject_id == ref.media_id]

    def stored_nothing(self) -> bool:
        return not (self.objects(QUARANTINE) or self.objects(ACTIVE) or self.multipart_uploads())


def outbox_events(stage: Stage) -> Sequence[events_pb2.Event]:
    """What was committed to be told."""
    rows = stage.sql("SELECT body FROM ingest.outbox ORDER BY n")
    return [events_pb2.Event.FromString(bytes(body)) for (body,) in rows]  # type: ignore[call-overload]


async def frames(*those: Frame) -> AsyncIterator[Frame]:
    for frame in those:
        yield frame


@pytest.fixture
async def stage(postgres: Postgres, s3: S3, clamd: Clamd, ingest_url: str) -> AsyncIterator[Stage]:
    """Empty stores, and ingest on them."""
    s3.empty()
    with psycopg.connect(postgres.url(), autocommit=True) as conn:
        conn.execute(
            "TRUNCATE ingest.uploads, ingest.media, ingest.pins, ingest.verdicts, ingest.outbox, ingest.inbox,"
            " ingest.usage"
        )
        conn.execute(
            "UPDATE ingest.walks SET after = '', due_at = now(), lease_until = NULL, seen_bytes = 0,"
            " stored_bytes = NULL"
        )
    pair = s3.credentials("ingest")
    connect = (s3.endpoint, s3.region, pair.access_key, pair.secret_key)
    async with AsyncExitStack() as closing:
        quarantine = await closing.enter_async_context(blobs.connect(*connect, QUARANTINE))
        database = await closing.enter_async_context(db.connect(ingest_url, schema=SCHEMA))
        world = World(
            database=database,
            wakeups=await closing.enter_async_context(database.wakeups(CHANGED_CHANNEL)),
            quarantine=quarantine,
            active=await closing.enter_async_context(blobs.connect(*connect, ACTIVE)),
            quarantine_bucket=QUARANTINE,
            scanner=InProcessScanner(scanner_over(quarantine, clamd)),
            opinion=Libmagic(),
            remote=await closing.enter_async_context(remote.connect()),
            meter=IngestMetrics(CollectorRegistry()),
            now=clock.utc_now,
            new_id=ids.new,
        )
        yield Stage(world, Ingest.assemble(world, LIMITS, prompt_verdicts=0), s3.client(), postgres.url())


async def error_of(awaitable: object) -> MediaError:
    """The error it ends with."""
    with pytest.raises(MediaError) as caught:
        await awaitable  # type: ignore[misc]
    return caught.value


async def assert_unknown(awaitable: object) -> None:
    """It is as if there had never been one."""
    assert (await error_of(awaitable)).code is Code.MEDIA_NOT_FOUND
