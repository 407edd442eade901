"""Work under a claim: kept while the work goes on, and the work ended when the claim is lost."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import TypeVar

from services.common import tasks

T = TypeVar("T")


class ClaimLostError(Exception):
    """Somebody else took the item over, or it was deleted: whatever was done must not be told."""


async def hold(
    work: Coroutine[object, object, T], renew: Callable[[], Awaitable[bool]], *, lease_s: float, name: str
) -> T:
    """Runs `work`, renewing its claim three times a lease.

    Args:
        renew: Keeps the claim for another `lease_s` seconds; False: it is lost.
        name: What is claimed, for the error.

    Raises:
        ClaimLostError: And the work was cancelled, as it is by whatever `renew` raises.
    """
    task = asyncio.create_task(work)
    try:
        while True:
            done, _ = await asyncio.wait({task}, timeout=lease_s / 3)
            if done:
                return task.result()
            if not await renew():
                raise ClaimLostError(name)
    finally:
        if not task.done():
            await tasks.end(task)
