"""Rate limits: the arithmetic of buckets, and one gateway's part of the counting."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from services.common import plans
from services.common.plans import Plans
from services.common.settings import SettingsError
from services.gateway.domain import rates
from services.gateway.domain.rates import Kind, Rate, Rates
from services.gateway.limiting import SHARE, Limiter
from services.gateway.web.headers import rate_limit
from tests.unit.gateway.buckets import MemoryBuckets

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
RATE = Rate(requests=10, window_s=20)


class Clock:
    def __init__(self) -> None:
        self.time = NOW

    def __call__(self) -> datetime:
        return self.time

    def advance(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


class World:
    def __init__(self, rate: Rate = RATE) -> None:
        self.clock = Clock()
        self.buckets = MemoryBuckets(self.clock)
        self.plans: Plans[Rates] = Plans({"free": dict.fromkeys(Kind, rate)})
        self.one, self.other = (Limiter(self.buckets, self.plans, now=self.clock) for _ in range(2))

    async def allowed(self, times: int, limiter: Limiter | None = None, workspace_id: str = "ws_1") -> int:
        found = [await (limiter or self.one).count(workspace_id, "free", Kind.READS) for _ in range(times)]
        return sum(it.allowed for it in found)


def test_a_bucket_empties_and_fills_evenly() -> None:
    taken = rates.take(RATE, NOW, NOW, wanted=7)
    assert (taken.granted, RATE.left(taken.full_at, NOW)) == (7, 3)
    assert RATE.left(taken.full_at, NOW + timedelta(seconds=5)) == 5
    rest = rates.take(RATE, taken.full_at, NOW + timedelta(seconds=5), wanted=9)
    assert rest.granted == 5
    assert rates.take(RATE, rest.full_at, NOW + timedelta(seconds=5), wanted=1).granted == 0
    assert rates.take(RATE, rest.full_at, NOW + timedelta(hours=1), wanted=99).granted == 10


def test_what_is_put_back_fills_a_bucket_no_further_than_full() -> None:
    taken = rates.take(RATE, NOW, NOW, wanted=4)
    assert rates.take(RATE, taken.full_at, NOW, wanted=0, returned=2).full_at == NOW + 2 * RATE.each
    assert rates.take(RATE, NOW, NOW, wanted=99, returned=5).granted == 10


@pytest.mark.parametrize("requests", [1, 3, 7, 999, 1_200, 7_000, 60_000])
def test_a_full_bucket_holds_what_it_says(requests: int) -> None:
    rate = Rate(requests=requests, window_s=60)
    taken = rates.take(rate, NOW, NOW, wanted=10 * requests)
    assert (taken.granted, rate.left(taken.full_at, NOW)) == (requests, 0)


async def test_a_workspace_makes_as_many_requests_as_its_bucket_holds() -> None:
    world = World()
    assert await world.allowed(15) == 10
    world.clock.advance(2)
    assert await world.allowed(3) == 1
    world.clock.advance(3600)
    assert await world.allowed(15) == 10
    assert await world.allowed(15, workspace_id="ws_2") == 10


async def test_several_gateways_share_one_bucket() -> None:
    world = World(Rate(requests=1_000, window_s=3_600))
    both = [await world.allowed(600, limiter) for limiter in (world.one, world.other)]
    assert both[0] == 600
    assert 400 - 1_000 // SHARE <= both[1] <= 400  # the rest was taken ahead by the other


async def test_many_requests_ask_the_database_seldom_and_a_few_ask_each_time() -> None:
    world = World(Rate(requests=10_000, window_s=60))
    assert await world.allowed(2_000) == 2_000
    assert world.buckets.asked <= 8 + 2_000 // 100
    before = world.buckets.asked
    for _ in range(5):
        world.clock.advance(10)
        assert await world.allowed(1) == 1
    assert world.buckets.asked == before + 5


async def test_what_was_taken_ahead_and_not_used_is_put_back() -> None:
    world = World(Rate(requests=1_000, window_s=36_000))
    for _ in range(20):
        assert await world.allowed(17) == 17  # more was taken each time
        world.clock.advance(3)
    assert await world.allowed(1_000) in range(1_000 - 340, 1_000 - 340 + 4)


async def test_whoever_is_refused_hammers_in_vain_and_is_right_to_come_back_when_told() -> None:
    world = World()
    assert await world.allowed(10) == 10
    refused = await world.one.count("ws_1", "free", Kind.READS)
    assert (refused.allowed, refused.left, refused.wait_s) == (False, 0, 2)
    before = world.buckets.asked
    assert await world.allowed(100) == 0
    assert world.buckets.asked == before
    world.clock.advance(refused.wait_s)
    assert await world.allowed(1) == 1


async def test_at_once_they_are_counted_one_by_one() -> None:
    world = World()
    found = await asyncio.gather(*(world.one.count("ws_1", "free", Kind.READS) for _ in range(40)))
    assert sum(it.allowed for it in found) == 10


async def test_kinds_are_counted_apart() -> None:
    world = World()
    assert await world.allowed(11) == 10
    assert (await world.one.count("ws_1", "free", Kind.WRITES)).allowed


async def test_while_the_database_is_away_each_gateway_counts_for_itself() -> None:
    world = World()
    assert await world.allowed(4) == 4
    world.buckets.away = True
    assert await world.allowed(20) == 6
    assert await world.allowed(20, world.other) == 10
    world.buckets.away = False
    world.clock.advance(3600)
    assert await world.allowed(6, world.other) == 6
    assert await world.allowed(6) == 4


async def test_headers_tell_the_policy_and_what_is_left() -> None:
    world = World()
    await world.allowed(3)
    found = await world.one.count("ws_1", "free", Kind.READS)
    assert dict(rate_limit(found)) == {"ratelimit-policy": '"reads";q=10;w=20', "ratelimit": '"reads";r=6;t=8'}


def test_the_shipped_plans_let_a_large_upload_through_in_small_pieces() -> None:
    shipped = plans.load("rates", rates.of_plan)
    for plan in ("free", "pro", "business"):
        assert shipped.of(plan)[Kind.PIECES].requests >= 2 * 500_000_000 / 262_144
    assert shipped.of("unheard of") == shipped.of("free")


@pytest.mark.parametrize("text", ["reads = {requests = 1, window_s = 1}", "a = 1", "reads = 5\nwrites = 5\npieces = 5"])
def test_rates_that_do_not_say_each_stop_the_start(tmp_path: Path, text: str) -> None:
    path = tmp_path / "plans.toml"
    path.write_text(f"[rates.free]\n{text}\n")
    with pytest.raises(SettingsError):
        plans.load("rates", rates.of_plan, str(path))
