"""What an owner changes, and how the transcoder hears of it."""

import pytest

from services.common.errors import Code, MediaError
from services.ingest.app.describing import HEARD_WITHIN_S, Description
from services.ingest.app.rendering import Word
from services.ingest.domain.media import State
from services.ingest.ports import Announcement, Receipt, Ref
from tests.unit.ingest.world import MP4_HEAD, World


@pytest.fixture
def world() -> World:
    world = World()
    world.opinion = "video/mp4"
    return world


async def said(world: World, ref: Ref, version: int, thumbnail_time: float | None) -> None:
    word = Word(version=version, view="{}", settled=True, thumbnail_time=thumbnail_time)
    await world.rendering.rendered(ref, word, Receipt("ingest_rendered", f"evt_{version}"))


async def promoted(world: World) -> Ref:
    ref = await world.sealed(MP4_HEAD)
    await world.judging.judge(ref)
    return ref


async def test_a_moment_is_kept_and_told_with_the_next_promotion(world: World) -> None:
    ref = await promoted(world)
    media = await world.describing.describe(ref, Description(alt_text="A lighthouse.", thumbnail_time=2.5))
    assert (media.alt_text, media.thumbnail_time) == ("A lighthouse.", 2.5)
    assert world.told().count(Announcement.PROMOTED) == 2
    assert world.table.announced[-1][1].thumbnail_time == 2.5
    assert (await world.describing.describe(ref, Description(alt_text=""))).thumbnail_time == 2.5


async def test_before_the_verdict_it_is_told_with_the_first_promotion(world: World) -> None:
    sealed = await world.upload(MP4_HEAD)
    ref = Ref(sealed.workspace_id, sealed.media_id)
    await world.describing.describe(ref, Description(thumbnail_time=2.5))
    assert Announcement.PROMOTED not in world.told()
    await world.judging.judge(ref)
    ((_, media),) = [one for one in world.table.announced if one[0] is Announcement.PROMOTED]
    assert media.thumbnail_time == 2.5


async def test_the_same_moment_again_is_told_once(world: World) -> None:
    ref = await promoted(world)
    first = await world.describing.describe(ref, Description(thumbnail_time=2.5))
    again = await world.describing.describe(ref, Description(thumbnail_time=2.5))
    assert (world.told().count(Announcement.PROMOTED), again.version) == (2, first.version)


@pytest.mark.parametrize("settled", [False, True])
async def test_it_is_told_again_until_the_transcoder_says_that_it_heard(world: World, settled: bool) -> None:
    ref = await promoted(world)
    if settled:
        await said(world, ref, 1, None)
    await world.describing.describe(ref, Description(thumbnail_time=2.5))
    await said(world, ref, 2, None)
    for told in (2, 3, 4):
        assert world.told().count(Announcement.PROMOTED) == told
        world.clock.advance(HEARD_WITHIN_S)
        await world.sweeping.renditions()
        await world.sweeping.renditions()
    await said(world, ref, 3, 2.5)
    told = world.told().count(Announcement.PROMOTED)
    world.clock.advance(HEARD_WITHIN_S)
    await world.sweeping.renditions()
    assert (world.told().count(Announcement.PROMOTED), (await world.reading.get(ref)).state) == (told, State.READY)


@pytest.mark.parametrize("at_s", [-0.1, 10_800.1, float("inf"), float("nan")])
async def test_no_film_has_that_moment(world: World, at_s: float) -> None:
    ref = await promoted(world)
    with pytest.raises(MediaError) as caught:
        await world.describing.describe(ref, Description(alt_text="x", thumbnail_time=at_s))
    assert caught.value.code is Code.INVALID_REQUEST
    assert [one.field for one in caught.value.violations] == ["thumbnailTime"]
    assert (await world.reading.get(ref)).alt_text is None


async def test_a_picture_has_no_moment() -> None:
    world = World()
    ref = await world.promoted()
    with pytest.raises(MediaError) as caught:
        await world.describing.describe(ref, Description(thumbnail_time=1.0))
    assert caught.value.code is Code.INVALID_REQUEST


async def test_a_deleted_item_owes_no_cover(world: World) -> None:
    ref = await promoted(world)
    await world.describing.describe(ref, Description(thumbnail_time=2.5))
    await world.removing.delete(ref)
    told = world.told().count(Announcement.PROMOTED)
    world.clock.advance(HEARD_WITHIN_S)
    await world.sweeping.renditions()
    assert world.told().count(Announcement.PROMOTED) == told
    with pytest.raises(MediaError) as caught:
        await world.describing.describe(ref, Description(thumbnail_time=1.0))
    assert caught.value.code is Code.MEDIA_NOT_FOUND
