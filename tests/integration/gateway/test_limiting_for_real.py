"""Several gateways count together in one database, and each for itself while there is none."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from services.common import clock, db, ids
from services.common.db import Database
from services.common.plans import Plans
from services.gateway.adapters.buckets import PostgresBuckets
from services.gateway.domain.rates import Kind, Rate, Rates
from services.gateway.limiting import SHARE, Limiter
from tests.integration.gateway.conftest import Service

RATE = Rate(requests=400, window_s=36_000)
PLANS: Plans[Rates] = Plans({"free": dict.fromkeys(Kind, RATE)})


@pytest.fixture
async def database(service: Service) -> AsyncIterator[Database]:
    async with db.connect(service.stack.wiring.database_url("gateway"), schema="gateway") as found:
        yield found


def gateway(database: Database) -> Limiter:
    return Limiter(PostgresBuckets(database), PLANS, now=clock.utc_now)


async def allowed(limiter: Limiter, workspace_id: str, times: int, *, at_once: int = 10) -> int:
    async def some() -> int:
        found = [await limiter.count(workspace_id, "free", Kind.READS) for _ in range(times // at_once)]
        return sum(it.allowed for it in found)

    return sum(await asyncio.gather(*(some() for _ in range(at_once))))


async def test_three_gateways_together_let_through_what_one_bucket_holds(database: Database) -> None:
    workspace_id, gateways = ids.new("ws"), [gateway(database) for _ in range(3)]
    through = sum(await asyncio.gather(*(allowed(it, workspace_id, 300) for it in gateways)))
    assert RATE.requests - 2 * RATE.requests // SHARE <= through <= RATE.requests
    assert await allowed(gateways[0], ids.new("ws"), 50) == 50


async def test_a_bucket_is_its_workspace_s_alone(database: Database) -> None:
    mine, other = ids.new("ws"), ids.new("ws")
    await PostgresBuckets(database).take(mine, Kind.READS, RATE, wanted=5, returned=0)
    async with database.tx(other) as conn:
        found = await conn.exec_driver_sql("SELECT count(*) FROM gateway.buckets")
        assert found.scalar_one() == 0


async def test_full_buckets_are_forgotten(database: Database) -> None:
    buckets, workspace_id = PostgresBuckets(database), ids.new("ws")
    await buckets.take(workspace_id, Kind.READS, RATE, wanted=5, returned=0)
    await buckets.forget_old()
    async with database.tx(workspace_id) as conn:
        await conn.exec_driver_sql("UPDATE gateway.buckets SET full_at = full_at - interval '2 days'")
    assert await buckets.forget_old() >= 1
    taken = await buckets.take(workspace_id, Kind.READS, RATE, wanted=1_000, returned=0)
    assert taken.granted == RATE.requests


async def test_without_a_database_a_gateway_counts_alone() -> None:
    async with db.connect("postgresql://nobody:x@127.0.0.1:1/none", schema="gateway") as nowhere:
        limiter = gateway(nowhere)
        assert await allowed(limiter, "ws_1", 500) == RATE.requests
