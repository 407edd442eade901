"""Variants on demand."""

import asyncio
from dataclasses import replace

import pytest

from services.common.errors import Code, MediaError
from services.platforms import catalog
from services.transcoder.domain.work import InputFault, Status
from services.transcoder.ports import Ref
from tests.unit.transcoder.stage.world import World

UNKNOWN = Ref("ws_1", "med_00000000000000000000000099")


async def code_of(awaitable: object) -> Code:
    with pytest.raises(MediaError) as caught:
        await awaitable  # type: ignore[misc]
    return caught.value.code


async def test_a_settled_variant_is_answered_at_once(world: World) -> None:
    ref = await world.rendered()
    answer = await world.ensuring.create(ref, "x.image", 0)
    assert answer.variant.status is Status.READY
    assert (len(world.items.told), world.items.wanted) == (1, [])


async def test_a_preset_nobody_needed_is_made_when_asked_for(world: World) -> None:
    ref = await world.rendered()
    asked = asyncio.create_task(world.ensuring.create(ref, "instagram.story", 5))
    await asyncio.sleep(0.01)
    assert world.items.wanted == ["instagram.story"]
    await world.work()
    answer = await asked
    assert answer.variant.status is Status.READY
    assert world.engine.requests[-1].presets == ("instagram.story",)
    assert world.items.told[-1].settled


async def test_bytes_that_are_there_already_are_not_stored_again(world: World) -> None:
    ref = await world.rendered()
    puts = list(world.store.puts)
    world.engine.noise = b"of an encoder that had other work beside it"
    await world.ensuring.create(ref, "instagram.story", 0)
    await world.work()
    assert world.store.puts == puts
    variant = world.variant(ref, "instagram.story")
    assert variant.key == world.variant(ref, "x.image").key
    # What is told is what is served.
    assert variant.key is not None
    assert variant.size_bytes == len(world.store.objects[variant.key])


async def test_who_will_not_wait_is_told_that_it_is_being_made(world: World) -> None:
    ref = await world.rendered()
    answer = await world.ensuring.create(ref, "instagram.story", 0)
    assert answer.variant.status is None
    again = await world.ensuring.create(ref, "instagram.story", 0)
    assert again.variant.status is None
    assert world.items.wanted == ["instagram.story"]


async def test_a_preset_whose_limits_changed_is_made_anew(world: World) -> None:
    ref = await world.rendered()
    entry = world.items.entries[ref]
    stale = replace(entry.item.variants["x.image"], preset_digest="old")
    entry.item = replace(entry.item, variants={**entry.item.variants, "x.image": stale})
    assert (await world.ensuring.create(ref, "x.image", 0)).variant.status is None
    await world.work()
    assert world.variant(ref, "x.image").preset_digest == catalog.presets("image")["x.image"].digest
    assert world.variant(ref, "x.image").eager


async def test_what_is_not_for_this_kind_is_rejected_and_not_kept(world: World) -> None:
    ref = await world.rendered()
    answer = await world.ensuring.create(ref, "x.video", 0)
    assert (answer.variant.status, answer.variant.reason) == (Status.REJECTED, "kind_unsupported")
    assert "x.video" not in world.item(ref).variants


async def test_unknown_presets_platforms_and_media(world: World) -> None:
    ref = await world.rendered()
    assert await code_of(world.ensuring.create(ref, "nowhere.image", 0)) is Code.PRESET_UNKNOWN
    assert await code_of(world.ensuring.ensure(ref, "nowhere", "", 0)) is Code.PLATFORM_UNKNOWN
    assert await code_of(world.ensuring.ensure(ref, "x", "nowhere.image", 0)) is Code.PRESET_UNKNOWN
    assert await code_of(world.ensuring.create(UNKNOWN, "x.image", 0)) is Code.MEDIA_NOT_FOUND
    assert await code_of(world.ensuring.create(Ref("ws_2", ref.media_id), "x.image", 0)) is Code.MEDIA_NOT_FOUND


async def test_the_publisher_may_be_faster_than_the_word_of_an_item(world: World) -> None:
    assert await code_of(world.ensuring.ensure(UNKNOWN, "x", "", 0)) is Code.MEDIA_NOT_READY
    ref = await world.promoted()
    assert await code_of(world.ensuring.ensure(ref, "x", "", 0)) is Code.MEDIA_NOT_READY


async def test_a_platform_gets_the_preset_that_fits(world: World) -> None:
    ref = await world.rendered()
    answer = await world.ensuring.ensure(ref, "bluesky", "", 0)
    assert (answer.variant.preset, answer.variant.status) == ("bluesky.image", Status.READY)
    assert answer.cover is None


async def test_a_wait_for_the_finding_ends_with_the_variant(world: World) -> None:
    ref = await world.promoted()
    asked = asyncio.create_task(world.ensuring.ensure(ref, "bluesky", "", 5))
    await asyncio.sleep(0)
    await world.work()
    assert (await asked).variant.status is Status.READY


async def test_a_video_comes_with_its_cover_where_the_platform_takes_one(world: World) -> None:
    ref = await world.rendered("video")
    answer = await world.ensuring.ensure(ref, "pinterest", "", 0)
    assert answer.variant.preset == "pinterest.video"
    assert answer.cover is not None
    assert (answer.cover.preset, answer.cover.status) == ("pinterest.cover", Status.READY)
    assert (await world.ensuring.ensure(ref, "bluesky", "", 0)).cover is None


async def test_what_does_not_fit_is_rejected_with_the_reason(world: World) -> None:
    world.engine.misfit = {"instagram": "aspect_unsupported"}
    ref = await world.rendered()
    answer = await world.ensuring.ensure(ref, "instagram", "", 0)
    assert (answer.variant.status, answer.variant.reason) == (Status.REJECTED, "aspect_unsupported")
    story = await world.ensuring.ensure(ref, "instagram", "instagram.story", 0)
    assert story.variant.status is None, "another preset of it may do all the same"


async def test_nothing_is_made_of_a_rejected_item_or_of_one_that_failed(world: World) -> None:
    world.engine.error = InputFault("media_corrupt")
    ref = await world.rendered()
    assert await code_of(world.ensuring.create(ref, "instagram.story", 0)) is Code.MEDIA_REJECTED
    world.engine.error = InputFault("a_code_of_tomorrow")
    other = await world.rendered(data=b"other")
    assert await code_of(world.ensuring.ensure(other, "x", "", 0)) is Code.PROCESSING_FAILED


async def test_a_fault_found_on_demand_does_not_take_back_what_is_served(world: World) -> None:
    ref = await world.rendered()
    world.engine.error = InputFault("media_too_complex")
    await world.ensuring.create(ref, "instagram.story", 0)
    await world.work()
    assert world.item(ref).fault is None
    answer = await world.ensuring.create(ref, "instagram.story", 0)
    assert (answer.variant.status, answer.variant.reason) == (Status.REJECTED, "media_too_complex")


async def test_a_deleted_item_is_unknown_even_to_who_waits_for_it(world: World) -> None:
    ref = await world.rendered()
    asked = asyncio.create_task(world.ensuring.create(ref, "instagram.story", 5))
    await asyncio.sleep(0.01)
    await world.receiving.deleted(ref, world.receipt())
    assert await code_of(asked) is Code.MEDIA_NOT_FOUND
    assert await code_of(world.ensuring.ensure(ref, "x", "", 0)) is Code.MEDIA_NOT_FOUND


async def test_a_word_nobody_would_miss_is_said_twice(world: World) -> None:
    ref = await world.rendered()
    await world.ensuring.create(ref, "instagram.story", 0)
    await world.work()
    told = len(world.items.told)
    await world.sweeping.words()
    world.clock.advance(61)
    await world.sweeping.words()
    await world.sweeping.words()
    assert len(world.items.told) == told + 1
    assert world.items.told[-1].version == world.items.told[-2].version


async def test_an_item_heard_of_in_the_meantime_is_found(world: World) -> None:
    promotion = world.promotion()
    asked = asyncio.create_task(world.ensuring.create(promotion.ref, "x.image", 5))
    await asyncio.sleep(0.01)
    await world.receiving.promoted(promotion, world.receipt())
    await asyncio.sleep(0)
    await world.work()
    assert (await asked).variant.status is Status.READY
