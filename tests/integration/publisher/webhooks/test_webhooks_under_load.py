"""Ten endpoints, four of them trouble, and a publisher that is killed in the middle: nothing is lost, all verifies."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING

import pytest
from mediaapi.v1.publisher_service_pb2_grpc import PublisherServiceStub
from sqlalchemy import text

from deploy.local.clamd import Clamd
from deploy.local.nats import Nats
from deploy.local.ports import HOST, Ports
from deploy.local.postgres import Postgres
from deploy.local.s3 import S3
from deploy.local.stages import Stage, Wiring
from deploy.local.state import State
from services.common import context, db, rpc
from services.common.context import CallContext
from services.publisher.adapters.postgres.posts import SCHEMA
from tests.receiver import Receiver, receiving_apart
from tests.webhook_load import DEAD, HEALTHY, LATE, Load

if TYPE_CHECKING:
    from mediaapi.v1.publisher_service_pb2_grpc import PublisherServiceAsyncStub

EVENTS = 300
PER_S = 40.0


@pytest.fixture(scope="module")
def customer() -> Iterator[Receiver]:
    with receiving_apart() as found:
        yield found


@pytest.fixture(scope="module")
def publisher(
    postgres: Postgres, nats: Nats, s3: S3, local_state: State, publisher_url: str, customer: Receiver
) -> Iterator[tuple[Stage, Ports]]:
    """The stage alone: what posts tell needs no other."""
    ports = Ports.free()
    wiring = Wiring(
        state=local_state, ports=ports, postgres=postgres, nats=nats, s3=s3, clamd=Clamd(local_state),
        webhook_origins=(customer.url,),
    )  # fmt: skip
    stage = Stage("publisher", wiring)
    try:
        stage.start()
        yield stage, ports
    finally:
        stage.stop()


@pytest.fixture
async def load(publisher: tuple[Stage, Ports], publisher_url: str, customer: Receiver) -> AsyncIterator[Load]:
    workspace_id = f"ws_{uuid.uuid4().hex}"
    async with (
        db.connect(publisher_url, schema=SCHEMA) as database,
        rpc.channel(f"{HOST}:{publisher[1].publisher}") as it,
    ):
        stub: PublisherServiceAsyncStub = PublisherServiceStub(it)
        found = Load(customer, database, workspace_id)
        with context.use(CallContext(workspace_id, "req_1")):
            await found.register(stub, (*HEALTHY, *LATE, *DEAD))
        yield found


@pytest.mark.timeout(240)
async def test_killed_in_the_middle_the_publisher_loses_no_event(
    publisher: tuple[Stage, Ports], load: Load, postgres: Postgres
) -> None:
    stage, _ = publisher
    settling = asyncio.create_task(load.settle(EVENTS, PER_S))
    while len(load.settled) < EVENTS // 3:  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    await asyncio.to_thread(stage.kill)
    await asyncio.to_thread(stage.start)
    await settling
    await load.delivered((*HEALTHY, *LATE), within_s=150)
    for path in (*HEALTHY, *LATE):
        assert load.missing(path) == set(), path
        assert load.verified[path] >= EVENTS
    assert load.verified["/down"]
    assert load.refused == []
    [settled] = await rows(load, "SELECT count(*) FROM publisher.webhook_events")
    assert settled == (EVENTS,)
    owed = await rows(
        load,
        "SELECT e.url, count(*) FROM publisher.webhook_deliveries d JOIN publisher.webhook_endpoints e"
        " ON e.id = d.endpoint_id WHERE d.next_at IS NOT NULL GROUP BY e.url",
    )
    assert {str(url).removeprefix(load.receiver.url): count for url, count in owed} == dict.fromkeys(DEAD, EVENTS)


async def rows(load: Load, statement: str) -> list[tuple[object, ...]]:
    """Of the load's workspace."""
    async with load.database.tx(load.workspace_id) as conn:
        return [tuple(row) for row in await conn.execute(text(statement))]
