"""A process that is told to stop does, even if what runs in it did not hear that the first time."""

import asyncio

import pytest

from services.common import runtime


async def test_what_lost_its_cancellation_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "ASK_AGAIN_AFTER_S", 0.01)
    lost = 0

    async def deaf_once() -> None:
        nonlocal lost
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            lost += 1
        await asyncio.Event().wait()

    task = asyncio.create_task(deaf_once())
    await asyncio.sleep(0)
    async with asyncio.timeout(60):
        await runtime._end([task])
    assert (lost, task.cancelled()) == (1, True)


async def test_what_is_over_is_not_waited_for() -> None:
    async def fails() -> None:
        raise ValueError

    task = asyncio.create_task(fails())
    await asyncio.wait([task])
    await runtime._end([task])
    await runtime._end([])
    assert isinstance(task.exception(), ValueError)
