"""Events on NATS JetStream. They wake their readers up; PostgreSQL decides."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TypeAlias

import nats
import nats.errors
import nats.js.errors
from google.protobuf.message import DecodeError
from mediaapi.v1 import events_pb2
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, RetentionPolicy, StorageType, StreamConfig
from opentelemetry.trace import SpanKind
from prometheus_client import Counter

from services.common import clock, context, ids, tasks, telemetry
from services.common.context import CallContext
from services.common.errors import Code, MediaError

log = logging.getLogger(__name__)

Handler: TypeAlias = "Callable[[events_pb2.Event], Awaitable[None]]"
Payload: TypeAlias = (
    events_pb2.MediaSealed
    | events_pb2.MediaPromoted
    | events_pb2.MediaRendered
    | events_pb2.MediaSettled
    | events_pb2.MediaExpiring
    | events_pb2.MediaDeleted
    | events_pb2.VariantWanted
    | events_pb2.PostQueued
    | events_pb2.PostScheduled
    | events_pb2.AccountInvalid
    | events_pb2.PostSettled
)

# Of MediaProgress; no stream keeps it.
PROGRESS = "media.progress"
STREAM, DEAD = "MEDIA", "MEDIA_DEAD"
ROOT, DEAD_ROOT = "media.v1", "media.dead"
KEPT_S = 7 * 86400.0
DUPLICATE_WINDOW_S = 120.0
ACK_WAIT_S = 30.0
MAX_DELIVER = 5
RETRY_AFTER_S = (1.0, 5.0, 15.0, 60.0)
PULL_S = 5.0
PING_EVERY_S = 10  # a server that misses two has fallen silent
FOR_EVER = -1
TIMEOUT_S = 5.0
# NATS' error codes: the stream is there, and not as it was asked for; a server by itself keeps no copies.
STREAM_NAME_EXIST, REPLICAS_NOT_SUPPORTED = 10058, 10074

HANDLED = Counter("events_handled_total", "Events by how their handler ended.", ("consumer", "outcome"))

# Subjects and fields have one name: media_sealed carries a MediaSealed.
_FIELDS = {
    field.message_type.name: field.name
    for field in events_pb2.Event.DESCRIPTOR.oneofs[0].fields
    if field.message_type is not None
}
_BROKEN = (nats.errors.Error, nats.js.errors.Error, OSError, TimeoutError)


def event(payload: Payload, *, workspace_id: str, subject_id: str, version: int) -> events_pb2.Event:
    """An event of the request that is being served."""
    made = events_pb2.Event(
        id=ids.new("evt"),
        workspace_id=workspace_id,
        subject_id=subject_id,
        version=version,
        request_id=context.current().request_id,
        traceparent=telemetry.traceparent(),
    )
    made.occurred_at.FromDatetime(clock.utc_now())
    getattr(made, _FIELDS[payload.DESCRIPTOR.name]).CopyFrom(payload)
    return made


def subject(made: events_pb2.Event) -> str:
    """Where it is published."""
    return f"{ROOT}.{made.WhichOneof('payload')}"


@asynccontextmanager
async def connect(url: str, *, replicas: int = 1, reconnects: int = FOR_EVER) -> AsyncIterator["Bus"]:
    """The event bus.

    Args:
        replicas: Servers that keep a copy of each stream, where streams are made.
        reconnects: How often it tries again, where the first connection fails too.
    """
    client = await nats.connect(
        url,
        max_reconnect_attempts=reconnects,
        reconnect_time_wait=0.5,
        connect_timeout=5,
        ping_interval=PING_EVERY_S,
        error_cb=_on_error,
    )
    try:
        yield Bus(client, replicas)
    finally:
        await client.close()


async def _on_error(exc: Exception) -> None:
    log.warning("nats", extra={"why": str(exc)})


class Bus:
    """Publishes with confirmation, and makes consumers."""

    def __init__(self, client: Client, replicas: int = 1) -> None:
        self._client = client
        self._replicas = replicas
        self.jetstream: JetStreamContext = client.jetstream(timeout=TIMEOUT_S)
        self._declared = False

    async def declare(self) -> None:
        """Makes the streams where they are not there: at first, and after a server lost its disk."""
        streams = (
            StreamConfig(name=STREAM, subjects=[f"{ROOT}.>"], max_age=KEPT_S, duplicate_window=DUPLICATE_WINDOW_S),
            StreamConfig(name=DEAD, subjects=[f"{DEAD_ROOT}.>"], max_age=4 * KEPT_S),
        )
        for stream in streams:
            stream.retention, stream.storage = RetentionPolicy.LIMITS, StorageType.FILE
            try:
                await self.jetstream.add_stream(stream, num_replicas=self._replicas)
            except nats.js.errors.APIError as exc:
                if exc.err_code not in (STREAM_NAME_EXIST, REPLICAS_NOT_SUPPORTED):
                    raise
                log.warning("stream not as it was asked for", extra={"stream": stream.name, "why": exc.description})
                # What is there serves as it is: to change it is the operator's right alone.
                if exc.err_code == REPLICAS_NOT_SUPPORTED:
                    await self.jetstream.add_stream(stream, num_replicas=1)
        self._declared = True

    async def publish(self, to: str, body: bytes, *, message_id: str) -> None:
        """Stored once by JetStream when this returns.

        Raises:
            MediaError: UNAVAILABLE, it may not be.
        """
        headers = {"Nats-Msg-Id": message_id}
        try:
            if not self._declared:
                await self.declare()
            try:
                await self.jetstream.publish(to, body, headers=headers, timeout=TIMEOUT_S)
            except nats.js.errors.NoStreamResponseError:
                # The server lost its disk; what it held is still owed by the tables.
                await self.declare()
                await self.jetstream.publish(to, body, headers=headers, timeout=TIMEOUT_S)
        except _BROKEN as exc:
            self._declared = False
            raise MediaError(Code.UNAVAILABLE, why=f"nats: {type(exc).__name__}: {exc}") from exc

    async def say(self, to: str, body: bytes) -> None:
        """To whoever listens at this moment, if anybody: kept nowhere, confirmed by nobody."""
        if self._client.is_connected:
            await self._client.publish(to, body)

    async def listen(self, to: str, hear: Callable[[bytes], None]) -> None:
        """Hears what is said, for ever."""
        said = await self._client.subscribe(to)
        async for message in said.messages:
            hear(message.data)

    async def ping(self) -> None:
        """Readiness. Raises: MediaError UNAVAILABLE."""
        if not self._client.is_connected:
            raise MediaError(Code.UNAVAILABLE, why="nats: not connected")

    def consumer(self, durable: str, subjects: Sequence[str], handler: Handler, *, concurrency: int = 8) -> "Consumer":
        """A durable pull consumer; several processes may share it."""
        return Consumer(self, durable, subjects, handler, concurrency)


class Consumer:
    """Hands events to a handler: acknowledged when it returns, given again later when it raises, and laid out among
    the dead when it raised for the last time."""

    def __init__(self, bus: Bus, durable: str, subjects: Sequence[str], handler: Handler, concurrency: int) -> None:
        self._bus = bus
        self._durable = durable
        self._subjects = list(subjects)
        self._handler = handler
        self._places = asyncio.Semaphore(concurrency)
        self._running: set[asyncio.Task[None]] = set()
        self._stopping = False

    async def run(self) -> None:
        """Until stopped. A consumer or stream that vanished is made again."""
        while not self._stopping:
            try:
                await self._bus.declare()
                await self._pull()
            except _BROKEN as exc:
                log.warning(
                    "pulling broke off", extra={"consumer": self._durable, "why": f"{type(exc).__name__}: {exc}"}
                )
                await asyncio.sleep(1.0)

    async def stop(self, within_s: float) -> None:
        """Pulls no more; handlers have `within_s` seconds, then their events are given back."""
        self._stopping = True
        await tasks.drain(self._running, within_s)

    async def _pull(self) -> None:
        config = ConsumerConfig(
            durable_name=self._durable,
            filter_subjects=self._subjects,
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=ACK_WAIT_S,
            max_deliver=MAX_DELIVER,
        )
        await self._bus.jetstream.add_consumer(STREAM, config)
        pulled = await self._bus.jetstream.pull_subscribe_bind(durable=self._durable, stream=STREAM)
        while not self._stopping:
            await self._places.acquire()
            try:
                [message] = await pulled.fetch(1, timeout=PULL_S)
            except TimeoutError:
                self._places.release()
                await self._bus.jetstream.consumer_info(STREAM, self._durable)  # raises when it vanished
                continue
            except BaseException:
                self._places.release()
                raise
            task = asyncio.create_task(
                self._handle(message), name=f"{self._durable}-{message.metadata.sequence.stream}"
            )
            self._running.add(task)
            task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._places.release()
        if not task.cancelled() and (exc := task.exception()) is not None:
            log.error("acknowledging failed", exc_info=exc, extra={"consumer": self._durable})

    async def _handle(self, message: Msg) -> None:
        alive = asyncio.create_task(_keep(message))
        try:
            outcome = await self._outcome(message)
        except asyncio.CancelledError:
            await message.nak()
            raise
        finally:
            alive.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await alive
        HANDLED.labels(self._durable, outcome).inc()

    async def _outcome(self, message: Msg) -> str:
        try:
            heard = events_pb2.Event.FromString(message.data)
        except DecodeError:
            return await self._bury(message, "not an event")
        # Who may say what is decided by subject.
        if subject(heard) != message.subject:
            return await self._bury(message, f"{subject(heard)} on {message.subject}")
        caller = CallContext(workspace_id=heard.workspace_id, request_id=heard.request_id)
        try:
            with context.use(caller), telemetry.span(self._durable, heard.traceparent, SpanKind.CONSUMER):
                await self._handler(heard)
        except Exception as exc:
            tries = message.metadata.num_delivered
            log.warning("event not handled", exc_info=exc, extra={"consumer": self._durable, "event_id": heard.id})
            if tries >= MAX_DELIVER:
                return await self._bury(message, f"{type(exc).__name__}: {exc}")
            await message.nak(delay=RETRY_AFTER_S[min(tries, len(RETRY_AFTER_S)) - 1])
            return "retried"
        await message.ack()
        return "done"

    async def _bury(self, message: Msg, why: str) -> str:
        sequence = message.metadata.sequence.stream
        log.error("event laid out among the dead", extra={"consumer": self._durable, "sequence": sequence, "why": why})
        await self._bus.publish(f"{DEAD_ROOT}.{self._durable}", message.data, message_id=f"{self._durable}-{sequence}")
        await message.term()
        return "dead"


async def _keep(message: Msg) -> None:
    """Tells the server that the work goes on."""
    while True:
        await asyncio.sleep(ACK_WAIT_S / 3)
        await message.in_progress()
