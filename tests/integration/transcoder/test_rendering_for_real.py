"""Promoted to rendered on real stores: claims lost, processes killed, items deleted, messages wiped."""

import asyncio

import psycopg
import pytest
from mediaapi.v1 import events_pb2, media_pb2

from deploy.local.s3 import ACTIVE
from services.common import ids
from services.common.errors import Code, MediaError
from services.platforms import catalog
from services.platforms.catalog import Kind
from services.transcoder.app import making
from services.transcoder.domain.ceilings import MAX_VIDEO_PX
from services.transcoder.domain.item import EARLY_WORD_FROM_BYTES
from services.transcoder.domain.work import InputFault
from services.transcoder.ports import Ref
from tests.integration.transcoder.conftest import CDN_URL, Stage, ref_of


def key_of(url: str) -> str:
    assert url.startswith(f"{CDN_URL}/")
    return "cdn/" + url.removeprefix(f"{CDN_URL}/")


async def test_a_promoted_image_is_told_with_urls_whose_objects_exist(stage: Stage) -> None:
    async with stage.running() as ears:
        event = stage.source()
        await ears.say(event)
        heard = await ears.settled(ref_of(event))
    said = heard.media_rendered
    assert (heard.request_id, heard.workspace_id) == ("req_1", stage.workspace_id)
    assert {one.preset for one in said.variants} == {
        preset.id for preset in catalog.presets("image").values() if preset.eager
    }
    for variant in said.variants:
        assert variant.status == media_pb2.VARIANT_STATUS_READY
        stored = stage.client.get_object(Bucket=ACTIVE, Key=key_of(variant.url))
        assert stored["ContentLength"] == variant.size_bytes
        assert stored["ContentType"] == variant.content_type
        assert "immutable" in stored["CacheControl"]
    assert said.url in {one.url for one in said.variants if one.preset == "display"}
    assert not said.HasField("poster_url")
    assert not said.HasField("error")
    assert (said.width, said.height, said.HasField("has_audio")) == (640, 480, False)
    assert {name for name, fit in said.fit.items() if fit.ok} == {
        name for name, platform in catalog.load().items() if platform.image
    }
    assert list((await stage.item(ref_of(event))).variants) != []


async def test_a_large_video_is_told_of_before_it_is_encoded(stage: Stage) -> None:
    ref = await stage.rendered("video", bytes(EARLY_WORD_FROM_BYTES))
    first, second, third = (event.media_rendered for event in stage.told(ref))
    assert [event.version for event in stage.told(ref)] == [1, 2, 3]
    assert {one.status for one in first.variants} == {media_pb2.VARIANT_STATUS_PENDING}
    assert second.HasField("poster_url")
    assert not second.HasField("url")
    assert media_pb2.VARIANT_STATUS_PROCESSING in {one.status for one in second.variants}
    assert (third.settled, third.HasField("url"), third.has_audio, third.duration_seconds) == (True, True, True, 2.0)


async def test_a_bad_file_is_told_with_the_codes_own_sentence(stage: Stage) -> None:
    stage.engine.error = InputFault("media_corrupt", "ends early")
    ref = await stage.rendered()
    (event,) = stage.told(ref)
    assert event.media_rendered.settled
    assert event.media_rendered.error.code == "media_corrupt"
    assert event.media_rendered.error.message == "The file is damaged."
    assert stage.served(ref) == {}


async def test_a_job_killed_in_the_middle_is_done_by_the_next_once(stage: Stage) -> None:
    ref = await stage.promoted()
    dead = await stage.transcoder.items.claim(("image",), lease_s=15.0)
    assert dead is not None
    assert await stage.transcoder.items.claim(("image",), lease_s=15.0) is None
    stage.time_passes()
    await stage.work()
    assert (await stage.item(ref)).settled
    # The dead one was only slow, and comes to its end now.
    await stage.transcoder.making.make(dead)
    assert len(stage.told(ref)) == 1
    assert set(stage.served(ref)) == {one.key for one in (await stage.item(ref)).variants.values()}


async def test_two_processes_never_work_at_one_item(stage: Stage) -> None:
    for _ in range(6):
        await stage.promoted()
    claims = await asyncio.gather(*(stage.transcoder.items.claim(("image",), lease_s=15.0) for _ in range(10)))
    taken = [item.media_id for item in claims if item is not None]
    assert (len(taken), len(set(taken))) == (6, 6)


async def test_images_are_claimed_before_videos(stage: Stage) -> None:
    await stage.promoted("video")
    await stage.promoted("image")
    first = await stage.transcoder.items.claim(("image", "video"), lease_s=15.0)
    assert first is not None
    assert first.kind == "image"


async def test_a_job_that_ended_holds_nothing(stage: Stage) -> None:
    kinds: tuple[Kind, ...] = ("image", "video")
    for kind in kinds:
        ref = await stage.rendered(kind)
        assert stage.sql("SELECT lease_until FROM transcoder.items WHERE id = %s", ref.media_id) == [(None,)]


async def test_a_film_too_large_for_now_keeps_its_turn_and_images_pass_it(stage: Stage) -> None:
    items = stage.transcoder.items
    small = await stage.rendered("video")
    await stage.promoted("video")  # nobody knows how large it is
    stage.sql("UPDATE transcoder.variants SET status = NULL, key = NULL WHERE media_id = %s", small.media_id)
    stage.sql("UPDATE transcoder.items SET due_at = now(), queued_at = now() WHERE id = %s", small.media_id)
    assert await items.claim(("image", "video"), lease_s=15.0, most_px=640 * 480) is None
    image = await stage.promoted("image")
    taken = await items.claim(("image", "video"), lease_s=15.0, most_px=-1)
    assert taken is not None
    assert taken.media_id == image.media_id
    first = await items.claim(("image", "video"), lease_s=15.0, most_px=MAX_VIDEO_PX)
    assert first is not None
    assert first.finding is None
    assert await items.claim(("image", "video"), lease_s=15.0, most_px=640 * 480 - 1) is None
    second = await items.claim(("image", "video"), lease_s=15.0, most_px=640 * 480)
    assert second is not None
    assert second.media_id == small.media_id


async def test_a_workspace_with_much_to_do_keeps_no_other_waiting(stage: Stage) -> None:
    for _ in range(5):
        await stage.promoted("video")
    busy, stage.workspace_id = stage.workspace_id, "ws_small"
    await stage.promoted("video")
    claims = [await stage.transcoder.items.claim(("video",), lease_s=15.0) for _ in range(6)]
    assert [item and item.workspace_id for item in claims] == [busy, "ws_small", *[busy] * 4]


async def test_an_item_deleted_during_its_job_ends_it_at_once_and_leaves_no_object(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(making, "LEASE_S", 3600.0)
    stage.engine.gate = asyncio.Event()
    ref = await stage.promoted()
    job = asyncio.create_task(stage.work())
    await stage.engine.entered.wait()
    await stage.handlers.media(stage.deleted(ref))
    async with asyncio.timeout(60):
        await job
    assert stage.engine.cancelled == 1
    assert (stage.served(ref), stage.told(ref)) == ({}, [])
    assert (await stage.item(ref)).gone


async def test_what_a_job_stores_after_the_deletion_is_swept(stage: Stage) -> None:
    ref = await stage.promoted()
    item = await stage.transcoder.items.claim(("image",), lease_s=15.0)
    assert item is not None
    await stage.handlers.media(stage.deleted(ref))
    # Killed before it could clean up behind itself.
    stage.client.put_object(Bucket=ACTIVE, Key=f"{item.prefix}late@00000000.jpg", Body=b"late")
    stage.time_passes()
    await stage.transcoder.sweeping.litter()
    assert stage.served(ref) == {}
    stage.time_passes()
    await stage.transcoder.sweeping.litter()
    assert stage.sql("SELECT due_at FROM transcoder.items") == [(None,)]


async def test_a_deletion_takes_everything_and_no_late_word_brings_it_back(stage: Stage) -> None:
    event = stage.source()
    await stage.handlers.media(event)
    await stage.work()
    ref = ref_of(event)
    assert stage.served(ref)
    await stage.handlers.media(stage.deleted(ref))
    assert stage.served(ref) == {}
    assert stage.sql("SELECT * FROM transcoder.variants") == []
    told = len(stage.told(ref))
    event.id = ids.new("evt")
    await stage.handlers.media(event)
    await stage.work()
    assert (await stage.item(ref)).gone
    assert (stage.served(ref), len(stage.told(ref))) == ({}, told)


async def test_a_deletion_that_comes_first_is_remembered(stage: Stage) -> None:
    event = stage.source()
    await stage.handlers.media(stage.deleted(ref_of(event)))
    await stage.handlers.media(event)
    await stage.work()
    assert (stage.engine.requests, stage.served(ref_of(event))) == ([], {})


async def test_objects_that_could_not_be_deleted_are_deleted_later(stage: Stage) -> None:
    ref = await stage.rendered()

    class Stuck:
        async def delete_prefix(self, prefix: str) -> None:
            raise MediaError(Code.UNAVAILABLE)

    await stage.rebuilt(store=Stuck()).handlers.media(stage.deleted(ref))
    assert stage.served(ref)
    stage.time_passes()
    await stage.transcoder.sweeping.litter()
    assert stage.served(ref) == {}


async def test_the_same_file_again_is_copied_inside_the_store_and_lives_alone(stage: Stage) -> None:
    first = await stage.rendered(data=b"the same")
    second = await stage.rendered(data=b"the same")
    assert len(stage.engine.requests) == 1
    assert len(stage.served(second)) == len(stage.served(first)) == 2
    key = next(iter(stage.served(second)))
    copied = stage.client.get_object(Bucket=ACTIVE, Key=key)
    assert (copied["ContentType"], "immutable" in copied["CacheControl"]) == ("image/jpeg", True)
    await stage.handlers.media(stage.deleted(first))
    assert (len(stage.served(first)), len(stage.served(second))) == (0, 2)


async def test_a_large_object_is_copied_too(stage: Stage) -> None:
    data = bytes(20_000_000)
    await stage.rendered("video", data)
    second = await stage.rendered("video", data)
    assert len(stage.engine.requests) == 2
    assert max(stage.served(second).values()) > len(data)


async def test_the_same_word_twice_has_its_effect_once(stage: Stage) -> None:
    event = stage.source()
    await stage.handlers.media(event)
    await stage.work()
    await stage.handlers.media(event)
    await stage.work()
    assert len(stage.told(ref_of(event))) == 1
    assert len(stage.engine.requests) == 1


async def test_ingest_asking_again_is_told_again_under_a_higher_version(stage: Stage) -> None:
    event = stage.source()
    await stage.handlers.media(event)
    await stage.work()
    event.id, event.version = ids.new("evt"), event.version + 1
    await stage.handlers.media(event)
    first, second = stage.told(ref_of(event))
    assert second.version > first.version
    assert second.media_rendered == first.media_rendered
    assert len(stage.engine.requests) == 1


async def test_a_wiped_stream_loses_no_work(stage: Stage) -> None:
    ref = await stage.promoted()
    await asyncio.to_thread(stage.nats.wipe)
    async with stage.running() as ears:
        assert (await ears.settled(ref)).media_rendered.HasField("url")
        other = stage.source()
        await ears.say(other)
        await ears.settled(ref_of(other))


async def test_a_stream_wiped_in_the_middle_is_survived(stage: Stage) -> None:
    stage.engine.gate = asyncio.Event()
    async with stage.running() as ears:
        event = stage.source()
        await ears.say(event)
        await stage.engine.entered.wait()
        await asyncio.to_thread(stage.nats.wipe)
        stage.engine.gate.set()
        await ears.settled(ref_of(event), within_s=40)


async def test_a_word_makes_us_serve_only_its_own_items_sources(stage: Stage) -> None:
    mine, other = stage.source(), stage.source()
    mine.media_promoted.key = other.media_promoted.key
    with pytest.raises(MediaError) as caught:
        await stage.handlers.media(mine)
    assert caught.value.code is Code.INVALID_REQUEST
    assert stage.sql("SELECT id FROM transcoder.items") == []


async def test_a_replaced_source_is_not_rendered(stage: Stage) -> None:
    event = stage.source()
    await stage.handlers.media(event)
    stage.client.put_object(Bucket=ACTIVE, Key=event.media_promoted.key, Body=b"other bytes")
    await stage.work()
    (told,) = stage.told(ref_of(event))
    assert told.media_rendered.error.code == "object_changed"
    assert stage.engine.requests == []


async def test_tables_show_a_workspace_its_own_rows_only(stage: Stage, transcoder_url: str) -> None:
    ref = await stage.rendered()
    tables = ("items", "variants", "outbox")
    with psycopg.connect(transcoder_url) as conn:
        for workspace_id, seen in (("", False), ("ws_other", False), (ref.workspace_id, True)):
            with conn.transaction():
                conn.execute("SELECT set_config('app.workspace_id', %s, true)", (workspace_id,))
                for table in tables:
                    rows = conn.execute(f"SELECT * FROM transcoder.{table}".encode()).fetchall()  # noqa: S608
                    assert bool(rows) is seen
        for table in tables:
            assert conn.execute(f"SELECT * FROM transcoder.{table}".encode()).fetchall() == []  # noqa: S608
    assert await stage.transcoder.items.find(Ref("ws_other", ref.media_id)) is None


async def test_a_forged_word_about_another_workspaces_item_does_not_end_it(stage: Stage) -> None:
    ref = await stage.rendered()
    before = stage.served(ref)
    forged = events_pb2.Event()
    forged.CopyFrom(stage.deleted(ref))
    forged.workspace_id = "ws_other"
    await stage.handlers.media(forged)
    assert not (await stage.item(ref)).gone
    assert stage.served(ref) == before
