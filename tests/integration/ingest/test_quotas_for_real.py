"""Quotas on the real database: counted with every change, right under concurrency, given back when things end."""

import asyncio
import importlib
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from deploy.local.clamd import NEEDLE
from deploy.local.s3 import QUARANTINE
from services.common.context import use
from services.common.errors import Code, MediaError
from services.common.plans import Plans
from services.ingest.app.frames import End, Frame, Start
from services.ingest.app.resuming import Wanted
from services.ingest.app.stretching import Whole
from services.ingest.domain.quotas import Quota
from services.ingest.domain.upload import Piece
from services.ingest.ports import Ref, UploadRef
from tests import media
from tests.integration.ingest.conftest import CALLER, LIMITS, Stage, error_of, frames

ROOMY = Quota(media=1_000, bytes=10**12, uploads=1_000)
SIZE = 4_096

# From the rows themselves, without what keeps the counts.
RECOUNT = """
    SELECT sum(media), sum(bytes), sum(uploads) FROM (
        SELECT 1 AS media, size_bytes AS bytes, (state = 'receiving')::int AS uploads FROM ingest.media
        WHERE workspace_id = %s AND state IN ('receiving', 'scanning', 'processing', 'ready', 'failed')
        UNION ALL
        SELECT 1, size_bytes, (NOT finishing AND size_bytes > tail_bytes + coalesce(
            (SELECT sum((part->>2)::bigint) FROM jsonb_array_elements(parts) part), 0))::int FROM ingest.uploads
        WHERE workspace_id = %s AND phase = 'receiving'
    ) held
"""


def limited(stage: Stage, **quota: int) -> Stage:
    quotas = Plans({"free": replace(ROOMY, **quota)})
    return stage.rebuilt(replace(LIMITS, quotas=quotas))


def counted(stage: Stage, workspace_id: str = CALLER.workspace_id) -> tuple[int, ...]:
    """What the counts say, which must be what there is."""
    kept = stage.sql("SELECT media, bytes, uploads FROM ingest.usage WHERE workspace_id = %s", workspace_id)
    found = stage.sql(RECOUNT, workspace_id, workspace_id)
    counts, recount = (tuple(int(str(n or 0)) for n in rows[0]) if rows else (0, 0, 0) for rows in (kept, found))
    assert counts == recount
    return counts


async def begin(stage: Stage, size: int = SIZE, *, partial: bool = False) -> UploadRef:
    with use(CALLER):
        upload = await stage.ingest.resuming.create(CALLER, Wanted(filename="a", size_bytes=size, partial=partial))
    return UploadRef(upload.workspace_id, upload.upload_id)


async def send(stage: Stage, ref: UploadRef, data: bytes, offset: int = 0) -> None:
    async def body() -> AsyncIterator[bytes | Whole]:
        yield data
        yield Whole()

    with use(CALLER):
        await stage.ingest.resuming.append(ref, Piece(offset=offset), body())


async def refused(work: object) -> tuple[object, object, object]:
    error = await error_of(work)
    assert error.code is Code.QUOTA_EXCEEDED
    return error.details["quota"], error.details["limit"], error.details["used"]


async def test_counts_follow_an_item_from_its_first_byte_to_its_deletion(stage: Stage) -> None:
    data = media.jpeg(640, 480)
    arriving, going = asyncio.Event(), asyncio.Event()

    async def slowly() -> AsyncIterator[Frame]:
        yield Start("a.jpg")
        yield data
        arriving.set()
        await going.wait()
        yield End(None, None)

    upload = asyncio.create_task(stage.ingest.uploading.upload(CALLER, slowly()))
    await arriving.wait()
    assert counted(stage) == (1, 0, 1)
    going.set()
    ref = Ref(CALLER.workspace_id, (await upload).media_id)
    assert counted(stage) == (1, len(data), 0)
    await stage.ingest.judging.judge(ref)
    assert counted(stage) == (1, len(data), 0)
    await stage.ingest.removing.delete(ref)
    assert counted(stage) == (0, 0, 0)


async def test_counts_follow_whatever_ends_an_item(stage: Stage) -> None:
    infected = await stage.upload(media.jpeg(64, 64) + NEEDLE)
    expired = await stage.upload(media.jpeg(16, 16))
    stage.sql("UPDATE ingest.media SET expires_at = now() - interval '1 day' WHERE id = %s", expired.media_id)
    await stage.ingest.sweeping.expiries()
    assert counted(stage)[0] == 1
    await stage.ingest.judging.judge(infected)
    assert counted(stage) == (0, 0, 0)


async def test_counts_follow_an_upload_that_breaks_off(stage: Stage) -> None:
    with pytest.raises(MediaError):
        await stage.ingest.uploading.upload(CALLER, frames(Start("a.jpg"), media.jpeg(64, 64)))
    assert counted(stage) == (0, 0, 0)


async def test_counts_follow_uploads_in_pieces(stage: Stage) -> None:
    data = media.jpeg(64, 64)
    ref = await begin(stage, len(data))
    assert counted(stage) == (1, len(data), 1)
    await send(stage, ref, data[:600])
    assert counted(stage) == (1, len(data), 1)
    await send(stage, ref, data[600:], 600)
    assert counted(stage) == (1, len(data), 0)
    partial = await begin(stage, 500, partial=True)
    assert counted(stage) == (2, len(data) + 500, 1)
    await send(stage, partial, data[:500])
    assert counted(stage) == (2, len(data) + 500, 0)
    await stage.ingest.resuming.delete(partial)
    assert counted(stage) == (1, len(data), 0)
    overdue = await begin(stage)
    stage.sql("UPDATE ingest.uploads SET expires_at = now() - interval '1 day' WHERE id = %s", overdue.upload_id)
    await stage.ingest.upload_sweeping.ended()
    assert counted(stage) == (1, len(data), 0)


@pytest.mark.parametrize("quota", ["media", "uploads", "bytes"])
async def test_of_many_that_want_the_last_place_one_gets_it(stage: Stage, quota: str) -> None:
    limit = 3 * SIZE if quota == "bytes" else 3
    small = limited(stage, **{quota: limit})
    for _ in range(2):
        await begin(small)
    answers = await asyncio.gather(*(begin(small) for _ in range(8)), return_exceptions=True)
    won = [answer for answer in answers if isinstance(answer, UploadRef)]
    lost = [answer for answer in answers if isinstance(answer, MediaError)]
    assert (len(won), len(lost)) == (1, 7)
    assert {(it.code, it.details["quota"], it.details["used"]) for it in lost} == {(Code.QUOTA_EXCEEDED, quota, limit)}
    assert counted(small)[0] == 3
    await small.ingest.resuming.delete(won[0])
    await begin(small)
    assert counted(small)[0] == 3


async def test_plain_uploads_that_want_the_last_bytes_do_not_share_them(stage: Stage) -> None:
    data = media.jpeg(64, 64)
    small = limited(stage, bytes=2 * len(data) + 10)
    answers = await asyncio.gather(*(small.upload(data) for _ in range(6)), return_exceptions=True)
    assert sum(isinstance(answer, Ref) for answer in answers) == 2
    assert counted(small) == (2, 2 * len(data), 0)
    assert len(small.objects(QUARANTINE)) == 2


async def test_a_full_workspace_is_told_so_and_others_are_not(stage: Stage) -> None:
    small = limited(stage, media=1)
    ref = await small.upload(media.jpeg(64, 64))
    assert await refused(small.upload(media.jpeg(64, 64))) == ("media", 1, 1)
    assert await refused(begin(small)) == ("media", 1, 1)
    await small.upload(media.jpeg(64, 64), caller=replace(CALLER, workspace_id="ws_TWO"))
    assert counted(small, "ws_TWO")[0] == 1
    await small.ingest.removing.delete(ref)
    await small.upload(media.jpeg(64, 64))


async def test_items_there_were_before_are_counted_by_the_migration(stage: Stage) -> None:
    ref = await stage.upload(media.jpeg(64, 64))
    await begin(stage)
    before = counted(stage)
    migration = importlib.import_module("services.ingest.migrations.versions.0005_usage")
    stage.sql("TRUNCATE ingest.usage")
    stage.sql(migration.BACKFILL)
    assert counted(stage) == before == (2, SIZE + (await stage.media(ref)).size_bytes, 1)
