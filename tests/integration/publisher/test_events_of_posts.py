"""Events wake the publisher up and tell others; what happens is decided in its tables, once."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import pytest
from mediaapi.v1 import events_pb2

from deploy.local.nats import Nats
from services.common import events, outbox
from services.common.events import Bus
from services.publisher.adapters.postgres.posts import SCHEMA
from services.publisher.app.dispatching import Dispatcher
from services.publisher.domain.post import Post, PostStatus, TargetStatus
from services.publisher.domain.request import MediaInput
from services.publisher.events import MEDIA_SUBJECTS, QUEUE_SUBJECTS, PublisherEvents
from tests.integration.publisher.conftest import POLICY, Stage


class Ears:
    """What anybody else hears of posts."""

    def __init__(self) -> None:
        self.heard: list[events_pb2.Event] = []

    async def hear(self, event: events_pb2.Event) -> None:
        self.heard.append(event)

    def of(self, post: Post) -> list[str | None]:
        return [event.WhichOneof("payload") for event in self.heard if event.subject_id == post.post_id]


@asynccontextmanager
async def running(stage: Stage, nats: Nats, *, poll_s: float = 60.0) -> AsyncIterator[tuple[Bus, Ears]]:
    """Everything in motion as in the process; with a long poll, events alone make it move."""
    ears = Ears()
    loop = Dispatcher(stage.world.deliveries, stage.app.engine, lease_s=POLICY.lease_s, poll_s=poll_s)
    handlers = PublisherEvents(loop, stage.world.deliveries)
    async with AsyncExitStack() as closing:
        bus = await closing.enter_async_context(events.connect(nats.url("publisher")))
        other = await closing.enter_async_context(events.connect(nats.url()))
        await other.declare()
        consumers = [
            bus.consumer("publisher_queue", QUEUE_SUBJECTS, handlers.queued),
            bus.consumer("publisher_media", MEDIA_SUBJECTS, handlers.media_changed),
            other.consumer(f"test_{uuid.uuid4().hex}", ("media.v1.post_queued", "media.v1.post_settled"), ears.hear),
        ]
        work = [loop.run, outbox.Relay(stage.database, bus, SCHEMA).run, *(it.run for it in consumers)]
        tasks = [asyncio.create_task(it()) for it in work]
        await asyncio.sleep(0.3)
        yield other, ears
        await asyncio.gather(loop.stop(5.0), *(it.stop(1.0) for it in consumers))
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def settled(stage: Stage, post: Post, within_s: float = 20.0) -> Post:
    async with asyncio.timeout(within_s):
        while not (found := await stage.read(post)).settled:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    return found


async def heard(ears: Ears, post: Post, what: list[str]) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(10):
            while len(ears.of(post)) < len(what):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
    assert ears.of(post) == what


@pytest.mark.timeout(60)
async def test_a_new_post_is_told_published_and_told_again_once(stage: Stage, nats: Nats) -> None:
    await stage.connect()
    async with running(stage, nats) as (_, ears):
        post = await stage.post()
        assert (await settled(stage, post)).status is PostStatus.PUBLISHED
        await heard(ears, post, ["post_queued", "post_settled"])
        await asyncio.sleep(0.5)
    assert ears.of(post) == ["post_queued", "post_settled"]
    assert stage.told(post) == []


async def test_an_event_heard_many_times_publishes_once(stage: Stage, nats: Nats) -> None:
    await stage.connect()
    async with running(stage, nats) as (bus, _):
        post = await stage.post()
        for _ in range(5):
            again = events.event(
                events_pb2.PostQueued(), workspace_id=stage.caller.workspace_id, subject_id=post.post_id, version=1
            )
            await bus.publish(events.subject(again), again.SerializeToString(), message_id=again.id)
        await settled(stage, post)
        await asyncio.sleep(0.5)
    assert (len(stage.upstream.asked), stage.metered(), stage.outcomes(post)) == (1, 1, ["published"])


async def test_a_forged_event_has_no_effect(stage: Stage, nats: Nats) -> None:
    async with running(stage, nats) as (bus, ears):
        forged = events.event(events_pb2.PostQueued(), workspace_id="ws_x", subject_id="post_x", version=1)
        await bus.publish(events.subject(forged), forged.SerializeToString(), message_id=forged.id)
        async with asyncio.timeout(10):
            while not any(event.id == forged.id for event in ears.heard):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
    assert stage.upstream.asked == []
    assert stage.sql("SELECT 1 FROM publisher.posts") == []


async def test_media_that_settle_move_the_posts_that_wait_for_them(stage: Stage, nats: Nats) -> None:
    await stage.connect()
    stage.media.add("med_1", status="scanning")
    slow = stage.rebuilt(policy=POLICY.__class__(wait_s=(600.0,), lease_s=POLICY.lease_s))
    async with running(slow, nats) as (bus, _):
        post = await slow.post(media=[MediaInput(media_id="med_1")])
        async with asyncio.timeout(10):
            while not slow.sql("SELECT 1 FROM publisher.targets WHERE waits = 1"):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        assert (await slow.target(post)).status is TargetStatus.WAITING_MEDIA
        stage.media.add("med_1")
        event = events.event(
            events_pb2.MediaSettled(), workspace_id=stage.caller.workspace_id, subject_id="med_1", version=1
        )
        await bus.publish(events.subject(event), event.SerializeToString(), message_id=event.id)
        assert (await settled(slow, post)).status is PostStatus.PUBLISHED


async def test_posts_are_published_though_nats_loses_everything(stage: Stage, nats: Nats) -> None:
    await stage.connect()
    made = [await stage.post(str(n)) for n in range(3)]
    await asyncio.to_thread(nats.wipe)
    stage.sql("DELETE FROM publisher.outbox")
    async with running(stage, nats, poll_s=0.2):
        for post in made:
            assert (await settled(stage, post)).status is PostStatus.PUBLISHED
    assert len(stage.upstream.posts) == 3
