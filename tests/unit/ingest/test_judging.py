"""From sealed to promoted, step by step, with something going wrong at each."""

import pytest

from services.common.errors import Code, MediaError
from services.ingest.domain.media import Sealed, State
from services.ingest.ports import Announcement, Outcome, Ref, Verdict
from tests.unit.ingest.fakes import sha256
from tests.unit.ingest.world import JPEG_HEAD, World


@pytest.fixture
def world() -> World:
    return World()


def state(world: World) -> State:
    return world.table.only().media.state


async def test_clean_bytes_are_promoted_and_quarantine_is_emptied(world: World) -> None:
    await world.promoted()
    media = world.table.only().media
    assert media.state is State.PROCESSING
    assert world.active.objects == {media.active_key: JPEG_HEAD}
    assert world.quarantine.objects == {}
    assert world.told() == [Announcement.SEALED, Announcement.PROMOTED]


@pytest.mark.parametrize("outcome", [Outcome.INFECTED, Outcome.UNSCANNABLE])
async def test_bad_bytes_never_reach_the_active_store(world: World, outcome: Outcome) -> None:
    ref = await world.sealed()
    world.scanner.outcome, world.scanner.threat = outcome, "Some-Threat"
    await world.judging.judge(ref)
    assert state(world) is State.REJECTED
    assert world.table.only().media.fault is not None
    assert (world.active.objects, world.quarantine.objects) == ({}, {})
    assert world.told() == [Announcement.SEALED, Announcement.SETTLED]
    with pytest.raises(MediaError) as caught:
        await world.reading.settled(ref, 0)
    assert caught.value.code is Code.MEDIA_REJECTED_SECURITY
    assert caught.value.details == {"threat": "Some-Threat", "reason": outcome.value}


async def test_malformed_bytes_are_rejected_with_their_own_code(world: World) -> None:
    ref = await world.sealed()
    world.scanner.outcome, world.scanner.code = Outcome.MALFORMED, Code.MEDIA_DIMENSIONS_EXCEEDED
    await world.judging.judge(ref)
    assert state(world) is State.REJECTED
    assert world.scanner.types == ["image/jpeg"]
    assert (world.active.objects, world.quarantine.objects) == ({}, {})
    assert world.told() == [Announcement.SEALED, Announcement.SETTLED]
    with pytest.raises(MediaError) as caught:
        await world.reading.settled(ref, 0)
    assert caught.value.code is Code.MEDIA_DIMENSIONS_EXCEEDED


@pytest.mark.parametrize("code", [Code.SCANNER_UNAVAILABLE, Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED, Code.INTERNAL])
async def test_a_scanner_that_is_away_rejects_nothing_and_promotes_nothing(world: World, code: Code) -> None:
    await world.sealed()
    world.scanner.error = MediaError(code)
    for _ in range(5):
        world.clock.advance(20)
        await world.sweeping.scans()
    assert state(world) is State.SCANNING
    assert world.table.only().media.tries == 5
    assert world.active.objects == {}
    world.scanner.error = None
    world.clock.advance(20)
    await world.sweeping.scans()
    assert state(world) is State.PROCESSING
    assert world.table.only().media.tries == 0


async def test_a_failed_try_waits_for_its_turn(world: World) -> None:
    ref = await world.sealed()
    world.scanner.error = MediaError(Code.SCANNER_UNAVAILABLE)
    await world.judging.judge(ref)
    await world.sweeping.scans()
    assert world.scanner.scans == 1
    world.clock.advance(1)
    await world.sweeping.scans()
    assert world.scanner.scans == 2


async def test_an_object_replaced_before_the_scan_is_not_judged_as_the_sealed_one(world: World) -> None:
    ref = await world.sealed()
    world.quarantine.objects[world.table.only().media.quarantine_key] = b"other bytes"
    await world.judging.judge(ref)
    assert state(world) is State.FAILED
    assert (world.active.objects, world.quarantine.objects) == ({}, {})


async def test_an_object_replaced_between_scan_and_promotion_is_not_promoted(world: World) -> None:
    ref = await world.sealed()
    media = world.table.only().media

    def replace() -> None:
        world.quarantine.objects[media.quarantine_key] = b"other bytes"

    world.scanner.after = replace
    await world.judging.judge(ref)
    assert state(world) is State.FAILED
    assert (world.active.objects, world.quarantine.objects) == ({}, {})
    assert world.told() == [Announcement.SEALED, Announcement.SETTLED]


async def test_other_bytes_found_at_the_destination_are_removed(world: World) -> None:
    ref = await world.sealed()
    world.active.objects[world.table.only().media.active_key] = b"planted"
    await world.judging.judge(ref)
    assert state(world) is State.FAILED
    assert world.active.objects == {}


async def test_a_verdict_about_another_object_does_not_count(world: World) -> None:
    ref = await world.sealed()
    other = Sealed("med_9/q", '"x"', 3, "abc")
    world.table.only().verdict = Verdict(Outcome.CLEAN, "", other)
    await world.judging.judge(ref)
    assert state(world) is State.FAILED
    assert world.active.objects == {}


@pytest.mark.parametrize("method", ["copy", "read"])
async def test_a_store_that_fails_in_the_middle_is_tried_again_without_another_scan(world: World, method: str) -> None:
    ref = await world.sealed()
    world.active.fail = {method}
    await world.judging.judge(ref)
    assert state(world) is State.SCANNING
    world.active.fail = set()
    world.clock.advance(20)
    await world.sweeping.scans()
    assert state(world) is State.PROCESSING
    assert world.scanner.scans == 1
    assert world.told().count(Announcement.PROMOTED) == 1


async def test_a_process_that_died_after_the_copy_is_finished_by_the_next(world: World) -> None:
    ref = await world.sealed()
    media = world.table.only().media
    row = await world.table.claim(ref, State.SCANNING, lease_s=10)
    assert row is not None
    world.active.objects[media.active_key] = JPEG_HEAD
    await world.judging.judge(ref)
    assert state(world) is State.SCANNING, "the dead one's claim still holds"
    world.clock.advance(11)
    await world.sweeping.scans()
    assert state(world) is State.PROCESSING


async def test_the_same_event_twice_is_judged_once(world: World) -> None:
    ref = await world.promoted()
    await world.judging.judge(ref)
    assert world.scanner.scans == 1
    assert world.told().count(Announcement.PROMOTED) == 1


async def test_a_forged_event_about_nothing_does_nothing(world: World) -> None:
    await world.judging.judge(Ref("ws_1", "med_unknown"))
    await world.judging.judge(Ref("ws_2", (await world.sealed()).media_id))
    assert world.scanner.scans == 0


async def test_what_is_changed_during_the_scan_stays_changed(world: World) -> None:
    ref = await world.sealed()
    entry = world.table.only()

    def describe() -> None:
        entry.media = entry.media.described("written meanwhile")

    world.scanner.after = describe
    await world.judging.judge(ref)
    assert (entry.media.state, entry.media.alt_text) == (State.PROCESSING, "written meanwhile")
    assert entry.media.version == 4


async def test_an_item_deleted_during_its_scan_leaves_nothing(world: World) -> None:
    ref = await world.sealed()
    entry = world.table.only()

    def delete() -> None:
        entry.media = entry.media.tombstone(State.DELETED)

    world.scanner.after = delete
    await world.judging.judge(ref)
    assert entry.media.state is State.DELETED
    assert world.active.objects == {}
    world.clock.advance(11)
    await world.sweeping.litter()
    assert world.quarantine.objects == {}


async def test_quarantine_that_could_not_be_emptied_is_emptied_later(world: World) -> None:
    ref = await world.sealed()
    world.quarantine.fail = {"delete_prefix"}
    await world.judging.judge(ref)
    assert state(world) is State.PROCESSING
    assert world.quarantine.objects
    world.quarantine.fail = set()
    world.clock.advance(61)
    await world.sweeping.litter()
    assert world.quarantine.objects == {}


async def test_a_transcoder_that_never_answered_is_told_again_less_and_less_often(world: World) -> None:
    await world.promoted()
    told = []
    for _ in range(200):
        world.clock.advance(1)
        await world.sweeping.renditions()
        told.append(world.told().count(Announcement.PROMOTED))
    assert told[28] == 1
    assert told[30] == 2
    assert told[-1] == 3


async def test_a_digest_is_over_all_bytes() -> None:
    from services.ingest.app.judging import digest
    from tests.unit.ingest.fakes import Store

    store = Store()
    await store.put("k", JPEG_HEAD, "")
    assert await digest(store.read("k")) == sha256(JPEG_HEAD)
