"""What ingest says: once, twice, late, forged."""

from dataclasses import replace

import pytest
from mediaapi.v1 import events_pb2, media_pb2

from services.common.errors import Code, MediaError
from services.transcoder.app.receiving import Promotion
from services.transcoder.events import TranscoderEvents
from services.transcoder.ports import Ref
from tests.unit.transcoder.stage.world import World


def event(promotion: Promotion, **changed: object) -> events_pb2.Event:
    source = promotion.source
    said = {
        "kind": media_pb2.MEDIA_KIND_IMAGE,
        "content_type": promotion.content_type,
        "key": source.key,
        "etag": source.etag,
        "size_bytes": source.size_bytes,
        "sha256": source.sha256,
    } | {name: value for name, value in changed.items() if name not in ("workspace_id", "subject_id")}
    return events_pb2.Event(
        id="evt_1",
        workspace_id=str(changed.get("workspace_id", promotion.ref.workspace_id)),
        subject_id=str(changed.get("subject_id", promotion.ref.media_id)),
        media_promoted=events_pb2.MediaPromoted(**said),  # type: ignore[arg-type]
    )


def handlers(world: World) -> TranscoderEvents:
    return TranscoderEvents(world.receiving, wake=world.dispatcher.wake)


async def test_a_promoted_item_is_kept_with_its_eager_presets(world: World) -> None:
    promotion = world.promotion()
    await handlers(world).media(event(promotion))
    item = world.item(promotion.ref)
    assert (item.kind, item.source, item.gone) == ("image", promotion.source, False)
    assert item.pending
    assert all(one.eager for one in item.variants.values())


@pytest.mark.parametrize(
    "changed",
    [
        {"key": "sources/med_00000000000000000000000099/obj"},
        {"key": "quarantine/x"},
        {"key": ""},
        {"kind": media_pb2.MEDIA_KIND_UNSPECIFIED},
        {"subject_id": "med_../../x"},
        {"subject_id": ""},
        {"workspace_id": ""},
    ],
)
async def test_a_word_that_makes_no_sense_changes_nothing(world: World, changed: dict[str, object]) -> None:
    with pytest.raises(MediaError) as caught:
        await handlers(world).media(event(world.promotion(), **changed))
    assert caught.value.code is Code.INVALID_REQUEST
    assert world.items.entries == {}


async def test_a_word_heard_again_is_answered_with_the_whole_view(world: World) -> None:
    promotion = world.promotion()
    await world.receiving.promoted(promotion, world.receipt())
    await world.work()
    again = world.receipt()
    await world.receiving.promoted(promotion, again)
    await world.receiving.promoted(promotion, again)
    assert [told.version for told in world.items.told] == [1, 2]
    assert len(world.engine.requests) == 1


async def test_a_word_heard_again_keeps_the_token_and_the_source(world: World) -> None:
    promotion = world.promotion()
    await world.receiving.promoted(promotion, world.receipt())
    before = world.item(promotion.ref)
    other = replace(promotion, source=replace(promotion.source, etag="other"))
    await world.receiving.promoted(other, world.receipt())
    assert (world.item(promotion.ref).token, world.item(promotion.ref).source) == (before.token, before.source)


async def test_a_deletion_ends_an_item_and_what_is_served_of_it(world: World) -> None:
    ref, other = await world.rendered(), await world.rendered(data=b"other")
    await world.receiving.deleted(ref, world.receipt())
    assert world.item(ref).gone
    assert {key.split("/")[1] for key in world.store.served()} == {other.media_id}
    told = len(world.items.told)
    await world.receiving.promoted(world.promotion(), world.receipt())
    await world.receiving.deleted(ref, world.receipt())
    assert len(world.items.told) == told


async def test_a_late_word_does_not_bring_an_item_back(world: World) -> None:
    promotion = world.promotion()
    await world.receiving.deleted(promotion.ref, world.receipt())
    await world.receiving.promoted(promotion, world.receipt())
    await world.work()
    assert (world.engine.requests, world.items.told, world.store.served()) == ([], [], set())


async def test_a_deletion_of_another_workspaces_item_deletes_nothing(world: World) -> None:
    ref = await world.rendered()
    before = world.store.served()
    await world.receiving.deleted(Ref("ws_2", ref.media_id), world.receipt())
    assert world.store.served() == before
    assert not world.item(ref).gone


async def test_objects_that_cannot_be_deleted_now_are_deleted_later(world: World) -> None:
    ref = await world.rendered()
    world.store.fail = {"delete_prefix"}
    await world.receiving.deleted(ref, world.receipt())
    world.store.fail = set()
    await world.sweeping.litter()
    assert world.store.served()
    world.clock.advance(61)
    await world.sweeping.litter()
    assert world.store.served() == set()
    assert await world.items.litter(10) == []


async def test_a_job_under_way_at_the_deletion_is_swept_after_twice(world: World) -> None:
    ref = await world.promoted()
    item = await world.items.claim(("image",), lease_s=15.0)
    assert item is not None
    await world.receiving.deleted(ref, world.receipt())
    world.store.objects[f"{item.prefix}late@00000000.jpg"] = b"late"
    world.clock.advance(121)
    await world.sweeping.litter()
    assert world.store.served() == set()
    assert await world.items.litter(10) == []
