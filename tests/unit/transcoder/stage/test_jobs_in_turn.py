"""Who works at what: images do not wait for videos, and a stopping process leaves nothing half done."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from services.common.errors import MediaError
from services.platforms.catalog import Kind
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
