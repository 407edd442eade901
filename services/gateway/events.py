"""A stream of states -> server-sent events, as browsers' EventSource reads them.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import asyncio
from collections.abc import AsyncIterator

import grpc
from google.protobuf.message import Message

from services.common import context, tasks
from services.common.errors import Code, MediaError
from services.common.public_json import dumps, to_json
from services.gateway.transcode.calls import in_progress, open_stream
from services.gateway.transcode.routes import Route
from services.gateway.web.answers import etag
from services.gateway.web.http import Exchange, Headers

LONGEST_S = 900.0  # then the client connects again, perhaps to another gateway
PING_S = 15.0  # well below what proxies take for silence
RECONNECT_MS = 2_000
# Ends that say nothing about the resource: the client shall come again.
PASSING = frozenset({Code.DEADLINE_EXCEEDED, Code.UNAVAILABLE})
_NOT_KEPT: Headers = (("cache-control", "no-store"),)


async def send(
    exchange: Exchange,
    channel: grpc.aio.Channel,
    route: Route,
    caller: context.CallContext,
    key_id: str,
    request: Message,
) -> None:
    """Answer with every state the stage tells of, until one is settled.

    An event's id stands for its state. Who comes again with the id of a settled one (`Last-Event-ID`) is told 204,
    which ends an EventSource for good.

    Raises:
        MediaError: before anything was sent.
    """
    call = open_stream(channel, route, caller, key_id, request, LONGEST_S)
    try:
        states = call.__aiter__()
        first = await anext(states, None)
        if first is None:
            raise MediaError(Code.INTERNAL, why=f"{route.rpc_path} told nothing")
        if not in_progress(first) and exchange.header("last-event-id") == _id(first):
            await exchange.start(204, _NOT_KEPT)
        else:
            await exchange.start(200, (("content-type", "text/event-stream"), *_NOT_KEPT))
            if exchange.method != "HEAD":
                await _until_left(exchange, _events(first, states))
        await exchange.write(b"", more=False)
    finally:
        call.cancel()


async def _until_left(exchange: Exchange, events: AsyncIterator[bytes]) -> None:
    """Sends them all, unless the client goes or the process is to end."""

    async def write() -> None:
        async for event in events:
            await exchange.write(event, more=True)

    writing = asyncio.create_task(write())
    leaving = [asyncio.create_task(exchange.gone()), asyncio.create_task(exchange.stopping.wait())]
    try:
        await asyncio.wait({writing, *leaving}, return_when=asyncio.FIRST_COMPLETED)
        if writing.done():
            writing.result()
    finally:
        await tasks.end(writing, *leaving)


async def _events(first: Message, states: AsyncIterator[Message]) -> AsyncIterator[bytes]:
    """One event for each state up to a settled one, and signs of life between them."""
    yield b"retry: %d\n\n" % RECONNECT_MS
    state: Message | None = first
    while state is not None:
        yield _event(state)
        if not in_progress(state):
            return
        waiting = asyncio.ensure_future(anext(states, None))
        try:
            while not (await asyncio.wait({waiting}, timeout=PING_S))[0]:
                yield b":\n\n"
            state = waiting.result()
        except MediaError as exc:
            if exc.code not in PASSING:
                yield _named("problem", dumps({"code": str(exc.code), "message": exc.message}))
            return
        finally:
            waiting.cancel()


def _event(state: Message) -> bytes:
    """It is named as the message is."""
    return b"id: %s\n%s" % (_id(state).encode(), _named(state.DESCRIPTOR.name.lower(), dumps(to_json(state))))


def _named(name: str, data: bytes) -> bytes:
    """JSON as we write it has no line breaks."""
    return b"event: %s\ndata: %s\n\n" % (name.encode(), data)


def _id(state: Message) -> str:
    return etag(dumps(to_json(state))).strip('"')
