"""HTTP as platform modules use it: which failures are known outcomes, and answers read without trusting them."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import cast

import httpx

from services.platforms.ports import JSON, Fault, OutcomeUnknown, PlatformError

# Nothing of the request was sent: no connection, no TLS, no slot, or no such scheme.
NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)

PIECE_BYTES = 1024 * 1024
WHOSE = "saying whose token it is"


async def repeatable(call: Awaitable[httpx.Response]) -> httpx.Response:
    """The answer to a request that may be made again. Raises PlatformError(TRANSIENT) where there is none, or a 5xx."""
    try:
        answer = await call
    except httpx.TransportError as exc:
        raise unreachable(exc) from exc
    if answer.is_server_error:
        raise PlatformError(
            Fault.TRANSIENT,
            "upstream_unavailable",
            f"The platform answered {answer.status_code}.",
            retry_after_s=retry_after_s(answer),
        )
    return answer


async def once(call: Awaitable[httpx.Response]) -> httpx.Response:
    """The answer to the one mutation: a success, or a refusal (4xx).

    Raises:
        PlatformError: TRANSIENT, nothing was sent.
        OutcomeUnknown: whatever else was answered. Timeouts and resets pass through, and mean the same.
    """
    try:
        answer = await call
    except NOT_SENT as exc:
        raise unreachable(exc) from exc
    if not (answer.is_success or answer.is_client_error):
        raise OutcomeUnknown(f"the platform answered {answer.status_code}")
    return answer


def unreachable(exc: httpx.TransportError) -> PlatformError:
    """The platform did not answer, which is known to have done nothing."""
    return PlatformError(
        Fault.TRANSIENT, "upstream_unreachable", f"The platform was not reached ({type(exc).__name__})."
    )


def answered_without(who: str, what: str) -> PlatformError:
    """An answer that lacks what there is no going on without. For whoever asks again; not for the one mutation."""
    return PlatformError(Fault.TRANSIENT, "answer_unreadable", f"{who} answered without {what}.")


def body(answer: httpx.Response) -> Mapping[str, JSON]:
    """The answer's JSON object; empty if it is none."""
    try:
        found: object = answer.json()
    except (json.JSONDecodeError, UnicodeDecodeError):
        return {}
    return cast(Mapping[str, JSON], found) if isinstance(found, dict) else {}


def at(value: JSON | Mapping[str, JSON], *path: str | int) -> JSON:
    """What lies at `path` in a JSON value; None if the path ends early."""
    found = cast(JSON, value)
    for step in path:
        if isinstance(found, dict) and isinstance(step, str):
            found = found.get(step)
        elif isinstance(found, list) and isinstance(step, int) and -len(found) <= step < len(found):
            found = found[step]
        else:
            return None
    return found


def text_at(value: JSON | Mapping[str, JSON], *path: str | int) -> str:
    """The string at `path`, "" if there is none. Numbers are written out: some platforms' ids are both."""
    found = at(value, *path)
    if isinstance(found, bool) or not isinstance(found, str | int):
        return ""
    return str(found)


def number_at(value: JSON | Mapping[str, JSON], *path: str | int) -> float | None:
    """The number at `path`, None if there is none."""
    found = at(value, *path)
    return None if isinstance(found, bool) or not isinstance(found, int | float) else float(found)


def list_at(value: JSON | Mapping[str, JSON], *path: str | int) -> list[JSON]:
    """The list at `path`, empty if there is none."""
    found = at(value, *path)
    return found if isinstance(found, list) else []


def retry_after_s(answer: httpx.Response, reset_header: str | None = None) -> float | None:
    """Seconds the answer asks to wait.

    From Retry-After (seconds or date), else from reset_header, which holds seconds since 1970. None if neither says it.
    """
    now = datetime.now(UTC)
    given = answer.headers.get("retry-after", "")
    if given.isdigit():
        return float(given)
    if given:
        try:
            return max(0.0, (parsedate_to_datetime(given).astimezone(UTC) - now).total_seconds())
        except ValueError:
            return None
    reset = answer.headers.get(reset_header, "") if reset_header else ""
    return max(0.0, int(reset) - now.timestamp()) if reset.isdigit() else None


async def pieces(source: AsyncIterator[bytes], size_bytes: int = PIECE_BYTES) -> AsyncIterator[bytes]:
    """The same bytes in pieces of exactly size_bytes, the last one shorter."""
    held = bytearray()
    async for part in source:
        held += part
        while len(held) >= size_bytes:
            yield bytes(held[:size_bytes])
            del held[:size_bytes]
    if held:
        yield bytes(held)


async def single(piece: bytes) -> AsyncIterator[bytes]:
    """Bytes that are there, for who takes an iterator."""
    yield piece


async def behind(source: AsyncIterator[bytes], offset: int) -> AsyncIterator[bytes]:
    """The bytes behind the first `offset` ones."""
    skip = offset
    async for part in source:
        if skip < len(part):
            yield part[skip:]
        skip = max(skip - len(part), 0)


async def within(source: AsyncIterator[bytes], length: int) -> AsyncIterator[bytes]:
    """The first `length` bytes."""
    left = length
    async for part in source:
        yield part[:left]
        left -= len(part[:left])
        if left == 0:
            return


class InTurn:
    """A file read once, one part after the other, and closed where its last part is not asked for."""

    def __init__(self, source: AsyncIterator[bytes], offset: int) -> None:
        """offset: bytes at the start that nobody wants."""
        self._source = source
        self._rest = behind(source, offset)
        self._held = b""

    async def next(self, length: int) -> AsyncIterator[bytes]:
        """The next `length` bytes, in pieces."""
        left = length
        while left > 0:
            piece = self._held or await anext(self._rest)
            self._held = piece[left:]
            yield piece[:left]
            left -= len(piece[:left])

    async def close(self) -> None:
        """Nothing is read any more."""
        if isinstance(self._source, AsyncGenerator):
            await self._source.aclose()


async def whole(source: AsyncIterator[bytes]) -> bytes:
    """All bytes at once; for images only.

    Raises PlatformError(TRANSIENT) whatever goes wrong, since no platform has been asked anything yet.
    """
    try:
        return b"".join([part async for part in source])
    except Exception as exc:
        raise PlatformError(Fault.TRANSIENT, "rendition_unreadable", "The rendition could not be read.") from exc
