"""Work under a claim: kept while the work goes on, and the work ended when the claim is lost."""

import asyncio
from collections.abc import Coroutine
from typing import TypeVar

from services.ingest.domain.media import Media
from services.ingest.ports import MediaTable

T = TypeVar("T")

LEASE_S = 10.0  # what a killed process delays an item by, at most


class ClaimLostError(Exception):
    """Somebody else took the item over, or it was deleted: whatever was done must not be told."""


async def hold(table: MediaTable, media: Media, work: Coroutine[object, object, T]) -> T:
    """Runs `work`, renewing the claim `media` was read under.

    Raises:
        ClaimLostError: and the work was cancelled.
    """
    task = asyncio.create_task(work)
    try:
        while True:
            done, _ = await asyncio.wait({task}, timeout=LEASE_S / 3)
            if done:
                return task.result()
            if not await table.renew(media, lease_s=LEASE_S):
                raise ClaimLostError(media.media_id)
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait({task})
