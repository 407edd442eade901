"""Endpoints are kept, shown, changed and forgotten by their owner alone; their secrets are shown once."""

import asyncio
from collections.abc import Awaitable
from dataclasses import replace
from datetime import timedelta

import pytest
from standardwebhooks.webhooks import WebhookVerificationError

from services.common.errors import Code, MediaError
from services.publisher.app.webhooks.ports import Changes
from services.publisher.domain.webhooks.delivery import DeliveryStatus
from services.publisher.domain.webhooks.endpoint import MAX_ENDPOINTS, Endpoint, EndpointStatus
from services.publisher.domain.webhooks.events import EventType
from services.publisher.ports import Caller, Position
from tests.integration.publisher.webhooks.conftest import Hooks


async def refused(code: Code, asked: Awaitable[object]) -> MediaError:
    with pytest.raises(MediaError) as caught:
        await asked
    assert caught.value.code is code
    return caught.value


async def test_an_endpoint_is_kept_as_it_was_given(hooks: Hooks) -> None:
    endpoint, _ = await hooks.register("/ok?key=1", ["media.ready", "media.ready", "post.failed"])
    found = await hooks.webhooks.manage.get(hooks.caller, endpoint.endpoint_id)
    assert found == endpoint
    assert found.url.endswith("/ok?key=1")
    assert found.events == ("media.ready", "post.failed")
    assert found.endpoint_id.startswith("whk_")


@pytest.mark.parametrize(
    ("url", "events", "code"),
    [
        ("https://127.0.0.1/", ["media.ready"], Code.WEBHOOK_URL_NOT_ALLOWED),
        ("http://1.1.1.1/", ["media.ready"], Code.WEBHOOK_URL_NOT_ALLOWED),
        ("", ["media.ready"], Code.INVALID_REQUEST),
        ("https://1.1.1.1/" + "x" * 2_000, ["media.ready"], Code.INVALID_REQUEST),
        ("https://1.1.1.1/", [], Code.INVALID_REQUEST),
        ("https://1.1.1.1/", ["media.gone"], Code.INVALID_REQUEST),
    ],
)
async def test_what_cannot_be_registered_is_refused(hooks: Hooks, url: str, events: list[str], code: Code) -> None:
    await refused(code, hooks.webhooks.manage.create(hooks.caller, url, events, ""))
    endpoint, _ = await hooks.register()
    if events != []:  # of a change, no events means those before
        changes = Changes(url=url, events=tuple(events))
        await refused(code, hooks.webhooks.manage.change(hooks.caller, endpoint.endpoint_id, changes))
    assert await hooks.webhooks.manage.get(hooks.caller, endpoint.endpoint_id) == endpoint


async def test_a_refused_url_says_nothing_of_addresses(hooks: Hooks) -> None:
    error = await refused(
        Code.WEBHOOK_URL_NOT_ALLOWED,
        hooks.webhooks.manage.create(hooks.caller, "https://localhost/", ["media.ready"], ""),
    )
    assert "127.0.0.1" not in error.message
    assert "::1" not in error.message


async def test_a_workspace_has_a_bounded_number_of_endpoints(hooks: Hooks) -> None:
    made = await asyncio.gather(*(hooks.register() for _ in range(MAX_ENDPOINTS + 3)), return_exceptions=True)
    refusals = [it.code for it in made if isinstance(it, MediaError)]
    assert refusals == [Code.WEBHOOK_LIMIT_REACHED] * 3
    await hooks.register(live=False)


async def test_pages_show_the_newest_first(hooks: Hooks) -> None:
    made = [(await hooks.register())[0] for _ in range(5)]
    manage = hooks.webhooks.manage
    seen: list[Endpoint] = []
    after: Position | None = None
    for _ in range(3):
        page, after = await manage.page(hooks.caller, limit=2, after=after)
        seen += page
    assert (seen, after) == (made[::-1], None)


async def test_a_change_keeps_what_it_does_not_name(hooks: Hooks) -> None:
    endpoint, _ = await hooks.register()
    manage = hooks.webhooks.manage
    changed = await manage.change(hooks.caller, endpoint.endpoint_id, Changes(description="Mine"))
    assert changed == replace(endpoint, description="Mine")
    changed = await manage.change(hooks.caller, endpoint.endpoint_id, Changes(events=("post.failed",)))
    assert changed == replace(endpoint, description="Mine", events=("post.failed",))


async def test_a_new_url_gets_what_is_still_owed(hooks: Hooks) -> None:
    hooks.clock.set()
    endpoint, _ = await hooks.register("/down")
    await hooks.happen()
    await hooks.attempt()
    assert (await hooks.webhooks.manage.get(hooks.caller, endpoint.endpoint_id)).failing_since == hooks.clock()
    url = hooks.receiver.url + "/ok"
    changed = await hooks.webhooks.manage.change(hooks.caller, endpoint.endpoint_id, Changes(url=url))
    assert changed.failing_since is None
    hooks.clock.move(6)
    assert await hooks.attempt() == 1
    assert (await hooks.delivery(endpoint)).status is DeliveryStatus.DELIVERED


async def test_others_see_and_change_nothing(hooks: Hooks) -> None:
    endpoint, _ = await hooks.register()
    manage, ident = hooks.webhooks.manage, endpoint.endpoint_id
    await hooks.happen()
    [delivery] = await hooks.deliveries(endpoint)
    for other in (Caller("ws_other", live=True), replace(hooks.caller, live=False)):
        assert await manage.page(other, limit=10, after=None) == ([], None)
        asked: tuple[Awaitable[object], ...] = (
            manage.get(other, ident),
            manage.change(other, ident, Changes(description="theirs")),
            manage.delete(other, ident),
            manage.rotate(other, ident),
            manage.test(other, ident, 0),
            manage.deliveries(other, ident, limit=10, after=None, status=None),
            manage.replay(other, ident, delivery.delivery_id, 0),
        )
        for one in asked:
            await refused(Code.WEBHOOK_ENDPOINT_NOT_FOUND, one)
    assert await manage.get(hooks.caller, ident) == endpoint


async def test_a_delivery_is_replayed_at_its_own_endpoint_only(hooks: Hooks) -> None:
    one, _ = await hooks.register("/ok/one")
    two, _ = await hooks.register("/ok/two", [EventType.POST_FAILED])
    await hooks.happen()
    delivery = await hooks.delivery(one)
    await refused(
        Code.WEBHOOK_DELIVERY_NOT_FOUND,
        hooks.webhooks.manage.replay(hooks.caller, two.endpoint_id, delivery.delivery_id, 0),
    )


async def test_a_test_is_sent_once_and_its_end_is_waited_for(hooks: Hooks) -> None:
    good, secret = await hooks.register("/ok")
    bad, _ = await hooks.register("/down")
    async with hooks.running():
        sent = await hooks.webhooks.manage.test(hooks.caller, good.endpoint_id, 10)
        failed = await hooks.webhooks.manage.test(hooks.caller, bad.endpoint_id, 10)
    assert (sent.status, sent.event_type) == (DeliveryStatus.DELIVERED, "webhook.test")
    assert (failed.status, failed.attempts, failed.next_at) == (DeliveryStatus.FAILED, 1, None)
    assert hooks.receiver.at("/ok")[0].verified(secret)["data"] == {"endpointId": good.endpoint_id}


async def test_a_wait_that_is_over_shows_what_is_known(hooks: Hooks) -> None:
    endpoint, _ = await hooks.register()
    shown = await hooks.webhooks.manage.test(hooks.caller, endpoint.endpoint_id, 0.1)
    assert shown.status is DeliveryStatus.PENDING


async def test_r3_a_rotated_secret_signs_for_a_day_beside_the_new_one(hooks: Hooks) -> None:
    endpoint, old = await hooks.register()
    rotated, new = await hooks.webhooks.manage.rotate(hooks.caller, endpoint.endpoint_id)
    assert rotated.old_until is not None
    await hooks.happen()
    await hooks.attempt()
    [both] = hooks.receiver.at("/ok")
    both.verified(old)
    both.verified(new)
    hooks.sql("UPDATE publisher.webhook_endpoints SET old_until = now() - interval '1 s'")
    await hooks.happen()
    await hooks.attempt()
    [_, one] = hooks.receiver.at("/ok")
    one.verified(new)
    with pytest.raises(WebhookVerificationError):
        one.verified(old)
    assert rotated.old_until - hooks.clock() > timedelta(hours=23)


async def test_secrets_are_sealed_where_they_are_kept(hooks: Hooks) -> None:
    endpoint, old = await hooks.register()
    _, new = await hooks.webhooks.manage.rotate(hooks.caller, endpoint.endpoint_id)
    [stored] = hooks.sql("SELECT * FROM publisher.webhook_endpoints")
    for secret in (old, new):
        text = secret.removeprefix("whsec_")
        assert text not in str(stored)
        assert not any(text.encode() in bytes(it) for it in stored if isinstance(it, bytes | memoryview))


async def test_a_seal_opens_at_its_own_endpoint_only(hooks: Hooks) -> None:
    one, _ = await hooks.register("/ok/one")
    await hooks.register("/ok/two")
    hooks.sql(
        "UPDATE publisher.webhook_endpoints t SET sealed = s.sealed FROM publisher.webhook_endpoints s"
        " WHERE s.id = %s AND t.id <> s.id", one.endpoint_id,
    )  # fmt: skip
    await hooks.happen()
    parcels = {parcel.url: parcel for parcel in await hooks.claim()}
    with pytest.raises(Exception, match="the seal does not open"):
        await hooks.webhooks.courier.deliver(parcels[hooks.receiver.url + "/ok/two"])
    assert hooks.receiver.came == []


async def test_a_disabled_endpoint_hears_nothing_and_can_be_woken(hooks: Hooks) -> None:
    endpoint, _ = await hooks.register()
    manage = hooks.webhooks.manage
    await manage.change(hooks.caller, endpoint.endpoint_id, Changes(disabled=True))
    await hooks.happen()
    assert await hooks.attempt() == 0
    await refused(Code.WEBHOOK_ENDPOINT_DISABLED, manage.test(hooks.caller, endpoint.endpoint_id, 0))
    woken = await manage.change(hooks.caller, endpoint.endpoint_id, Changes(disabled=False))
    assert woken.status is EndpointStatus.ACTIVE
    await hooks.happen()
    assert await hooks.attempt() == 1
