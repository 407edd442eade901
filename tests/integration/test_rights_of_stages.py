"""V6: what a stage may say through NATS, to everybody, with its own credentials."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import nats as nats_client
import pytest
from mediaapi.v1 import events_pb2
from nats.aio.client import Client

from deploy.local.nats import STAGES, Nats
from services.common import events

EVENTS = sorted(field.name for field in events_pb2.Event.DESCRIPTOR.oneofs[0].fields)


@pytest.fixture
async def bus(nats: Nats) -> AsyncIterator[events.Bus]:
    """Of who may do everything, with streams that are empty."""
    await asyncio.to_thread(nats.delete_streams)
    async with events.connect(nats.url()) as connected:
        await connected.declare()
        yield connected


@asynccontextmanager
async def speaking_as(nats: Nats, stage: str) -> AsyncIterator[tuple[Client, list[str]]]:
    """Its connection, and what the server refused it."""
    refused: list[str] = []

    async def note(exc: Exception) -> None:
        refused.append(str(exc))

    client = await nats_client.connect(nats.url(stage), error_cb=note)
    try:
        yield client, refused
    finally:
        await client.close()


async def answered(client: Client) -> None:
    """Whatever was said before has its answer. The first ping may overtake what is still to be sent."""
    await client.flush()
    await client.flush()


async def told(bus: events.Bus) -> Sequence[str]:
    """Subjects of what the stream holds."""
    info = await bus.jetstream.stream_info(events.STREAM, subjects_filter=">")
    return sorted(info.state.subjects or ())


def test_every_event_is_one_stages_to_tell() -> None:
    assert sorted(event for rights in STAGES.values() for event in rights.tells) == EVENTS


@pytest.mark.parametrize("stage", [pytest.param(stage, id=f"V6-{stage}") for stage in STAGES])
async def test_a_stage_tells_its_own_events_alone(nats: Nats, bus: events.Bus, stage: str) -> None:
    async with speaking_as(nats, stage) as (client, refused):
        for event in EVENTS:
            await client.publish(f"{events.ROOT}.{event}", b"forged")
        await answered(client)
        mine = STAGES[stage].tells
        assert len(refused) == len(EVENTS) - len(mine)
        wanted = sorted(f"{events.ROOT}.{event}" for event in mine)
        async with asyncio.timeout(10):  # published is not stored yet
            while await told(bus) != wanted:  # noqa: ASYNC110
                await asyncio.sleep(0.05)


@pytest.mark.parametrize("stage", [pytest.param(stage, id=f"V6-{stage}") for stage in STAGES])
async def test_a_stage_leaves_streams_and_other_consumers_alone(nats: Nats, bus: events.Bus, stage: str) -> None:
    attempts = [
        f"$JS.API.STREAM.{verb}.{name}"
        for verb in ("DELETE", "PURGE", "UPDATE", "MSG.DELETE", "MSG.GET", "RESTORE")
        for name in (events.STREAM, events.DEAD)
    ]
    attempts.append("$JS.API.STREAM.CREATE.OTHER")
    for other in (name for who, rights in STAGES.items() if who != stage for name in rights.consumers):
        attempts += [
            f"{events.DEAD_ROOT}.{other}",
            f"$JS.ACK.{events.STREAM}.{other}.1.1.1.1.0",
            f"$JS.API.CONSUMER.DURABLE.CREATE.{events.STREAM}.{other}",
            *(f"$JS.API.CONSUMER.{verb}.{events.STREAM}.{other}" for verb in ("CREATE", "DELETE", "INFO", "MSG.NEXT")),
        ]
    async with speaking_as(nats, stage) as (client, refused):
        for subject in attempts:
            await client.publish(subject, b"")
        await answered(client)
        assert len(refused) == len(attempts)
