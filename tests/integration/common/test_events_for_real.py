"""Outbox, relay and consumers on the real PostgreSQL and NATS."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import psycopg
import pytest
from mediaapi.v1 import events_pb2

from deploy.local.nats import Nats
from deploy.local.postgres import Postgres
from services.common import context, db, events, inbox, outbox
from services.common.context import CallContext
from services.common.db import Database
from services.common.errors import Code, MediaError
from services.common.events import Bus

SCHEMA = "ingest"
WORKSPACE = "ws_ONE"
SUBJECTS = ("media.v1.media_sealed",)


@dataclass(slots=True)
class World:
    """One database, one bus."""

    database: Database
    bus: Bus

    async def emit(self, subject_id: str) -> events_pb2.Event:
        """Commits one event to the outbox."""
        with context.use(CallContext(WORKSPACE, "req_7")):
            made = events.event(events_pb2.MediaSealed(), workspace_id=WORKSPACE, subject_id=subject_id, version=1)
            async with self.database.tx(WORKSPACE) as conn:
                await outbox.emit(conn, SCHEMA, made)
        return made


@pytest.fixture
async def world(postgres: Postgres, ingest_url: str, nats: Nats) -> AsyncIterator[World]:
    """An empty outbox and no streams."""
    with psycopg.connect(postgres.url(), autocommit=True) as conn:
        conn.execute("TRUNCATE ingest.outbox, ingest.inbox")
    await asyncio.to_thread(nats.delete_streams)
    async with db.connect(ingest_url, schema=SCHEMA) as database, events.connect(nats.url("ingest")) as bus:
        yield World(database, bus)


@asynccontextmanager
async def consuming(world: World, handler: Callable[[events_pb2.Event], Awaitable[None]]) -> AsyncIterator[None]:
    """A relay and a consumer at work."""
    relay = asyncio.create_task(outbox.Relay(world.database, world.bus, SCHEMA).run())
    consumer = world.bus.consumer("ingest_scan", SUBJECTS, handler, concurrency=2)
    running = asyncio.create_task(consumer.run())
    try:
        yield
    finally:
        await consumer.stop(1.0)
        for task in (relay, running):
            task.cancel()
        await asyncio.gather(relay, running, return_exceptions=True)


async def until(condition: Callable[[], Awaitable[bool]], within_s: float = 20.0) -> None:
    """Waits for it."""
    async with asyncio.timeout(within_s):
        while not await condition():  # noqa: ASYNC110  what is waited for is elsewhere
            await asyncio.sleep(0.05)


async def test_a_committed_event_is_heard_in_the_context_of_its_request(world: World) -> None:
    heard: list[tuple[events_pb2.Event, CallContext]] = []

    async def handler(event: events_pb2.Event) -> None:
        heard.append((event, context.current()))

    async def one() -> bool:
        return bool(heard)

    async with consuming(world, handler):
        made = await world.emit("med_1")
        await until(one)
    assert heard[0] == (made, CallContext(WORKSPACE, "req_7"))


async def test_the_outbox_is_empty_once_events_are_told_and_a_wiped_jetstream_is_no_obstacle(
    world: World, nats: Nats
) -> None:
    heard: list[str] = []

    async def handler(event: events_pb2.Event) -> None:
        heard.append(event.subject_id)

    async def both() -> bool:
        return heard == ["med_1", "med_2"]

    async def first() -> bool:
        return heard == ["med_1"]

    async with consuming(world, handler):
        await world.emit("med_1")
        await until(first)
        await asyncio.to_thread(nats.delete_streams)
        await world.emit("med_2")
        await until(both)
    async with world.database.system_tx() as conn:
        assert (await conn.exec_driver_sql("SELECT count(*) FROM outbox")).scalar_one() == 0


async def test_a_handler_that_fails_gets_the_event_again(world: World) -> None:
    tries: list[str] = []

    async def handler(event: events_pb2.Event) -> None:
        tries.append(event.id)
        if len(tries) == 1:
            raise MediaError(Code.UNAVAILABLE)

    async def two() -> bool:
        return len(tries) == 2

    async with consuming(world, handler):
        await world.emit("med_1")
        await until(two)
    assert len(set(tries)) == 1


async def test_what_is_no_event_lies_among_the_dead(world: World) -> None:
    async def handler(event: events_pb2.Event) -> None:
        raise AssertionError("never handed out")

    async def dead() -> bool:
        return (await world.bus.jetstream.stream_info(events.DEAD)).state.messages == 1

    async with consuming(world, handler):
        await world.bus.publish(SUBJECTS[0], b"\xff\xff\xff", message_id="x")
        await until(dead)


async def test_v8_what_nobody_can_handle_is_laid_out_after_five_tries_and_keeps_nobody_waiting(
    world: World, nats: Nats, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "RETRY_AFTER_S", (0.1, 0.1, 0.1, 0.1))
    tries: Counter[str] = Counter()

    async def handler(event: events_pb2.Event) -> None:
        tries[event.subject_id] += 1
        if event.subject_id.endswith("0"):
            raise RuntimeError("nobody can")

    async def laid_out() -> bool:
        return len(tries) == 200 and (await world.bus.jetstream.stream_info(events.DEAD)).state.messages == 20

    async with consuming(world, handler):
        for number in range(200):
            await world.emit(f"med_{number}")
        await until(laid_out, within_s=60)
    async with events.connect(nats.url()) as everyones:
        letters = [await everyones.jetstream.get_msg(events.DEAD, number) for number in range(1, 21)]
    dead = {events_pb2.Event.FromString(letter.data or b"").subject_id for letter in letters}
    assert dead == {f"med_{number}" for number in range(0, 200, 10)}
    assert tries == {f"med_{number}": 1 if number % 10 else events.MAX_DELIVER for number in range(200)}


async def test_an_event_has_its_effect_once(world: World) -> None:
    async with world.database.tx(WORKSPACE) as conn:
        assert await inbox.first_time(conn, SCHEMA, "ingest_scan", "evt_1")
    async with world.database.tx(WORKSPACE) as conn:
        assert not await inbox.first_time(conn, SCHEMA, "ingest_scan", "evt_1")


async def test_a_transaction_sees_its_own_workspace_only(world: World) -> None:
    await world.emit("med_1")
    async with world.database.tx("ws_OTHER") as conn:
        assert (await conn.exec_driver_sql("SELECT count(*) FROM outbox")).scalar_one() == 0
    async with world.database.system_tx() as conn:
        assert (await conn.exec_driver_sql("SELECT count(*) FROM outbox")).scalar_one() == 1
