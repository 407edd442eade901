"""Who works at what: images do not wait for videos, and a stopping process leaves nothing half done."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from services.common.errors import MediaError
from services.platforms.catalog import Kind
from services.transcoder.domain.ceilings import MAX_VIDEO_PX
from services.transcoder.domain.costs import memory_bytes
from services.transcoder.domain.item import EARLY_WORD_FROM_BYTES
from services.transcoder.domain.work import WorkRequest, WorkResult
from tests.unit.transcoder.stage.world import World


@asynccontextmanager
async def dispatching(world: World) -> AsyncIterator[None]:
    task = asyncio.create_task(world.dispatcher.run())
    try:
        yield
    finally:
        await world.dispatcher.stop(1.0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not holds():  # noqa: ASYNC110  the fakes tell nobody
            await asyncio.sleep(0.005)


def kinds(world: World) -> list[str]:
    return [request.kind for request in world.engine.requests]


@pytest.mark.parametrize("workers", [2, 3])
async def test_videos_never_take_the_last_place(tmp_path: Path, workers: int) -> None:
    world = World(tmp_path, workers=workers)
    world.engine.gate = asyncio.Event()
    for n in range(workers + 1):
        await world.promoted("video", f"film {n}".encode())
    async with dispatching(world):
        await until(lambda: len(kinds(world)) == workers - 1)
        image = await world.promoted("image")
        await until(lambda: "image" in kinds(world))
        assert kinds(world) == ["video"] * (workers - 1) + ["image"]
        world.engine.gate.set()
        await until(lambda: all(entry.item.settled for entry in world.items.entries.values()))
    assert world.item(image).settled


async def test_films_that_would_not_fit_together_wait_and_images_do_not(tmp_path: Path) -> None:
    world = World(tmp_path, workers=4, films_bytes=memory_bytes(MAX_VIDEO_PX) + memory_bytes(0))
    world.engine.gate = asyncio.Event()
    for n in range(2):  # Of what nobody looked at yet, each may be as large as any.
        await world.promoted("video", f"film {n}".encode())
    async with dispatching(world):
        await until(lambda: kinds(world) == ["video"])
        for n in range(3):
            await world.promoted("image", f"picture {n}".encode())
        await until(lambda: kinds(world) == ["video", "image", "image", "image"])
        world.engine.gate.set()
        await until(lambda: all(entry.item.settled for entry in world.items.entries.values()))


async def test_a_film_that_turned_out_small_makes_room(tmp_path: Path) -> None:
    world = World(tmp_path, workers=3, films_bytes=memory_bytes(MAX_VIDEO_PX) + memory_bytes(640 * 480))
    first = await world.promoted("video", bytes(EARLY_WORD_FROM_BYTES))
    second = await world.promoted("video", b"film")
    run, entered, gate = world.engine.run, asyncio.Event(), asyncio.Event()

    async def run_slowly(request: WorkRequest, scratch: Path, **more: Any) -> WorkResult:
        if "x.video" in request.presets and Path(request.source).stat().st_size == EARLY_WORD_FROM_BYTES:
            entered.set()
            await gate.wait()
        return await run(request, scratch, **more)

    world.making._engine = SimpleNamespace(run=run_slowly)
    async with dispatching(world):
        await asyncio.wait_for(entered.wait(), 5)
        await until(lambda: world.item(second).settled)
        assert not world.item(first).settled
        gate.set()
        await until(lambda: world.item(first).settled)


async def test_the_largest_film_runs_where_no_other_does(tmp_path: Path) -> None:
    world = World(tmp_path, films_bytes=1)
    for n in range(2):
        await world.promoted("video", f"film {n}".encode())
    async with dispatching(world):
        await until(lambda: all(entry.item.settled for entry in world.items.entries.values()))


async def test_an_image_that_comes_when_nothing_waits_is_claimed_as_it_is_added(tmp_path: Path) -> None:
    world = World(tmp_path)
    asked = asyncio.Event()

    async def nothing_waits(*_: object, **__: object) -> None:
        asked.set()

    world.items.claim = nothing_waits  # type: ignore[method-assign]
    async with dispatching(world):
        await asyncio.wait_for(asked.wait(), 5)
        await asyncio.sleep(0)
        image, film = await world.promoted("image"), await world.promoted("video", b"film")
        await until(lambda: world.item(image).settled)
        assert (world.item(image).epoch, world.item(film).epoch) == (1, 0)


async def test_known_already_it_is_claimed_by_nobody_and_leaves_its_room(tmp_path: Path) -> None:
    world = World(tmp_path, workers=1)
    promotion = world.promotion()
    async with dispatching(world):
        await until(lambda: world.dispatcher._at_rest)
        for _ in range(3):
            await world.receiving.promoted(promotion, world.receipt())
            await until(lambda: world.item(promotion.ref).settled and world.dispatcher._at_rest)
        assert world.item(promotion.ref).epoch == 1


async def test_one_worker_takes_images_first(tmp_path: Path) -> None:
    world = World(tmp_path, workers=1)
    order: list[Kind] = ["video", "image", "video", "image"]
    for n, kind in enumerate(order):
        await world.promoted(kind, f"source {n}".encode())
    async with dispatching(world):
        await until(lambda: all(entry.item.settled for entry in world.items.entries.values()))
    assert kinds(world) == ["image", "image", "video", "video"]


async def test_images_fill_every_place(tmp_path: Path) -> None:
    world = World(tmp_path, workers=3)
    world.engine.gate = asyncio.Event()
    for n in range(5):
        await world.promoted("image", f"picture {n}".encode())
    async with dispatching(world):
        await until(lambda: len(kinds(world)) == 3)
        await asyncio.sleep(0.02)
        assert len(kinds(world)) == 3
        world.engine.gate.set()
        await until(lambda: len(kinds(world)) == 5)


async def test_a_stopping_process_finishes_its_jobs(world: World) -> None:
    world.engine.gate = asyncio.Event()
    ref = await world.promoted()
    async with dispatching(world):
        await world.engine.entered.wait()
        stopping = asyncio.create_task(world.dispatcher.stop(5.0))
        await asyncio.sleep(0)
        later = await world.promoted(data=b"later")
        world.engine.gate.set()
        await stopping
    assert world.item(ref).settled
    assert world.item(later).pending


async def test_what_is_not_finished_in_time_is_handed_back(world: World) -> None:
    world.engine.gate = asyncio.Event()
    ref = await world.promoted()
    async with dispatching(world):
        await world.engine.entered.wait()
        await world.dispatcher.stop(0.01)
    assert world.engine.cancelled == 1
    assert await world.items.claim(("image",), lease_s=15.0) is not None
    assert world.item(ref).tries == 1
    assert world.left_on_disk() == []


async def test_a_database_that_is_away_is_the_runtimes_to_wait_for(world: World) -> None:
    world.items.away = True
    with pytest.raises(MediaError):
        await world.dispatcher.run()
    world.items.away = False
    await world.promoted()
    async with dispatching(world):
        await until(lambda: world.items.only().settled)


async def test_a_job_that_breaks_off_frees_its_place(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    world = World(tmp_path, workers=1)
    world.engine.error = RuntimeError("a mistake of ours")
    await world.promoted()
    async with dispatching(world):
        await until(lambda: "a job broke off" in caplog.text)
        world.engine.error = None
        other = await world.promoted(data=b"other")
        await until(lambda: world.item(other).settled)


def test_there_must_be_a_worker(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="worker"):
        World(tmp_path, workers=0)
