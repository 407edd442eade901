"""From a clean source to what is served, with something going wrong at each step."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from services.common.errors import Code, MediaError
from services.platforms import catalog
from services.platforms.catalog import Kind
from services.transcoder.app import making
from services.transcoder.app.ending import to_the_end
from services.transcoder.domain.item import EARLY_WORD_FROM_BYTES, MOST_TRIES, MOST_TRIES_OF_ONE_TOO_SLOW
from services.transcoder.domain.work import InputFault, Status
from tests.unit.transcoder.stage.world import World


def eager(kind: Kind) -> set[str]:
    return {preset.id for preset in catalog.presets(kind).values() if preset.eager}


async def test_an_image_becomes_every_eager_preset_and_is_told_once_and_settled(world: World) -> None:
    ref = await world.rendered()
    (told,) = world.items.told
    assert told.settled
    assert set(told.variants) == eager("image")
    assert {one.status for one in told.variants.values()} == {Status.READY}
    assert {one.key for one in told.variants.values()} == world.store.served()
    assert told.finding is not None
    assert (told.finding.width, told.finding.height) == (640, 480)
    assert world.left_on_disk() == []
    assert world.meter.jobs == [("image", "made")]
    assert world.items.entries[ref].due_at is None


async def test_presets_with_equal_bytes_share_one_object_under_an_unguessable_name(world: World) -> None:
    ref = await world.rendered()
    shared = {world.variant(ref, preset).key for preset in eager("image") - {"display"}}
    assert len(shared) == 1
    display = world.variant(ref, "display")
    assert display.key == f"cdn/{ref.media_id}/{world.item(ref).token}/display@{display.digest}.jpg"
    assert len(world.store.puts) == 2


async def test_a_small_video_is_looked_at_once(world: World) -> None:
    await world.rendered("video")
    (request,) = world.engine.requests
    assert set(request.presets) == eager("video")
    assert [told.settled for told in world.items.told] == [False, True]


async def test_a_large_videos_pictures_come_first_and_everything_else_in_one_run(world: World) -> None:
    ref = await world.rendered("video", bytes(EARLY_WORD_FROM_BYTES))
    first, second = (set(request.presets) for request in world.engine.requests)
    assert first == {preset for preset in eager("video") if catalog.presets("video")[preset].makes == "image"}
    assert first | second == eager("video")
    words = [(told.version, told.settled, told.finding is not None) for told in world.items.told]
    assert words == [(1, False, False), (2, False, True), (3, True, True)]
    assert world.items.told[1].variants["cover"].status is Status.READY
    assert world.variant(ref, "display").duration_s == 2.0


async def test_what_a_source_cannot_become_is_rejected_and_the_rest_stays(world: World) -> None:
    world.engine.reject = {"instagram.feed": "aspect_unsupported"}
    ref = await world.rendered()
    variant = world.variant(ref, "instagram.feed")
    assert (variant.status, variant.reason, variant.key) == (Status.REJECTED, "aspect_unsupported", None)
    assert world.item(ref).settled
    assert world.item(ref).fault is None


async def test_a_preset_the_engine_says_nothing_about_failed(world: World) -> None:
    world.engine.forget = {"x.image"}
    ref = await world.rendered()
    assert (world.variant(ref, "x.image").status, world.variant(ref, "x.image").reason) == (
        Status.FAILED,
        Code.PROCESSING_FAILED,
    )


async def test_a_bad_file_is_refused_at_once_and_its_fault_told(world: World) -> None:
    world.engine.error = InputFault("media_corrupt", "it ends in the middle")
    ref = await world.rendered()
    (told,) = world.items.told
    assert (told.fault, told.settled) == ("media_corrupt", True)
    assert {one.status for one in told.variants.values()} == {Status.REJECTED}
    assert world.store.served() == set()
    assert len(world.engine.requests) == 1
    assert world.items.entries[ref].due_at is None


async def test_a_file_we_break_on_is_not_tried_again_and_not_called_bad(world: World) -> None:
    world.engine.error = InputFault("processing_failed", "a crash of ours")
    ref = await world.rendered()
    assert {one.status for one in world.item(ref).variants.values()} == {Status.FAILED}
    assert (world.item(ref).fault, len(world.engine.requests)) == ("processing_failed", 1)


async def test_our_own_faults_wait_longer_and_longer_and_never_blame_the_file(world: World) -> None:
    world.engine.error = MediaError(Code.UNAVAILABLE, why="no child would start")
    ref = await world.promoted()
    waits = []
    for _ in range(MOST_TRIES):
        await world.work()
        due_at = world.items.entries[ref].due_at
        if due_at is not None:
            waits.append(due_at - world.clock.time)
            world.clock.time = due_at
    assert len(world.engine.requests) == MOST_TRIES
    assert waits[:4] == [1.0, 2.0, 4.0, 8.0]
    assert waits == sorted(waits)
    assert world.item(ref).fault == Code.PROCESSING_FAILED
    assert {one.status for one in world.item(ref).variants.values()} == {Status.FAILED}
    assert [told.settled for told in world.items.told] == [True]


async def test_work_that_takes_too_long_is_not_begun_twelve_times(world: World) -> None:
    world.engine.error = MediaError(Code.DEADLINE_EXCEEDED)
    await world.promoted()
    for _ in range(5):
        await world.work()
        world.clock.advance(100)
    assert len(world.engine.requests) == MOST_TRIES_OF_ONE_TOO_SLOW


async def test_a_file_that_kills_its_workers_does_not_do_so_for_ever(world: World) -> None:
    ref = await world.promoted()
    for _ in range(MOST_TRIES):
        assert await world.items.claim(("image",), lease_s=15.0) is not None
        world.clock.advance(16)
    await world.work()
    assert world.engine.requests == []
    assert world.item(ref).fault == Code.PROCESSING_FAILED


@pytest.mark.parametrize("method", ["fetch", "put_file", "head"])
async def test_a_store_that_is_away_postpones_the_job(world: World, method: str) -> None:
    world.store.fail = {method}
    ref = await world.promoted()
    await world.work()
    assert world.item(ref).pending
    assert world.left_on_disk() == []
    world.store.fail = set()
    world.clock.advance(1)
    await world.work()
    assert world.item(ref).settled
    assert world.item(ref).tries == 0


async def test_a_source_that_is_not_the_scanned_one_is_nobodys_picture(world: World) -> None:
    promotion = world.promotion()
    other = replace(promotion, source=replace(promotion.source, sha256="0" * 64))
    await world.receiving.promoted(other, world.receipt())
    await world.work()
    assert world.engine.requests == []
    assert world.item(promotion.ref).fault == Code.OBJECT_CHANGED


@pytest.mark.parametrize("name", ["../outside", "/etc/hostname", "link", "sub", "none", "a\x00b"])
async def test_only_files_of_the_job_are_served(world: World, tmp_path: Path, name: str) -> None:
    (tmp_path / "outside").write_text("secret")
    engine, run = world.engine, world.engine.run

    class Hostile:
        async def run(self, request: object, scratch: Path, **more: object) -> object:
            (scratch / "sub").mkdir()
            (scratch / "link").symlink_to("/etc/hostname")
            return await run(request, scratch, **more)  # type: ignore[arg-type]

    engine.file = name
    world.making._engine = Hostile()  # type: ignore[assignment]
    ref = await world.promoted()
    await world.work()
    assert world.store.puts == []
    assert world.item(ref).pending


async def test_a_lost_claim_stops_the_work_and_tells_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(making, "LEASE_S", 0.03)
    world.engine.gate = asyncio.Event()
    ref = await world.promoted()
    first = await world.items.claim(("image",), lease_s=15.0)
    assert first is not None
    job = asyncio.create_task(world.making.make(first))
    await world.engine.entered.wait()
    world.clock.advance(16)
    second = await world.items.claim(("image",), lease_s=15.0)
    assert second is not None
    await job
    assert (world.engine.cancelled, world.items.told, world.store.puts) == (1, [], [])
    world.engine.gate.set()
    await world.making.make(second)
    assert world.item(ref).settled
    assert world.meter.jobs == [("image", "lost"), ("image", "made")]
    assert world.left_on_disk() == []


async def test_a_result_that_comes_after_the_claim_was_lost_is_not_written(world: World) -> None:
    await world.promoted()
    first = await world.items.claim(("image",), lease_s=15.0)
    assert first is not None
    world.clock.advance(16)
    await world.items.claim(("image",), lease_s=15.0)
    await world.making.make(first)
    assert world.items.told == []
    assert world.items.only().pending


async def test_an_item_deleted_while_its_objects_are_stored_leaves_none(world: World) -> None:
    ref = await world.promoted()
    receipt = world.receipt()

    def delete() -> None:
        world.store.before_put = lambda: None
        deleting.append(asyncio.create_task(world.receiving.deleted(ref, receipt)))

    deleting: list[asyncio.Task[None]] = []
    world.store.before_put = delete
    await world.work()
    await asyncio.gather(*deleting)
    assert world.store.puts
    assert world.store.served() == set()
    assert world.items.told == []
    assert world.meter.jobs == [("image", "lost")]


async def test_a_job_that_ends_after_its_source_went_serves_nothing_although_nobody_told(world: World) -> None:
    ref = await world.promoted()

    def delete() -> None:
        world.store.objects.pop(world.item(ref).source.key, None)

    world.store.before_put = delete
    await world.work()
    assert world.store.puts
    assert world.store.served() == set()
    assert world.items.told == []


async def test_a_process_that_ends_hands_its_job_back_at_once_and_uncounted(world: World) -> None:
    world.engine.gate = asyncio.Event()
    ref = await world.promoted()
    item = await world.items.claim(("image",), lease_s=15.0)
    assert item is not None
    job = asyncio.create_task(world.making.make(item))
    await world.engine.entered.wait()
    job.cancel()
    with pytest.raises(asyncio.CancelledError):
        await job
    assert world.engine.cancelled == 1
    assert world.item(ref).tries == 0
    world.engine.gate.set()
    await world.work()
    assert world.item(ref).settled


async def test_an_object_being_stored_is_waited_for_before_anything_is_handed_back() -> None:
    stored, go_on = [], asyncio.Event()

    async def store() -> None:
        await go_on.wait()
        stored.append(1)

    storing = asyncio.create_task(to_the_end([store()]))
    await asyncio.sleep(0)
    storing.cancel()
    await asyncio.sleep(0)
    assert not storing.done()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await storing
    assert stored == [1]


async def test_the_same_bytes_again_are_copied_not_made(world: World) -> None:
    first = await world.rendered()
    second = await world.rendered()
    assert len(world.engine.requests) == 1
    assert world.item(second).settled
    assert world.item(second).finding == world.item(first).finding
    keys = {one.key for one in world.item(second).variants.values()}
    assert keys == {key for key in world.store.served() if second.media_id in key}
    assert not keys & {one.key for one in world.item(first).variants.values()}
    assert world.meter.jobs[-1] == ("image", "copied")


async def test_another_workspaces_bytes_are_none_of_ours(world: World) -> None:
    await world.rendered()
    other = world.promotion(workspace_id="ws_2")
    await world.receiving.promoted(other, world.receipt())
    await world.work()
    assert len(world.engine.requests) == 2


async def test_what_a_twin_has_no_more_is_made(world: World) -> None:
    first = await world.rendered()
    gone = world.variant(first, "display").key
    assert gone is not None
    del world.store.objects[gone]
    second = await world.rendered()
    assert world.engine.requests[1].presets == ("display",)
    assert {one.status for one in world.item(second).variants.values()} == {Status.READY}
    assert all(one.key in world.store.objects for one in world.item(second).variants.values())


async def test_a_copy_an_earlier_try_made_is_found(world: World) -> None:
    await world.rendered()
    second = await world.promoted()
    world.store.fail = {"fetch"}
    item = await world.items.claim(("image",), lease_s=15.0)
    assert item is not None
    assert await world.making._adopting.adopt(item) is not None
    copies = list(world.store.copies)
    world.clock.advance(16)
    await world.work()
    assert world.item(second).settled
    assert world.store.copies == copies


async def test_the_deadline_grows_with_the_file(world: World) -> None:
    await world.rendered("image", b"x")
    await world.rendered("image", b"y" * 1_000_000)
    await world.rendered("video", b"z")
    small, large, film = world.engine.deadlines
    assert small < large < film
