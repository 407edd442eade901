"""Covers of a moment that somebody chose, before, while and after they are made."""

import asyncio
from dataclasses import replace

import pytest

from services.transcoder.app.receiving import Promotion
from services.transcoder.domain.item import Item, is_cover
from services.transcoder.domain.work import Status
from services.transcoder.ports import Change, Ref
from tests.unit.transcoder.stage.world import World


def covers(item: Item) -> set[str]:
    return {preset for preset in item.variants if is_cover("video", preset)}


def known(world: World, ref: Ref, at_s: float | None, version: int) -> Promotion:
    """Ingest's word about an item, once more."""
    item = world.item(ref)
    return Promotion(
        ref=ref, kind="video", content_type="video/mp4", source=item.source, request_id="", cover_at_s=at_s,
        version=version,
    )  # fmt: skip


async def test_a_film_comes_with_its_moment(world: World) -> None:
    promotion = replace(world.promotion("video"), cover_at_s=2.5, version=3)
    await world.receiving.promoted(promotion, world.receipt())
    await world.work()
    assert [request.cover_at_s for request in world.engine.requests] == [2.5]
    assert world.items.told[-1].cover_at_s == 2.5


async def test_a_later_moment_makes_the_covers_anew_and_nothing_else(world: World) -> None:
    ref = await world.rendered("video")
    before = world.item(ref)
    await world.receiving.promoted(known(world, ref, 2.5, 9), world.receipt())
    assert set(world.item(ref).pending) == covers(before) != set()
    assert {world.item(ref).variants[one].eager for one in covers(before)} == {
        before.variants[one].eager for one in covers(before)
    }
    assert not world.items.told[-1].settled
    await world.work()
    assert set(world.engine.requests[-1].presets) == covers(before)
    assert world.engine.requests[-1].cover_at_s == 2.5
    after = world.item(ref)
    assert after.settled
    others = set(before.variants) - covers(before)
    assert {one: after.variants[one] for one in others} == {one: before.variants[one] for one in others}


async def test_an_older_word_that_comes_late_changes_nothing(world: World) -> None:
    ref = await world.rendered("video")
    await world.receiving.promoted(known(world, ref, 2.5, 9), world.receipt())
    await world.work()
    for at_s, version in ((1.0, 8), (None, 3), (1.0, 9)):
        await world.receiving.promoted(known(world, ref, at_s, version), world.receipt())
        assert (world.item(ref).cover_at_s, world.item(ref).pending) == (2.5, ())


async def test_the_same_moment_again_makes_nothing(world: World) -> None:
    ref = await world.rendered("video")
    await world.receiving.promoted(known(world, ref, 2.5, 9), world.receipt())
    await world.work()
    await world.receiving.promoted(known(world, ref, 2.5, 10), world.receipt())
    assert world.item(ref).pending == ()


async def test_covers_of_the_old_moment_that_come_later_are_not_taken(world: World) -> None:
    world.engine.gate = asyncio.Event()
    ref = await world.promoted("video")
    item = await world.items.claim(("video",), lease_s=15.0)
    assert item is not None
    job = asyncio.create_task(world.making.make(item))
    await world.engine.entered.wait()
    await world.receiving.promoted(known(world, ref, 2.5, 9), world.receipt())
    world.engine.gate.set()
    await job
    assert set(world.item(ref).pending) == covers(world.item(ref))
    assert not world.item(ref).settled
    await world.work()
    assert world.engine.requests[-1].cover_at_s == 2.5
    assert world.item(ref).settled


async def test_a_twins_covers_are_copied_only_if_they_show_the_same(world: World) -> None:
    first = await world.rendered("video")
    await world.receiving.promoted(replace(world.promotion("video"), cover_at_s=2.5, version=3), world.receipt())
    await world.work()
    assert set(world.engine.requests[-1].presets) == covers(world.item(first))
    third = replace(world.promotion("video"), cover_at_s=2.5, version=3)
    await world.receiving.promoted(third, world.receipt())
    made = len(world.engine.requests)
    await world.work()
    assert world.item(third.ref).settled
    assert len(world.engine.requests) - made <= 1
    assert all(set(one.presets) == covers(world.item(first)) for one in world.engine.requests[made:])


async def test_a_cover_asked_for_by_its_moment_is_pending_until_it_shows_it(world: World) -> None:
    ref = await world.rendered("video")
    answer = await world.ensuring.ensure(ref, "pinterest", "", 0.0, cover_at_s=2.5)
    assert answer.variant.status is Status.READY
    assert answer.cover is not None
    assert answer.cover.status is None
    await world.receiving.promoted(known(world, ref, 2.5, 9), world.receipt())
    await world.work()
    answer = await world.ensuring.ensure(ref, "pinterest", "", 0.0, cover_at_s=2.5)
    assert answer.cover == world.variant(ref, "pinterest.cover")
    assert answer.cover is not None
    assert answer.cover.status is Status.READY
    assert (await world.ensuring.ensure(ref, "x", "", 0.0, cover_at_s=1.0)).cover is None


@pytest.mark.parametrize("at_s", [-1.0, float("inf"), float("nan")])
async def test_a_word_without_sense_is_none(world: World, at_s: float) -> None:
    with pytest.raises(ValueError, match="cover"):
        replace(world.promotion("video"), cover_at_s=at_s)


async def test_a_film_nothing_can_come_of_gets_no_covers(world: World) -> None:
    ref = await world.promoted("video")
    await world.items.change(ref, _failed)
    await world.receiving.promoted(known(world, ref, 2.5, 9), world.receipt())
    assert world.item(ref).pending == ()


def _failed(item: Item) -> Change:
    return Change(item=item.failed("processing_failed"))
