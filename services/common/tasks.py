"""Tasks that have an end: nobody leaves while one of theirs still runs."""

import asyncio
from collections.abc import Collection
from typing import Any


async def end(*tasks: "asyncio.Future[Any]") -> None:
    """Cancels them and waits until they are over. What they raise then is of no use to anybody."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def drain(tasks: "Collection[asyncio.Task[Any]]", within_s: float) -> None:
    """Lets them finish within that many seconds, then ends those that have not."""
    if tasks:
        _, late = await asyncio.wait(tasks, timeout=within_s)
        await end(*late)
