"""Events get to endpoints: signed, at least once, on schedule, each endpoint by itself."""

import asyncio

import pytest

from services.common import ids
from services.common.errors import Code, MediaError
from services.publisher.app.webhooks.ports import Changes, Receipt
from services.publisher.domain.webhooks.delivery import DeliveryStatus, Schedule
from services.publisher.domain.webhooks.endpoint import EndpointStatus
from services.publisher.domain.webhooks.events import EventType, News
from tests.integration.publisher.webhooks.conftest import Hooks

DELAYS_S = (5, 30, 120, 600, 1_800, 7_200, 21_600, 43_200)


async def test_an_event_is_delivered_signed_and_verifies(hooks: Hooks) -> None:
    endpoint, secret = await hooks.register()
    async with hooks.running():
        await hooks.happen()
        [request] = await hooks.receiver.until(1)
        await settled(hooks, endpoint.endpoint_id, 1)
    event = request.verified(secret)
    assert set(event) == {"id", "type", "createdAt", "workspaceId", "data"}
    assert (event["type"], event["workspaceId"]) == ("media.ready", hooks.caller.workspace_id)
    assert event["id"] == request.event_id
    assert request.headers["content-type"] == "application/json"
    delivery = await hooks.delivery(endpoint)
    assert (delivery.status, delivery.attempts, delivery.response_status) == (DeliveryStatus.DELIVERED, 1, 204)
    assert delivery.event_id == event["id"]


async def settled(hooks: Hooks, endpoint_id: str, count: int, within_s: float = 20.0) -> None:
    """Until that many deliveries of an endpoint are settled."""
    statement = "SELECT count(*) FROM publisher.webhook_deliveries WHERE endpoint_id = %s AND next_at IS NULL"
    async with asyncio.timeout(within_s):
        while hooks.sql(statement, endpoint_id) != [(count,)]:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def test_every_wanting_endpoint_gets_the_same_event_and_others_none(hooks: Hooks) -> None:
    one, secret = await hooks.register("/ok/one")
    two, other_secret = await hooks.register("/ok/two", live=False)
    await hooks.register("/ok/three", events=[EventType.POST_FAILED])
    await hooks.happen()
    assert await hooks.attempt() == 2
    [first], [second] = hooks.receiver.at("/ok/one"), hooks.receiver.at("/ok/two")
    assert first.verified(secret) == second.verified(other_secret)
    assert one.endpoint_id != two.endpoint_id
    assert hooks.receiver.at("/ok/three") == []


async def test_a_posts_event_stays_in_its_mode(hooks: Hooks) -> None:
    await hooks.register("/ok/live", events=[EventType.POST_PUBLISHED])
    await hooks.register("/ok/test", events=[EventType.POST_PUBLISHED], live=False)
    await hooks.happen(type=EventType.POST_PUBLISHED, live=False)
    assert await hooks.attempt() == 1
    assert [request.path for request in hooks.receiver.came] == ["/ok/test"]


async def test_one_cause_makes_one_event(hooks: Hooks) -> None:
    await hooks.register()
    await hooks.happen(3, cause="med_1 media.ready")
    assert await hooks.attempt() == 1


async def test_an_event_of_a_stage_that_is_heard_again_has_no_second_effect(hooks: Hooks) -> None:
    await hooks.register()
    receipt = Receipt("test", ids.new("evt"))
    for cause in ("one", "two"):
        news = News(cause=cause, type=EventType.MEDIA_READY, live=None, happened_at=hooks.clock(), data={"id": "med_1"})
        await hooks.world.occasions.tell(hooks.caller.workspace_id, receipt, [news])
    assert hooks.sql("SELECT cause FROM publisher.webhook_events") == [("one",)]


async def test_no_body_passes_twenty_kilobytes(hooks: Hooks) -> None:
    _, secret = await hooks.register()
    await hooks.happen(data={"id": "med_1", "fit": {"x" * 30_000: {}}})
    await hooks.attempt()
    [request] = hooks.receiver.at("/ok")
    assert len(request.body) < 20_000
    assert request.verified(secret)["data"] == {"id": "med_1"}


async def test_the_whole_schedule_passes_before_an_event_is_given_up(hooks: Hooks) -> None:
    hooks.clock.set()
    endpoint, _ = await hooks.register("/down")
    await hooks.happen()
    for failures, delay_s in enumerate(DELAYS_S, start=1):
        assert await hooks.attempt() == 1
        found = await hooks.delivery(endpoint)
        assert (found.status, found.attempts, found.error) == (DeliveryStatus.PENDING, failures, "answer_refused")
        assert found.next_at is not None
        waits_s = (found.next_at - hooks.clock()).total_seconds()
        assert delay_s <= waits_s <= delay_s * 1.1
        hooks.clock.move(waits_s - 0.001)
        assert await hooks.attempt() == 0
        hooks.clock.move(0.001)
    assert await hooks.attempt() == 1
    found = await hooks.delivery(endpoint)
    assert (found.status, found.attempts, found.next_at) == (DeliveryStatus.FAILED, 9, None)
    hooks.clock.move(30 * 86_400)
    assert await hooks.attempt() == 0
    requests = hooks.receiver.at("/down")
    assert len({request.event_id for request in requests}) == 1
    assert len({request.body for request in requests}) == 1
    timestamps = [int(request.headers["webhook-timestamp"]) for request in requests]
    assert timestamps == sorted(set(timestamps))


async def test_a_receiver_that_was_down_for_three_days_gets_what_is_replayed(hooks: Hooks) -> None:
    hooks.clock.set()
    endpoint, _ = await hooks.register("/down")
    await hooks.happen()
    for _ in range(9):
        assert await hooks.attempt() == 1
        hooks.clock.move(50_000)
    gone = await hooks.delivery(endpoint)
    assert gone.status is DeliveryStatus.FAILED
    hooks.receiver.statuses["/down"] = 200
    again = await hooks.webhooks.manage.replay(hooks.caller, endpoint.endpoint_id, gone.delivery_id, wait_s=0)
    assert again.status is DeliveryStatus.PENDING
    assert await hooks.attempt() == 1
    found = await hooks.delivery(endpoint)
    assert (found.status, found.attempts, found.event_id) == (DeliveryStatus.DELIVERED, 10, gone.event_id)


async def test_retry_after_is_honoured_within_bounds(hooks: Hooks) -> None:
    hooks.clock.set()
    endpoint, _ = await hooks.register("/busy")
    await hooks.happen()
    await hooks.attempt()
    found = await hooks.delivery(endpoint)
    assert found.next_at is not None
    assert (found.next_at - hooks.clock()).total_seconds() == 3_600


async def test_410_disables_the_endpoint_and_gives_up_what_it_was_owed(hooks: Hooks) -> None:
    endpoint, _ = await hooks.register("/gone")
    other, _ = await hooks.register("/ok")
    await hooks.happen(20)
    await hooks.attempt()
    disabled = await hooks.webhooks.manage.get(hooks.caller, endpoint.endpoint_id)
    assert disabled.status is EndpointStatus.DISABLED
    assert {it.status for it in await hooks.deliveries(endpoint)} == {DeliveryStatus.FAILED}
    await hooks.happen()
    assert len(await hooks.deliveries(endpoint)) == 20
    while await hooks.attempt():
        pass
    assert len(hooks.receiver.at("/gone")) == 8
    assert len(hooks.receiver.at("/ok")) == 21
    [lost, *_] = await hooks.deliveries(endpoint)
    with pytest.raises(MediaError) as caught:
        await hooks.webhooks.manage.replay(hooks.caller, endpoint.endpoint_id, lost.delivery_id, wait_s=0)
    assert caught.value.code is Code.WEBHOOK_ENDPOINT_DISABLED
    await hooks.webhooks.manage.change(hooks.caller, endpoint.endpoint_id, Changes(disabled=False))
    hooks.receiver.statuses["/gone"] = 200
    await hooks.webhooks.manage.replay(hooks.caller, endpoint.endpoint_id, lost.delivery_id, wait_s=0)
    assert await hooks.attempt() == 1
    assert len(await hooks.deliveries(other)) == 21


async def test_410_of_a_url_that_is_no_longer_the_endpoints_disables_nothing(hooks: Hooks) -> None:
    endpoint, _ = await hooks.register("/gone")
    await hooks.happen()
    [parcel] = await hooks.claim()
    await hooks.webhooks.manage.change(hooks.caller, endpoint.endpoint_id, Changes(url=hooks.receiver.url + "/ok"))
    await hooks.webhooks.courier.deliver(parcel)
    assert (await hooks.webhooks.manage.get(hooks.caller, endpoint.endpoint_id)).status is EndpointStatus.ACTIVE
    assert await hooks.attempt() == 1
    assert (await hooks.delivery(endpoint)).status is DeliveryStatus.DELIVERED


async def test_no_more_than_its_share_is_under_way_to_one_endpoint(hooks: Hooks) -> None:
    await hooks.register("/slow")
    await hooks.happen(20)
    async with hooks.running():
        await hooks.receiver.until(20, "/slow")
    assert hooks.receiver.most_open["/slow"] == 8


async def test_a_hanging_endpoint_takes_nothing_from_others(hooks: Hooks) -> None:
    slow = hooks.rebuilt(schedule=Schedule(attempt_max_s=60))
    for n in range(3):
        await slow.register(f"/hang/{n}")
    await slow.register("/ok")
    async with slow.running():
        await slow.happen(40)
        await slow.receiver.until(40)
        assert sum(len(slow.receiver.at(f"/hang/{n}")) for n in range(3)) == 24
        await slow.webhooks.rounds.stop(0.1)
    # What hung is handed back, not lost.
    assert len([it for it in await slow.claim() if "/hang/" in it.url]) == 24


async def test_what_a_worker_held_when_it_died_is_sent_by_another(hooks: Hooks) -> None:
    hooks.clock.set()
    endpoint, _ = await hooks.register()
    await hooks.happen()
    [parcel] = await hooks.claim()
    assert await hooks.attempt() == 0
    hooks.clock.move(hooks.world.schedule.lease_s)
    assert await hooks.attempt() == 1
    await hooks.webhooks.courier.deliver(parcel)  # the dead one was not dead
    found = await hooks.delivery(endpoint)
    assert (found.status, found.attempts) == (DeliveryStatus.DELIVERED, 1)
    assert len(hooks.receiver.at("/ok")) == 2


async def test_an_endpoint_that_is_disabled_during_an_attempt_is_not_tried_again(hooks: Hooks) -> None:
    endpoint, _ = await hooks.register("/down")
    await hooks.happen()
    [parcel] = await hooks.claim()
    await hooks.webhooks.manage.change(hooks.caller, endpoint.endpoint_id, Changes(disabled=True))
    assert (await hooks.delivery(endpoint)).status is DeliveryStatus.PENDING
    await hooks.webhooks.courier.deliver(parcel)
    assert (await hooks.delivery(endpoint)).status is DeliveryStatus.FAILED


async def test_a_deleted_endpoint_gets_nothing_more(hooks: Hooks) -> None:
    endpoint, _ = await hooks.register()
    await hooks.happen(3)
    [parcel, *_] = await hooks.claim()
    await hooks.webhooks.manage.delete(hooks.caller, endpoint.endpoint_id)
    await hooks.webhooks.courier.deliver(parcel)
    await hooks.happen()
    hooks.sql("UPDATE publisher.webhook_deliveries SET next_at = now() WHERE next_at IS NOT NULL")
    assert await hooks.attempt() == 0
    assert hooks.sql("SELECT 1 FROM publisher.webhook_deliveries") == []


async def test_old_events_are_forgotten_unless_they_are_still_owed(hooks: Hooks) -> None:
    await hooks.register("/ok")
    hooks.clock.set()
    await hooks.happen(2)
    await hooks.attempt()
    down, _ = await hooks.register("/down")
    await hooks.happen()
    await hooks.attempt()
    hooks.clock.move(31 * 86_400)
    await hooks.webhooks.forget_old()
    assert hooks.sql("SELECT count(*) FROM publisher.webhook_events") == [(1,)]
    assert len(await hooks.deliveries(down)) == 1
