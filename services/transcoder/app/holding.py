"""Work under a claim: kept while the work goes on, and the work ended when the claim is lost."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import TypeVar

from services.common.errors import MediaError
from services.transcoder.domain.item import Item
from services.transcoder.ports import Items

log = logging.getLogger(__name__)

T = TypeVar("T")

LEASE_S = 15.0  # what a killed process delays an item by, at most


class ClaimLostError(Exception):
    """Somebody else took the item over, or it was deleted: whatever was done must not be told."""


async def hold(items: Items, item: Item, work: Coroutine[object, object, T]) -> T:
    """Runs `work`, renewing the claim `item` was read under.

    Raises:
        ClaimLostError: and the work was cancelled.
    """
    task = asyncio.create_task(work)
    try:
        while True:
            done, _ = await asyncio.wait({task}, timeout=LEASE_S / 3)
            if done:
                return task.result()
            if not await _kept(items, item):
                raise ClaimLostError(item.media_id)
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait({task})


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


async def _kept(items: Items, item: Item) -> bool:
    """A database that is away takes nothing from us yet: what is written in the end is fenced all the same."""
    try:
        return await items.renew(item, lease_s=LEASE_S)
    except MediaError as exc:
        log.warning("claim not renewed", extra={"media_id": item.media_id, "why": str(exc)})
        return True
