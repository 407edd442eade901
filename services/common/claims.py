"""Work under a claim: kept while the work goes on, and the work ended when the claim is lost."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import TypeVar

from services.common import tasks

T = TypeVar("T")


class ClaimLostError(Exception):
    """Somebody else took the item over, or it was deleted: whatever was done must not be told."""


async def hold(
    work: Coroutine[object, object, T],
    renew: Callable[[], Awaitable[bool]],
    *,
    lease_s: float,
    name: str,
    changed: asyncio.Event | None = None,
    lost: Callable[[], Awaitable[bool]] | None = None,
) -> T:
    """Runs `work`, renewing its claim three times a lease.

    Args:
        renew: Keeps the claim for another `lease_s` seconds; False: it is lost.
        name: What is claimed, for the error.
        changed: Set by whatever happens to it, the work's own steps among them.
        lost: Asked then whether the claim is, so that this is noticed at once. It renews nothing: the work may just
            have given the claim back.

    Raises:
        ClaimLostError: And the work was cancelled, as it is by whatever `renew` raises.
    """
    task = asyncio.create_task(work)
    noticing = asyncio.create_task((changed or asyncio.Event()).wait())
    try:
        while True:
            await asyncio.wait({task, noticing}, timeout=lease_s / 3, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            if changed is not None and noticing.done():
                changed.clear()
                noticing = asyncio.create_task(changed.wait())
                kept = lost is None or not await lost()
            else:
                kept = await renew()
            if not kept:
                raise ClaimLostError(name)
    finally:
        await tasks.end(noticing, *([] if task.done() else [task]))
