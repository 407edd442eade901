"""The loop that starts deliveries: bounded, fenced, and leaving nothing behind when it stops."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from services.common.errors import Code, MediaError
from services.platforms.ports import Progress
from services.publisher.app import dispatching
from services.publisher.app.dispatching import Dispatcher
from services.publisher.domain.post import Post, TargetStatus
from services.publisher.domain.request import MediaInput, TargetInput
from services.publisher.ports import Claim, Pending
from tests.unit.publisher.bench import ACCOUNT_ID, Bench


@pytest.fixture
def bench() -> Bench:
    return Bench()


def dispatcher(bench: Bench, *, slots: int = 16, lease_s: float = 20.0) -> Dispatcher:
    return Dispatcher(bench.store, bench.app.engine, lease_s=lease_s, slots=slots, poll_s=0.01)


@asynccontextmanager
async def running(loop: Dispatcher, within_s: float = 1.0) -> AsyncIterator[None]:
    task = asyncio.create_task(loop.run())
    try:
        yield
    finally:
        await loop.stop(within_s)
        await asyncio.wait_for(task, 1.0)


async def until(condition: object) -> None:
    async with asyncio.timeout(2.0):
        while not condition():  # type: ignore[operator]  # noqa: ASYNC110  the store tells nobody
            await asyncio.sleep(0.001)


def status(bench: Bench, post: Post, index: int = 0) -> TargetStatus:
    return bench.state(post, index).target.status


class Gate:
    """A preparation that stands still until it is opened."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.inside = 0
        self.most = 0

    async def __call__(self, _: Progress) -> None:
        self.inside += 1
        self.most = max(self.most, self.inside)
        try:
            await self.open.wait()
        finally:
            self.inside -= 1


async def test_what_is_due_is_delivered_and_what_is_not_is_left(bench: Bench) -> None:
    due, later = await bench.post(), await bench.post("later")
    bench.state(later).next_at = bench.now().replace(year=2027)
    async with running(dispatcher(bench)):
        await until(lambda: status(bench, due) is TargetStatus.PUBLISHED)
    assert status(bench, later) is TargetStatus.QUEUED


async def test_no_more_are_begun_at_once_than_there_are_places(bench: Bench) -> None:
    gate = Gate()
    bench.paper.preparing += [gate] * 5
    posts = [await bench.post(str(n)) for n in range(5)]
    async with running(dispatcher(bench, slots=2)):
        await until(lambda: gate.inside == 2)
        await asyncio.sleep(0.05)
        gate.open.set()
        await until(lambda: all(status(bench, it) is TargetStatus.PUBLISHED for it in posts))
    assert gate.most == 2


async def test_one_targets_failure_leaves_the_others_alone(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    post = await bench.post(targets=[TargetInput(account_id=ACCOUNT_ID, text=text) for text in ("a", "b", "c")])
    real = bench.store.load

    async def sometimes(claim: Claim) -> object:
        if claim.index == 1:
            raise MediaError(Code.UNAVAILABLE)
        return await real(claim)

    monkeypatch.setattr(bench.store, "load", sometimes)
    async with running(dispatcher(bench)):
        await until(lambda: status(bench, post, 2) is TargetStatus.PUBLISHED)
    assert [status(bench, post, n) for n in range(3)] == [
        TargetStatus.PUBLISHED,
        TargetStatus.QUEUED,
        TargetStatus.PUBLISHED,
    ]


async def test_a_database_that_is_away_for_a_moment_ends_nothing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    real, failures = bench.store.claim, [MediaError(Code.UNAVAILABLE)] * 3

    async def sometimes(limit: int, lease_s: float) -> object:
        if failures:
            raise failures.pop()
        return await real(limit, lease_s)

    monkeypatch.setattr(bench.store, "claim", sometimes)
    post = await bench.post()
    async with running(dispatcher(bench)):
        await until(lambda: status(bench, post) is TargetStatus.PUBLISHED)


async def test_a_long_preparation_keeps_its_lease(bench: Bench) -> None:
    gate = Gate()
    bench.paper.preparing.append(gate)
    post = await bench.post()
    async with running(dispatcher(bench, lease_s=0.03)):
        await until(lambda: gate.inside == 1)
        began = bench.state(post).next_at
        assert began is not None
        bench.now.pass_s(0.01)
        await until(lambda: (bench.state(post).next_at or began) > began)
        gate.open.set()
        await until(lambda: status(bench, post) is TargetStatus.PUBLISHED)
    assert len(bench.paper.published) == 1


async def test_a_lost_lease_ends_the_work_before_anything_is_sent(bench: Bench) -> None:
    gate = Gate()
    bench.paper.preparing.append(gate)
    post = await bench.post()
    async with running(dispatcher(bench, lease_s=0.03)):
        await until(lambda: gate.inside == 1)
        bench.state(post).epoch += 1  # another worker has it
        await until(lambda: gate.inside == 0)
    assert bench.paper.published == []


async def test_stopping_lets_work_finish_that_can(bench: Bench) -> None:
    gate = Gate()
    bench.paper.preparing.append(gate)
    post = await bench.post()
    async with running(dispatcher(bench)):
        await until(lambda: gate.inside == 1)
        asyncio.get_running_loop().call_later(0.02, gate.open.set)
    assert status(bench, post) is TargetStatus.PUBLISHED


async def test_stopping_hands_back_what_does_not_finish(bench: Bench) -> None:
    bench.paper.preparing.append(Gate())
    post = await bench.post()
    async with running(dispatcher(bench), within_s=0.02):
        await until(lambda: bench.paper.prepared)
    state = bench.state(post)
    assert (state.claimed, state.next_at, state.target.status) == (False, bench.now(), TargetStatus.QUEUED)
    assert bench.paper.published == []
    assert (await bench.work_until_settled(post)).target.status is TargetStatus.PUBLISHED


@pytest.mark.parametrize("answers", [True, False])
async def test_stopping_waits_a_moment_for_the_answer_to_what_was_sent(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, answers: bool
) -> None:
    monkeypatch.setattr(dispatching, "LAST_S", 0.1)
    real, sent = bench.paper.publish, asyncio.Event()

    async def slowly(*args: object) -> object:
        sent.set()
        await asyncio.sleep(0.05 if answers else 5.0)
        return await real(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(bench.paper, "publish", slowly)
    post = await bench.post()
    async with running(dispatcher(bench), within_s=0.01):
        await sent.wait()
    state = bench.state(post)
    if answers:
        assert state.target.status is TargetStatus.PUBLISHED
        return
    assert (state.attempts[0].outcome, state.next_at) == (None, bench.now())
    monkeypatch.undo()
    assert (await bench.work_until_settled(post)).target.status is TargetStatus.PUBLISHED
    assert (bench.paper.published, len(bench.paper.looked_up)) == ([], 1)


async def test_what_is_claimed_while_stopping_is_handed_back(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    loop = dispatcher(bench)
    real = bench.store.claim

    async def and_stops(limit: int, lease_s: float) -> object:
        found = await real(limit, lease_s)
        await loop.stop(0.0)
        return found

    monkeypatch.setattr(bench.store, "claim", and_stops)
    post = await bench.post()
    await asyncio.wait_for(loop.run(), 1.0)
    assert (bench.state(post).claimed, bench.paper.prepared) == (False, [])


async def test_what_becomes_due_between_two_polls_is_begun_then(bench: Bench) -> None:
    post, later = await bench.post("soon"), await bench.post("later")
    bench.state(post).next_at = bench.now() + timedelta(seconds=0.2)
    bench.state(later).next_at = bench.now() + timedelta(seconds=90)
    loop = Dispatcher(bench.store, bench.app.engine, lease_s=20.0, poll_s=60.0)
    async with running(loop):
        await asyncio.sleep(0.1)
        assert status(bench, post) is TargetStatus.QUEUED
        bench.now.pass_s(0.2)
        await until(lambda: status(bench, post) is TargetStatus.PUBLISHED)
    assert status(bench, later) is TargetStatus.QUEUED


async def test_a_pause_shorter_than_the_poll_is_kept_to(bench: Bench) -> None:
    bench.media.add("med_1")
    bench.variants.answers["med_1"] = Pending()
    post = await bench.post(media=[MediaInput(media_id="med_1")])
    loop = Dispatcher(bench.store, bench.app.engine, lease_s=20.0, poll_s=60.0)
    async with running(loop):
        await until(lambda: status(bench, post) is TargetStatus.WAITING_MEDIA)
        del bench.variants.answers["med_1"]
        bench.now.pass_s(1.0)
        await until(lambda: status(bench, post) is TargetStatus.PUBLISHED)
