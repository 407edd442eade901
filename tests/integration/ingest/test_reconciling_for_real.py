"""Stored objects compared with rows, on the real database and object store."""

import asyncio
import logging
import random
from collections.abc import Iterable
from datetime import datetime, timedelta

import pytest
from prometheus_client import REGISTRY, CollectorRegistry

from deploy.local.s3 import ACTIVE, QUARANTINE
from services.common import clock, ids
from services.common.context import CallContext, use
from services.common.errors import Code, MediaError
from services.ingest.adapters.metrics import Metrics
from services.ingest.adapters.postgres import holdings
from services.ingest.adapters.postgres.walks import PostgresWalks
from services.ingest.app.reconciling import Reconciling
from services.ingest.app.resuming import Wanted
from services.ingest.domain.reconciliation import GRACE, Place
from services.ingest.ports import Ref, Walk
from tests import media
from tests.integration.ingest.conftest import CALLER, Stage


class Walker:
    """Reconciling with small pages, by a clock at which whatever is stored now is old."""

    def __init__(self, stage: Stage, ahead: timedelta = GRACE + timedelta(minutes=5), page: int = 3) -> None:
        def now() -> datetime:
            return clock.utc_now() + ahead

        self._stage = stage
        self.registry = CollectorRegistry()
        world = stage.world
        walks, meter = PostgresWalks(world.database), Metrics(self.registry)
        self.reconciling = Reconciling(walks, world.quarantine, world.active, meter, now=now, page=page)

    def due(self) -> None:
        self._stage.sql("UPDATE ingest.walks SET due_at = now() - interval '1 second', lease_until = NULL")

    async def walk(self) -> None:
        """Over everything, once."""
        self.due()
        while self._stage.sql("SELECT place FROM ingest.walks WHERE due_at <= now()"):
            await self.reconciling.round()

    def counted(self, name: str, place: Place) -> float:
        return self.registry.get_sample_value(f"ingest_{name}_total", {"place": place.value}) or 0.0


def put(stage: Stage, bucket: str, *keys: str) -> None:
    for key in keys:
        stage.client.put_object(Bucket=bucket, Key=key, Body=b"left behind")


def begin_parts(stage: Stage, bucket: str, key: str) -> None:
    stage.client.create_multipart_upload(Bucket=bucket, Key=key)


def open_keys(stage: Stage, bucket: str) -> list[str]:
    return [one["Key"] for one in stage.client.list_multipart_uploads(Bucket=bucket).get("Uploads", [])]


def orphans(n: int) -> dict[str, list[str]]:
    """Keys of items that no row is about."""
    items = [ids.new("med") for _ in range(n)]
    return {
        QUARANTINE: [f"{item}/{ids.new(kind)}" for item in items for kind in ("obj", "tail")],
        ACTIVE: [f"sources/{item}/{ids.new('obj')}" for item in items] + [f"cdn/{item}/a/feed.jpg" for item in items],
    }


async def begun(stage: Stage, size_bytes: int = 12 << 20) -> str:
    """An upload in pieces of which nothing has come; its media id."""
    with use(CALLER):
        upload = await stage.ingest.resuming.create(CALLER, Wanted(filename="clip.mp4", size_bytes=size_bytes))
    return upload.media_id


async def test_orphans_of_every_sort_go_and_what_rows_need_stays(stage: Stage) -> None:
    sealed = await stage.upload(media.jpeg(64, 64))
    promoted = [await stage.promoted(media.jpeg(64, 64)) for _ in range(4)]
    for ref in promoted:
        put(stage, ACTIVE, f"cdn/{ref.media_id}/a/feed.jpg", f"cdn/{ref.media_id}/b/thumb.jpg")
    session = await begun(stage)
    put(stage, QUARANTINE, f"{session}/{ids.new('tail')}")
    begin_parts(stage, QUARANTINE, f"{session}/obj_IN_PARTS")
    needed = {bucket: stage.objects(bucket) for bucket in (QUARANTINE, ACTIVE)}
    assert len(needed[QUARANTINE]) == 2
    assert len(needed[ACTIVE]) == 12

    left = orphans(5)
    for bucket, keys in left.items():
        put(stage, bucket, *keys)
    put(stage, QUARANTINE, f"{promoted[0].media_id}/{ids.new('obj')}")  # its item left quarantine for good
    put(stage, ACTIVE, f"sources/{promoted[1].media_id}/{ids.new('obj')}")  # beside its item's own
    begin_parts(stage, QUARANTINE, f"{promoted[2].media_id}/obj_LATE")
    begin_parts(stage, QUARANTINE, f"{ids.new('med')}/obj_NOBODY")
    begin_parts(stage, ACTIVE, f"cdn/{promoted[3].media_id}/a/video.mp4")

    walker = Walker(stage)
    await walker.walk()
    assert {bucket: stage.objects(bucket) for bucket in needed} == needed
    assert open_keys(stage, QUARANTINE) == [f"{session}/obj_IN_PARTS"]
    assert open_keys(stage, ACTIVE) == []
    expected = {
        Place.QUARANTINE: 11,
        Place.SOURCES: 6,
        Place.RENDITIONS: 5,
        Place.QUARANTINE_PARTS: 2,
        Place.ACTIVE_PARTS: 1,
    }
    assert {place: walker.counted("orphans_removed", place) for place in Place} == expected
    assert {place: walker.counted("orphans_found", place) for place in Place} == expected
    assert (await stage.media(sealed)).state == "scanning"


async def test_what_is_young_is_left_alone(stage: Stage) -> None:
    left = orphans(2)
    for bucket, keys in left.items():
        put(stage, bucket, *keys)
    begin_parts(stage, QUARANTINE, left[QUARANTINE][0] + "_PARTS")
    await Walker(stage, ahead=GRACE - timedelta(minutes=5)).walk()
    assert {bucket: sorted(stage.objects(bucket)) for bucket in left} == {b: sorted(keys) for b, keys in left.items()}
    assert len(open_keys(stage, QUARANTINE)) == 1


@pytest.mark.parametrize("pinned", [False, True])
async def test_what_came_after_an_item_went_goes_unless_it_is_pinned(stage: Stage, pinned: bool) -> None:
    ref = await stage.promoted(media.jpeg(64, 64))
    await stage.ingest.removing.delete(ref)
    assert stage.objects(ACTIVE) == {}
    late = [f"cdn/{ref.media_id}/late/feed.jpg", str(stage.sql("SELECT active_key FROM ingest.media")[0][0])]
    put(stage, ACTIVE, *late)
    if pinned:
        stage.sql(
            "INSERT INTO ingest.pins VALUES (%s, %s, 'target', now() + interval '1 hour')",
            ref.workspace_id,
            ref.media_id,
        )
    await Walker(stage).walk()
    assert sorted(stage.objects(ACTIVE)) == (late if pinned else [])


async def test_what_a_row_misses_is_told_and_the_row_stays(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    held = [await stage.promoted(media.jpeg(64, 64)) for _ in range(8)]
    waiting = await stage.upload(media.jpeg(64, 64))
    lost = {held[0], held[4], held[7], waiting}
    for bucket, column, refs in ((ACTIVE, "active_key", lost - {waiting}), (QUARANTINE, "quarantine_key", {waiting})):
        for ref in refs:
            ((key,),) = stage.sql(f"SELECT {column} FROM ingest.media WHERE id = %s", ref.media_id)  # noqa: S608
            stage.client.delete_object(Bucket=bucket, Key=str(key))
    before = stage.sql("SELECT id, state, version FROM ingest.media ORDER BY id")

    walker = Walker(stage)
    with caplog.at_level(logging.ERROR):
        await walker.walk()
    told = [record.__dict__["media_id"] for record in caplog.records if record.message == "object missing"]
    assert sorted(told) == sorted(ref.media_id for ref in lost)
    assert walker.counted("objects_missing", Place.SOURCES) == 3
    assert walker.counted("objects_missing", Place.QUARANTINE) == 1
    assert stage.sql("SELECT id, state, version FROM ingest.media ORDER BY id") == before


async def test_keys_of_no_stage_are_told_and_left_alone(stage: Stage) -> None:
    put(stage, QUARANTINE, "backup/of-somebody.tar")
    put(stage, ACTIVE, "cdn/med_short/feed.jpg", "elsewhere.txt")
    walker = Walker(stage)
    await walker.walk()
    assert list(stage.objects(QUARANTINE)) == ["backup/of-somebody.tar"]
    assert sorted(stage.objects(ACTIVE)) == ["cdn/med_short/feed.jpg", "elsewhere.txt"]
    assert walker.counted("objects_foreign", Place.QUARANTINE) == 1
    assert walker.counted("objects_foreign", Place.RENDITIONS) == 1


async def test_a_walk_goes_on_where_a_process_died_and_rests_at_its_end(stage: Stage) -> None:
    for bucket, keys in orphans(6).items():
        put(stage, bucket, *keys)
    for _ in range(40):
        await Walker(stage).reconciling.round()  # a new process each time
    assert stage.stored_nothing()
    assert not stage.sql("SELECT place FROM ingest.walks WHERE due_at < now() + interval '5 hours' OR after <> ''")
    put(stage, QUARANTINE, *orphans(1)[QUARANTINE])
    await Walker(stage).reconciling.round()
    assert len(stage.objects(QUARANTINE)) == 2


async def test_two_replicas_share_the_places(stage: Stage) -> None:
    taken = [await PostgresWalks(stage.world.database).take(lease_s=60) for _ in range(6)]
    assert {walk.place for walk in taken if walk} == set(Place)
    assert taken[5] is None
    stage.sql("UPDATE ingest.walks SET lease_until = now() - interval '1 second' WHERE place = 'sources'")
    again = await PostgresWalks(stage.world.database).take(lease_s=60)
    assert again is not None
    assert again.place is Place.SOURCES


def stored(stage: Stage) -> dict[str, object]:
    """What the last whole walk over each place saw, where there was one."""
    rows = stage.sql("SELECT place, stored_bytes FROM ingest.walks WHERE stored_bytes IS NOT NULL")
    return {str(place): seen for place, seen in rows}


def there(stage: Stage) -> dict[str, object]:
    """The same, as the store says it now. No upload in parts is listed with its bytes."""
    active = stage.objects(ACTIVE).items()
    return {
        "quarantine": sum(stage.objects(QUARANTINE).values()),
        "sources": sum(size for key, size in active if key.startswith("sources/")),
        "renditions": sum(size for key, size in active if key.startswith("cdn/")),
        "quarantine_parts": 0,
        "active_parts": 0,
    }


async def filled(stage: Stage) -> None:
    """Several pages of each place."""
    for n in range(5):
        ref = await stage.promoted(media.jpeg(64 + n, 64))
        put(stage, ACTIVE, f"cdn/{ref.media_id}/a/feed.jpg", f"cdn/{ref.media_id}/b/thumb.jpg")
        await stage.upload(media.jpeg(32 + n, 32))


async def test_bytes_are_added_up_over_the_pages_of_a_walk_and_anew_by_the_next(stage: Stage) -> None:
    await filled(stage)
    assert stored(stage) == {}
    await Walker(stage).walk()
    assert stored(stage) == there(stage)
    before = there(stage)
    for key in list(stage.objects(QUARANTINE))[:2]:
        stage.client.delete_object(Bucket=QUARANTINE, Key=key)
    put(stage, ACTIVE, f"sources/{ids.new('med')}/{ids.new('obj')}")
    await Walker(stage, ahead=timedelta(0)).walk()
    assert stored(stage) == there(stage) != before


async def test_pages_that_are_walked_twice_count_once(stage: Stage) -> None:
    """A replica that was away for longer than its lease and comes back, whatever another did meanwhile."""
    await filled(stage)
    walks = PostgresWalks(stage.world.database)
    stage.sql("UPDATE ingest.walks SET due_at = now() + interval '1 hour' WHERE place <> 'renditions'")
    late = await walks.take(lease_s=0)
    assert late is not None
    walker = Walker(stage)
    await walker.reconciling.round()
    page = await walker.reconciling.look(late.place, late.after)
    await walks.move(Walk(late.place, page.next, late.seen_bytes + page.seen_bytes), wait_s=0)
    while stage.sql("SELECT place FROM ingest.walks WHERE due_at <= now()"):
        await walker.reconciling.round()
    assert stored(stage) == {"renditions": there(stage)["renditions"]}


async def test_a_walk_that_another_version_ended_leaves_nothing_to_the_next(stage: Stage) -> None:
    await filled(stage)
    stage.sql("UPDATE ingest.walks SET seen_bytes = 1000000")
    await Walker(stage).walk()
    assert stored(stage) == there(stage)


async def test_a_walk_under_way_leaves_what_the_last_one_saw(stage: Stage) -> None:
    await filled(stage)
    await Walker(stage).walk()
    before = stored(stage)
    for bucket, keys in orphans(3).items():
        put(stage, bucket, *keys)
    stage.sql("UPDATE ingest.walks SET due_at = now() - interval '1 second' WHERE place = 'renditions'")
    await Walker(stage, ahead=timedelta(0)).reconciling.round()
    assert stage.sql("SELECT seen_bytes > 0, after <> '' FROM ingest.walks WHERE place = 'renditions'") == [
        (True, True)
    ]
    assert stored(stage) == before


async def test_gauges_tell_of_every_workspace_and_after_a_restart_too(stage: Stage) -> None:
    await stage.ingest.holdings.look()
    assert gauge("ingest_held_bytes") == 0
    await filled(stage)
    other = CallContext(workspace_id="ws_TWO", request_id="req_2")
    await stage.upload(media.jpeg(80, 80), caller=other)
    await begun(stage, size_bytes=12 << 20)
    gone = await stage.promoted(media.jpeg(90, 90))
    await stage.ingest.removing.delete(gone)
    await Walker(stage).walk()
    holdings.STORED.clear()  # as a process that has just begun
    await stage.ingest.holdings.look()

    ((live,),) = stage.sql("SELECT sum(size_bytes)::bigint FROM ingest.media WHERE state <> 'deleted'")
    assert gauge("ingest_held_bytes") == int(str(live)) + (12 << 20)
    found = there(stage)
    assert found["quarantine"] != found["sources"] != 0
    for place in ("quarantine", "sources", "renditions"):
        assert gauge("ingest_stored_bytes", place=place) == found[place]
    assert gauge("ingest_stored_bytes", place="quarantine_parts") is None


def gauge(name: str, **labels: str) -> float | None:
    """What is told."""
    return REGISTRY.get_sample_value(name, labels)


async def test_nothing_needed_is_lost_beside_uploads_and_deletions(stage: Stage) -> None:
    """By a clock that calls every byte old the moment it is stored, rows alone protect what is under way."""
    dice = random.Random(20_26)  # noqa: S311  a seed, so that a failure can be had again
    walker, done = Walker(stage), asyncio.Event()
    kept: list[Ref] = []

    async def life(n: int) -> None:
        picture = media.jpeg(64 + n, 64)
        ref = await stage.upload(picture[:500], picture[500:])
        await asyncio.sleep(dice.random() * 0.05)
        await stage.ingest.judging.judge(ref)
        put_off = dice.random()
        await asyncio.to_thread(put, stage, ACTIVE, f"cdn/{ref.media_id}/a/feed.jpg")
        if put_off < 0.4:
            await stage.ingest.removing.delete(ref)
        else:
            kept.append(ref)

    async def keep_walking() -> None:
        while not done.is_set():
            await asyncio.to_thread(walker.due)
            await walker.reconciling.round()

    async def litter(n: int) -> None:
        for bucket, keys in orphans(n).items():
            await asyncio.to_thread(put, stage, bucket, *keys)

    walkers = [asyncio.create_task(keep_walking()) for _ in range(2)]
    try:
        for start in range(0, 24, 4):
            await asyncio.gather(*(life(n) for n in range(start, start + 4)), litter(1))
    finally:
        done.set()
        await asyncio.gather(*walkers)
    await walker.walk()
    await assert_exactly(stage, kept)
    assert sum(walker.counted("objects_missing", place) for place in Place) == 0


async def assert_exactly(stage: Stage, kept: Iterable[Ref]) -> None:
    """Both buckets hold what these items need, and nothing else."""
    wanted = []
    for ref in kept:
        item = await stage.media(ref)
        assert item.state == "processing"
        wanted += [item.active_key, f"cdn/{ref.media_id}/a/feed.jpg"]
    assert sorted(stage.objects(ACTIVE)) == sorted(wanted)
    assert stage.objects(QUARANTINE) == {}


async def test_a_store_that_is_away_leaves_the_walk_where_it_was(stage: Stage) -> None:
    put(stage, QUARANTINE, *orphans(4)[QUARANTINE])

    class Away:
        async def page(self, prefix: str, after: str, limit: int) -> list[tuple[str, datetime, int]]:
            raise MediaError(Code.UNAVAILABLE, why="away")

    broken = Reconciling(
        PostgresWalks(stage.world.database),
        Away(),  # type: ignore[arg-type]
        stage.world.active,
        Metrics(CollectorRegistry()),
        now=clock.utc_now,
    )
    stage.sql("UPDATE ingest.walks SET due_at = now() + interval '1 hour' WHERE place <> 'quarantine'")
    with pytest.raises(MediaError):
        await broken.round()
    walker = Walker(stage)
    await walker.walk()
    assert stage.objects(QUARANTINE) == {}
