"""After promotion: what the transcoder says, what callers read, and how an item ends."""

import time
from datetime import timedelta

import pytest

from services.common.errors import Code, MediaError
from services.ingest.app.describing import Description
from services.ingest.app.rendering import Word
from services.ingest.domain.media import Fault, State
from services.ingest.ports import Announcement, Query, Receipt, Ref
from tests.unit.ingest.world import JPEG_HEAD, MP4_HEAD, World

MED = "med_" + "0" * 26


@pytest.fixture
def world() -> World:
    return World()


async def hear(world: World, ref: Ref, version: int, *, settled: bool = True, fault: Fault | None = None) -> None:
    word = Word(version=version, view=f'{{"version": {version}}}', settled=settled, fault=fault)
    await world.rendering.rendered(ref, word, Receipt("ingest_rendered", f"evt_{version}_{settled}"))


async def not_found(awaitable: object) -> None:
    with pytest.raises(MediaError) as caught:
        await awaitable  # type: ignore[misc]
    assert caught.value.code is Code.MEDIA_NOT_FOUND


async def test_an_item_is_ready_when_the_last_eager_preset_is_settled(world: World) -> None:
    ref = await world.promoted()
    await hear(world, ref, 1, settled=False)
    assert (await world.reading.get(ref)).state is State.PROCESSING
    await hear(world, ref, 2)
    media = await world.reading.settled(ref, 5)
    assert (media.state, media.view) == (State.READY, '{"version": 2}')
    assert world.told().count(Announcement.SETTLED) == 1
    await hear(world, ref, 3)
    counted = world.metrics.get_sample_value("ingest_settled_seconds_count", {"state": "ready"})
    assert counted == 1  # once, however often the transcoder speaks


async def test_older_words_and_repeated_ones_change_nothing(world: World) -> None:
    ref = await world.promoted()
    await hear(world, ref, 5)
    version = (await world.reading.get(ref)).version
    await hear(world, ref, 4)
    await hear(world, ref, 5)
    await hear(world, ref, 5, settled=False)
    media = await world.reading.get(ref)
    assert (media.version, media.view) == (version, '{"version": 5}')


async def test_a_variant_made_later_shows_without_settling_again(world: World) -> None:
    ref = await world.promoted()
    await hear(world, ref, 1)
    await hear(world, ref, 2, settled=False)
    media = await world.reading.get(ref)
    assert (media.state, media.view) == (State.READY, '{"version": 2}')
    assert world.told().count(Announcement.SETTLED) == 1


async def test_a_source_that_cannot_be_decoded_is_rejected_and_its_bytes_go(world: World) -> None:
    ref = await world.promoted()
    await hear(world, ref, 1, fault=Fault(Code.MEDIA_CORRUPT, "broken"))
    with pytest.raises(MediaError) as caught:
        await world.reading.settled(ref, 5)
    assert caught.value.code is Code.MEDIA_CORRUPT
    await world.sweeping.litter()
    assert world.active.objects == {}
    assert (await world.reading.get(ref)).state is State.REJECTED


async def test_waiting_ends_with_the_item_as_it_stands(world: World) -> None:
    ref = await world.sealed()
    assert (await world.reading.settled(ref, 0)).state is State.SCANNING
    assert (await world.reading.settled(ref, 0.05)).state is State.SCANNING


async def test_an_image_is_waited_for_until_it_is_settled_and_a_video_until_its_verdict(world: World) -> None:
    image = await world.promoted()
    began = time.monotonic()
    assert (await world.reading.settled(image, 0.2)).state is State.PROCESSING
    assert time.monotonic() - began >= 0.2
    world.opinion = "video/mp4"
    video = await world.sealed(MP4_HEAD)
    await world.judging.judge(video)
    assert (await world.reading.settled(video, 60)).state is State.PROCESSING


async def test_a_deleted_item_is_unknown_and_its_bytes_are_gone_with_the_answer(world: World) -> None:
    ref = await world.promoted()
    world.active.objects[f"cdn/{ref.media_id}/token/display@1.jpg"] = b"rendition"
    world.active.objects["cdn/med_other/token/display@1.jpg"] = b"another's"
    await world.removing.delete(ref)
    assert world.active.objects == {"cdn/med_other/token/display@1.jpg": b"another's"}
    assert world.told()[-1] is Announcement.DELETED
    await not_found(world.reading.get(ref))
    await not_found(world.removing.delete(ref))
    await not_found(world.describing.describe(ref, Description(alt_text="x")))
    await not_found(world.reading.source(ref, None, None))
    await not_found(world.removing.pin(ref, "post_1", world.clock() + timedelta(hours=1)))
    await hear(world, ref, 9)
    assert world.table.only().media.state is State.DELETED


async def test_a_pin_keeps_the_bytes_of_a_deleted_item_until_it_ends(world: World) -> None:
    ref = await world.promoted()
    await hear(world, ref, 1)
    await world.removing.pin(ref, "post_1", world.clock() + timedelta(hours=1))
    await world.removing.delete(ref)
    await not_found(world.reading.get(ref))
    await world.sweeping.litter()
    assert world.active.objects
    assert Announcement.DELETED not in world.told()
    await world.removing.unpin(ref, "post_1")
    await world.sweeping.litter()
    assert world.active.objects == {}
    assert world.told().count(Announcement.DELETED) == 1


@pytest.mark.parametrize(("plan", "days"), [("free", 30), ("pro", 90), ("business", 365)])
async def test_the_end_is_told_a_week_before_and_comes_when_the_plan_says(world: World, plan: str, days: int) -> None:
    ref = await world.promoted(plan=plan)
    await hear(world, ref, 1)
    for day in range(days - 7):
        assert Announcement.EXPIRING not in world.told(), day
        world.clock.advance(86_400)
        await world.sweeping.expiries()
    await world.sweeping.expiries()
    assert world.told().count(Announcement.EXPIRING) == 1
    assert (await world.reading.get(ref)).state is State.READY
    world.clock.advance(7 * 86_400 - 1)
    await world.sweeping.expiries()
    assert (await world.reading.get(ref)).state is State.READY
    world.clock.advance(1)
    await not_found(world.reading.get(ref))
    await world.sweeping.expiries()
    await world.sweeping.litter()
    assert (world.table.only().media.state, world.active.objects) == (State.EXPIRED, {})
    assert [it for it in world.told() if it in (Announcement.EXPIRING, Announcement.DELETED)] == [
        Announcement.EXPIRING,
        Announcement.DELETED,
    ]


async def test_a_pin_nobody_ended_ends_by_itself(world: World) -> None:
    ref = await world.promoted()
    await hear(world, ref, 1)
    await world.removing.pin(ref, "post_1", world.clock() + timedelta(hours=1))
    await world.removing.delete(ref)
    world.clock.advance(3601)
    await world.sweeping.expiries()
    await world.sweeping.litter()
    assert world.active.objects == {}


async def test_bytes_that_could_not_be_deleted_are_deleted_later(world: World) -> None:
    ref = await world.promoted()
    world.active.fail = {"delete_prefix"}
    await world.removing.delete(ref)
    assert world.active.objects
    world.active.fail = set()
    world.clock.advance(61)
    await world.sweeping.litter()
    assert world.active.objects == {}
    assert world.told().count(Announcement.DELETED) == 1


async def test_an_item_ends_when_its_time_is_over(world: World) -> None:
    ref = await world.promoted()
    await hear(world, ref, 1)
    world.clock.advance(90 * 86400)
    await not_found(world.reading.get(ref))
    await world.sweeping.expiries()
    await world.sweeping.litter()
    assert world.table.only().media.state is State.EXPIRED
    assert world.active.objects == {}
    assert world.told().count(Announcement.DELETED) == 1


async def test_the_owner_reads_the_very_bytes(world: World) -> None:
    ref = await world.promoted()
    source = await world.reading.source(ref, None, None)
    assert b"".join([chunk async for chunk in source.chunks]) == JPEG_HEAD
    part = await world.reading.source(ref, -10, None)
    assert (part.first, part.last) == (len(JPEG_HEAD) - 10, len(JPEG_HEAD) - 1)
    assert b"".join([chunk async for chunk in part.chunks]) == JPEG_HEAD[-10:]


async def test_bytes_nobody_has_scanned_are_not_handed_out(world: World) -> None:
    ref = await world.sealed()
    with pytest.raises(MediaError) as caught:
        await world.reading.source(ref, None, None)
    assert caught.value.code is Code.MEDIA_NOT_READY


async def test_pages_are_newest_first_and_end(world: World) -> None:
    refs = [await world.sealed() for _ in range(5)]
    first = await world.reading.page("ws_1", Query(limit=3))
    rest = await world.reading.page("ws_1", Query(limit=3, before=first.next_id))
    assert [media.media_id for media in (*first.media, *rest.media)] == [ref.media_id for ref in reversed(refs)]
    assert (first.next_id, rest.next_id) == (first.media[-1].media_id, None)


@pytest.mark.parametrize("cursor", ["x", "med_", "med_" + "i" * 26, MED + "\x00", "'; --"])
async def test_a_made_up_cursor_is_refused(world: World, cursor: str) -> None:
    with pytest.raises(MediaError) as caught:
        await world.reading.page("ws_1", Query(limit=3, before=cursor))
    assert caught.value.code is Code.INVALID_REQUEST


@pytest.mark.parametrize("media_id", ["", "x", MED[:-1], MED + "0", "med_" + "I" * 26, MED[:-1] + "\x00", MED])
async def test_no_made_up_id_is_anything_but_unknown(world: World, media_id: str) -> None:
    ref = Ref("ws_1", media_id)
    await not_found(world.reading.get(ref))
    await not_found(world.removing.delete(ref))
    await not_found(world.describing.describe(ref, Description(alt_text="x")))
    await not_found(world.removing.pin(ref, "post_1", world.clock()))
