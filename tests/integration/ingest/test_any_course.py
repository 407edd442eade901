"""P3 to P5: any course of an upload, with crashes and lost answers, on the real database and object store."""

import asyncio
import hashlib
from collections.abc import Coroutine
from functools import cache, partial
from typing import Any, TypeVar

import pytest

from deploy.local.s3 import QUARANTINE
from services.common.context import use
from services.ingest.adapters.postgres.uploads import PostgresUploads
from services.ingest.app.resuming import Resuming, Wanted
from services.ingest.domain.upload import LEAST_PART_BYTES, Part, Upload
from services.ingest.ports import UploadRef
from tests.faults import SCALE
from tests.integration.ingest.conftest import CALLER, Stage, outbox_events
from tests.integration.ingest.test_resuming_for_real import leases_run_out, mortal, video
from tests.unit.ingest import courses
from tests.unit.ingest.courses import Fault

T = TypeVar("T")

SIZE_BYTES = (12 << 20) + 77  # a part, a tail, and pieces that end in neither
EXAMPLES, STEPS = 10 * SCALE, 8


@cache
def clip() -> bytes:
    return video(SIZE_BYTES)


class OnRealStores:
    """courses.Place over PostgreSQL and S3, whose clients live on another thread's loop."""

    least_part = LEAST_PART_BYTES
    chunk_bytes = 1 << 20

    def __init__(self, stage: Stage, loop: asyncio.AbstractEventLoop) -> None:
        self.data = clip()
        self._stage = stage
        self._loop = loop

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def begin(self, sha256: str) -> UploadRef:
        with use(CALLER):
            wanted = Wanted(filename="clip.mp4", size_bytes=len(self.data), sha256=sha256)
            upload = await self._stage.ingest.resuming.create(CALLER, wanted)
        return UploadRef(upload.workspace_id, upload.upload_id)

    def resuming(self, fault: Fault) -> Resuming:
        return mortal(self._stage, fault)

    async def find(self, ref: UploadRef) -> Upload:
        found = await PostgresUploads(self._stage.world.database).find(ref)
        assert found is not None
        return found

    async def time_passes(self) -> None:
        await asyncio.to_thread(leases_run_out, self._stage)

    async def sweep(self) -> None:
        await self._stage.ingest.upload_sweeping.unsealed()
        await self._stage.ingest.upload_sweeping.ended()

    async def holds(self, upload: Upload, part: Part, data: bytes) -> bool:
        """The store's etag of a part is its MD5."""
        key, multipart_id = upload.quarantine_key, upload.multipart_id
        found = self._stage.client.list_parts(Bucket=QUARANTINE, Key=key, UploadId=multipart_id)
        stored = {row["PartNumber"]: row["ETag"].strip('"') for row in found["Parts"]}
        return stored[part.number] == hashlib.md5(data, usedforsecurity=False).hexdigest()

    async def tail(self, upload: Upload) -> bytes:
        return await self._object(upload.tail_key)

    async def assert_sealed(self, upload: Upload, data: bytes) -> None:
        stage = self._stage
        rows = stage.sql("SELECT quarantine_key FROM ingest.media WHERE id = %s", upload.media_id)
        assert await self._object(str(rows[0][0])) == data
        told = [event for event in sealed_events(stage) if event == upload.media_id]
        assert told == [upload.media_id]
        open_ones = stage.client.list_multipart_uploads(Bucket=QUARANTINE).get("Uploads", [])
        assert not [row["Key"] for row in open_ones if row["Key"].startswith(upload.media_id)]

    async def _object(self, key: str) -> bytes:
        return b"".join([chunk async for chunk in self._stage.world.quarantine.read(key)])


def sealed_events(stage: Stage) -> list[str]:
    """Of whom it was told that they are sealed."""
    return [event.subject_id for event in outbox_events(stage) if event.WhichOneof("payload") == "media_sealed"]


@pytest.mark.timeout(240 * SCALE)
async def test_any_course_of_an_upload_ends_in_the_file(stage: Stage) -> None:
    place = partial(OnRealStores, stage, asyncio.get_running_loop())
    await asyncio.to_thread(courses.run, place, examples=EXAMPLES, steps=STEPS)
