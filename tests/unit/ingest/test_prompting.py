"""What a process sealed it judges itself, while it has room; everybody else hears of the rest."""

import asyncio

import pytest

from services.common.errors import Code, MediaError
from services.ingest.app.judging import LEASE_S
from services.ingest.domain.media import Sealed, State
from services.ingest.ports import Announcement, Ref, Verdict
from tests.unit.ingest.world import JPEG_HEAD, World


class Slow:
    """A scanner that is asked, and answers when told to."""

    def __init__(self, world: World) -> None:
        self._inner = world.scanner
        self.goes_on = asyncio.Event()

    async def scan(self, sealed: Sealed, content_type: str) -> Verdict:
        await self.goes_on.wait()
        return await self._inner.scan(sealed, content_type)


@pytest.fixture
async def world() -> World:
    return World(prompt_verdicts=1)


@pytest.fixture
def slow(world: World, monkeypatch: pytest.MonkeyPatch) -> Slow:
    slow = Slow(world)
    monkeypatch.setattr(world.judging, "_scanner", slow)
    return slow


def state(world: World, ref: Ref) -> State:
    return world.table.entries[ref].media.state


async def test_sealed_it_is_judged_and_nobody_is_told_that_it_is_owed(world: World) -> None:
    ref = await world.sealed()
    await world.prompt.stop(within_s=5.0)
    assert state(world, ref) is State.PROCESSING
    assert world.told() == [Announcement.PROMOTED]


async def test_without_room_the_word_goes_to_all(world: World, slow: Slow) -> None:
    first, second = await world.sealed(), await world.sealed(JPEG_HEAD + b"2")
    assert world.told() == [Announcement.SEALED]
    await world.judging.judge(first)
    assert world.scanner.scans == 0, "claimed with its seal"
    slow.goes_on.set()
    await world.judging.judge(second)
    await world.prompt.stop(within_s=5.0)
    assert (state(world, first), state(world, second)) == (State.PROCESSING, State.PROCESSING)


async def test_room_comes_back_with_the_verdict_and_where_nothing_was_sealed(world: World) -> None:
    with pytest.raises(MediaError):
        await world.upload(b"no picture at all" * 100)
    await world.sealed()
    await asyncio.sleep(0.05)
    await world.sealed(JPEG_HEAD + b"2")
    await world.prompt.stop(within_s=5.0)
    assert world.told() == [Announcement.PROMOTED] * 2


async def test_what_is_not_judged_before_the_end_is_the_sweepers(world: World, slow: Slow) -> None:
    ref = await world.sealed()
    await world.prompt.stop(within_s=0.0)
    slow.goes_on.set()
    await world.sweeping.scans()
    assert state(world, ref) is State.SCANNING, "its claim has not run out"
    world.clock.advance(LEASE_S + 1)
    await world.sweeping.scans()
    assert state(world, ref) is State.PROCESSING


async def test_once_it_stops_the_word_goes_to_all(world: World) -> None:
    await world.prompt.stop(within_s=0.0)
    await world.sealed()
    assert world.told() == [Announcement.SEALED]


async def test_a_scanner_that_is_away_leaves_it_to_the_sweeper(world: World) -> None:
    world.scanner.error = MediaError(Code.SCANNER_UNAVAILABLE)
    ref = await world.sealed()
    await world.prompt.stop(within_s=5.0)
    world.scanner.error = None
    world.clock.advance(60)
    await world.sweeping.scans()
    assert state(world, ref) is State.PROCESSING
