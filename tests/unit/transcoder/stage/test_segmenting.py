"""Long films in segments: each encoded once, by whoever has time, and none lost with a process."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from services.common.errors import Code, MediaError
from services.transcoder.domain.item import EARLY_WORD_FROM_BYTES, Item
from services.transcoder.domain.segments import Cut, Encoded
from services.transcoder.domain.work import InputFault, Progress, Status, WorkRequest, WorkResult
from services.transcoder.ports import Ref
from tests.unit.transcoder.stage.fakes import FILM, Engine
from tests.unit.transcoder.stage.test_jobs_in_turn import dispatching, until
from tests.unit.transcoder.stage.world import World

CUT = Cut(3, 10)
LARGE = bytes(EARLY_WORD_FROM_BYTES)
LONG = {"width": 1920, "height": 1080, "duration_s": 35.0, "codec": "hevc", "fps": 25.0}


@dataclass(slots=True)
class Looking(Engine):
    """Sees what it is given to join. pause: while it is closed, segments do not end."""

    given: dict[str, bytes] = field(default_factory=dict)
    pause: asyncio.Event | None = None

    async def run(self, request: WorkRequest, scratch: Path, *, deadline_s: float, progress: Progress) -> WorkResult:
        if request.encoded is not None:
            folder = Path(request.encoded.folder)
            self.given = {one.name: one.read_bytes() for one in sorted(folder.iterdir())}
        result = await Engine.run(self, request, scratch, deadline_s=deadline_s, progress=progress)
        if request.segment is not None and self.pause is not None:
            await self.pause.wait()
        return result


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path, engine=Looking(looks=LONG))


def encoded(world: World) -> Counter[int]:
    """How often each segment was."""
    return Counter(one.segment.n for one in world.engine.requests if one.segment)


async def claimed(world: World) -> tuple[Ref, Item]:
    ref = await world.promoted("video", LARGE)
    item = await world.items.claim(("video",), lease_s=15.0)
    assert item is not None
    return ref, item


async def broken_off(world: World, item: Item) -> None:
    """Once all segments are stored."""
    await world.making.make(item, lambda known: world.store.fail.add("head"))


async def test_a_long_film_is_encoded_in_segments_stored_one_by_one_and_joined(world: World) -> None:
    ref = await world.rendered("video", LARGE)
    assert encoded(world) == {0: 1, 1: 1, 2: 1}
    assert isinstance(world.engine, Looking)
    assert world.engine.given == {Encoded.name(n, FILM): f"segment {n}".encode() for n in range(3)}
    assert world.meter.segments == ["holder"] * 3
    assert {one.status for one in world.item(ref).variants.values() if one.eager} == {Status.READY}
    assert [round(percent["x.video"]) for _, percent in world.looked_at if "x.video" in percent] == [16, 50, 83, 50]
    assert world.left_on_disk() == []


async def test_segments_go_once_the_film_is_made(world: World) -> None:
    ref = await world.rendered("video", LARGE)
    left = {key for key in world.store.objects if key.startswith(world.item(ref).segments_prefix)}
    assert len(left) == 3
    await world.segmenting.litter()
    assert not left & set(world.store.objects)
    assert {one.key for one in world.item(ref).variants.values() if one.key} <= set(world.store.objects)
    assert world.segments.rows == {}


@pytest.mark.parametrize(
    "looks",
    [{"duration_s": 19.9}, {"width": 640, "height": 480}, {"max_key_gap_s": 30.0}, {"fps": 0.0, "hdr": "dolby"}],
)
async def test_what_is_short_small_or_not_to_be_cut_is_encoded_at_once(world: World, looks: dict[str, object]) -> None:
    world.engine.looks = LONG | looks
    await world.rendered("video", LARGE)
    assert encoded(world) == {}
    assert [one.encoded for one in world.engine.requests if one.presets] == [None, None]


async def test_whoever_is_idle_helps_and_nothing_is_encoded_twice(world: World) -> None:
    _, item = await claimed(world)
    assert await world.segmenting.take() is None
    assert isinstance(world.engine, Looking)
    world.engine.pause = asyncio.Event()
    job = asyncio.create_task(world.making.make(item))
    await until(lambda: encoded(world) == {0: 1})
    taken = await world.segmenting.take()
    assert taken is not None
    helping = asyncio.create_task(world.segmenting.help(taken))
    await until(lambda: encoded(world) == {0: 1, 1: 1})
    world.engine.pause.set()
    await asyncio.gather(job, helping)
    assert encoded(world) == {0: 1, 1: 1, 2: 1}
    assert sorted(world.meter.segments) == ["helper", "holder", "holder"]
    assert world.item(Ref(item.workspace_id, item.media_id)).settled


async def test_after_a_death_only_what_is_missing_is_encoded(world: World) -> None:
    _, item = await claimed(world)
    await broken_off(world, item)
    assert encoded(world) == {0: 1, 1: 1, 2: 1}
    row = world.segments.rows[Ref(item.workspace_id, item.media_id)][1]
    row.digests, row.lease_until = None, world.clock() + 15.0  # one was under way
    world.store.fail.clear()
    world.clock.advance(20.0)
    await world.work()
    assert encoded(world) == {0: 1, 1: 2, 2: 1}
    assert world.item(Ref(item.workspace_id, item.media_id)).settled


async def test_a_segment_that_a_helper_could_not_encode_is_for_the_holder(world: World) -> None:
    ref, item = await claimed(world)
    world.store.fail.add("put_file")
    await world.segments.open(item, ("x.video",), CUT)
    taken = await world.segmenting.take()
    assert taken is not None
    await world.segmenting.help(taken)
    following = await world.segmenting.take()
    assert following is not None
    assert (taken.segment.n, following.segment.n) == (0, 1)
    world.engine.error = InputFault("media_corrupt", "ends early")
    await world.segmenting.help(following)
    assert [row.tries for row in world.segments.rows[ref].values()] == [1, 1, 0]
    assert world.meter.segments == []
    own = await world.segments.take(item, lease_s=15.0)
    assert own is not None
    assert own.segment.n == 0


async def test_a_film_that_breaks_in_a_segment_is_refused_by_its_holder(world: World) -> None:
    ref, item = await claimed(world)

    def breaks(known: Item) -> None:
        world.engine.broken = InputFault("media_corrupt", "ends early")

    await world.making.make(item, breaks)
    assert world.item(ref).fault is None  # its cover is there
    assert world.variant(ref, "x.video").reason == "media_corrupt"
    assert world.segments.rows[ref][0].lease_until < 0


async def test_a_helper_that_is_stopped_gives_back_what_it_took_as_it_was(world: World) -> None:
    ref, item = await claimed(world)
    await world.segments.open(item, ("x.video",), CUT)
    taken = await world.segmenting.take()
    assert taken is not None
    world.engine.gate = asyncio.Event()
    helping = asyncio.create_task(world.segmenting.help(taken))
    await world.engine.entered.wait()
    helping.cancel()
    await asyncio.gather(helping, return_exceptions=True)
    again = await world.segmenting.take()
    assert again is not None
    assert (again.segment, world.segments.rows[ref][0].tries) == (taken.segment, 1)
    assert world.left_on_disk() == []


async def test_who_lost_a_segment_tells_nothing_of_it(world: World) -> None:
    ref, item = await claimed(world)
    await world.segments.open(item, ("x.video",), CUT)
    taken = await world.segmenting.take()
    assert taken is not None
    world.segments.lost = True
    await world.segmenting.help(taken)
    assert world.segments.rows[ref][0].digests is None
    assert world.meter.segments == []


async def test_segments_gone_from_the_store_are_encoded_anew(world: World) -> None:
    ref, item = await claimed(world)
    await broken_off(world, item)
    world.store.fail.clear()
    del world.store.objects[f"{item.segments_prefix}1-1-{FILM}.mp4"]
    for _ in range(2):
        world.clock.advance(60.0)
        await world.work()
    assert world.item(ref).settled
    assert encoded(world) == {0: 2, 1: 2, 2: 2}


async def test_other_presets_or_another_cut_are_other_segments(world: World) -> None:
    ref, item = await claimed(world)
    await world.segments.open(item, ("x.video",), CUT)
    before = dict(world.segments.rows[ref])
    await world.segments.open(item, ("x.video",), CUT)
    assert world.segments.rows[ref] == before
    await world.segments.open(item, ("x.video", "bluesky.video"), CUT)
    assert all(world.segments.rows[ref][n] is not row for n, row in before.items())


async def test_segments_that_are_forgotten_meanwhile_put_the_job_off(world: World) -> None:
    ref, item = await claimed(world)

    def forgets() -> None:
        world.segments.rows.get(ref, {}).pop(2, None)

    world.store.before_put = forgets
    await world.making.make(item)
    assert world.meter.jobs == [("video", "postponed")]


async def test_a_free_worker_takes_segments_only_while_it_has_no_film(tmp_path: Path) -> None:
    world = World(tmp_path, workers=3, engine=Looking(looks=LONG))
    _, item = await claimed(world)
    await world.segments.open(item, ("x.video",), CUT)
    world.engine.gate = asyncio.Event()
    async with dispatching(world):
        await until(lambda: len(world.engine.requests) == 1)
        await asyncio.sleep(0.05)
        assert encoded(world) == {0: 1}
        world.engine.gate.set()
        await until(lambda: world.meter.segments == ["helper"] * 3)
    assert encoded(world) == {0: 1, 1: 1, 2: 1}


async def test_an_engine_that_is_away_for_a_helper_is_no_fault_of_the_job(world: World) -> None:
    ref, item = await claimed(world)
    await world.segments.open(item, ("x.video",), CUT)
    taken = await world.segmenting.take()
    assert taken is not None
    world.engine.error = MediaError(Code.UNAVAILABLE)
    await world.segmenting.help(taken)
    world.engine.error = None
    await world.making.make(replace(item, tries=1))
    assert world.item(ref).settled
