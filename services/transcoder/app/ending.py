"""Works that must be through before anybody cleans up after them."""

import asyncio
from collections.abc import Coroutine
from typing import TypeVar

T = TypeVar("T")


async def to_the_end(works: list[Coroutine[object, object, T]]) -> list[T]:
    """All of them at once, and even when cancelled not before each has ended: a thread that stores an object cannot be
    called off, and nobody may clean up before it is through."""
    tasks = [asyncio.create_task(work) for work in works]
    if not tasks:
        return []
    try:
        await asyncio.wait(tasks)
    except asyncio.CancelledError:
        await asyncio.wait(tasks)
        raise
    finally:
        for task in tasks:
            if task.done() and not task.cancelled():
                task.exception()  # seen: only the first is raised below
    return [task.result() for task in tasks]
