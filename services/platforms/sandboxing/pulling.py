"""Fetches the files a sandbox is told of by URL, as a platform's crawler would: no redirect, no private address."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx

from services.common.guarded_http import connect
from services.platforms.sandboxing.sniff import Facts, sniff
from services.platforms.sandboxing.state import SandboxState
from services.platforms.sandboxing.store import StoredFile

PIECE_BYTES = 256 * 1024


class NotPulledError(Exception):
    """There is no such file for us; the message says why."""


@dataclass(frozen=True, slots=True)
class Pulled:
    """A file that was fetched and kept, and what it is."""

    file: StoredFile
    facts: Facts


async def pull(state: SandboxState, url: str, max_bytes: int) -> Pulled:
    """Fetches it. Raises NotPulledError, TooLargeError past max_bytes."""
    if not url.isascii():
        raise NotPulledError("the URL is not ASCII")
    try:
        async with (
            connect(trusted=state.trusted, max_answer_bytes=max_bytes + 1) as http,
            http.stream("GET", url) as answer,
        ):
            if answer.status_code != httpx.codes.OK:
                raise NotPulledError(f"the server answered {answer.status_code}")
            declared = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
            file = await state.store.keep(_pieces(answer), max_bytes)
    except (httpx.HTTPError, httpx.InvalidURL) as exc:
        raise NotPulledError(f"the URL was not reached ({type(exc).__name__})") from exc
    facts = await asyncio.to_thread(sniff, file.path)
    if declared != facts.content_type:
        raise NotPulledError(f"the server calls it {declared!r}, and it is {facts.content_type}")
    return Pulled(file, facts)


async def _pieces(answer: httpx.Response) -> AsyncIterator[bytes]:
    async for piece in answer.aiter_bytes(PIECE_BYTES):
        yield piece
