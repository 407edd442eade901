"""Posts whose answer is lost on the way are found by their key, and are never published twice."""

import asyncio
from datetime import UTC, datetime
from typing import cast
from uuid import uuid4

import httpx
import pytest

from services.platforms.calls import at
from services.platforms.ports import JSON, Absent, CannotTell, Draft, Fault, OutcomeUnknown, PlatformError, Receipt
from tests.contract.platforms import samples
from tests.contract.platforms.bluesky.place import Place
from tests.contract.platforms.bluesky.relay import Loss
from tests.contract.platforms.samples import Steps, asset, draft

CREATE = "/xrpc/com.atproto.repo.createRecord"


def _wanted() -> Draft:
    return draft(f"Said once: {uuid4()}", asset(samples.picture(), alt_text="noise"))


async def test_a_post_whose_answer_was_lost_is_found(place: Place) -> None:
    wanted = _wanted()
    prepared, handle, since = await place.prepared(wanted), place.handle(wanted), datetime.now(UTC)
    place.relay.lose(CREATE, Loss.ANSWER)
    with pytest.raises(httpx.TransportError):
        await place.publish(wanted, prepared, handle)
    found = await place.publisher.reconcile(place.http, place.account(), wanted, prepared, handle, since)
    assert isinstance(found, Receipt)
    assert found.platform_post_id.endswith(f"/{handle}")
    assert (await place.record(found))["text"] == wanted.text
    assert (await place.texts()).count(wanted.text) == 1


async def test_a_post_whose_request_was_lost_is_absent_and_may_be_sent(place: Place) -> None:
    wanted = _wanted()
    prepared, handle, since = await place.prepared(wanted), place.handle(wanted), datetime.now(UTC)
    place.relay.lose(CREATE, Loss.REQUEST)
    with pytest.raises(httpx.TransportError):
        await place.publish(wanted, prepared, handle)
    found = await place.publisher.reconcile(place.http, place.account(), wanted, prepared, handle, since)
    assert found == Absent(safe_to_send=True)
    receipt = await place.publish(wanted, prepared, handle)
    assert await place.publisher.reconcile(place.http, place.account(), wanted, prepared, handle, since) == receipt
    assert (await place.texts()).count(wanted.text) == 1


async def test_the_same_key_publishes_once(place: Place) -> None:
    wanted = _wanted()
    prepared, handle, since = await place.prepared(wanted), place.handle(wanted), datetime.now(UTC)
    receipt = await place.publish(wanted, prepared, handle)
    with pytest.raises(OutcomeUnknown):
        await place.publish(wanted, prepared, handle)
    assert await place.publisher.reconcile(place.http, place.account(), wanted, prepared, handle, since) == receipt
    assert (await place.texts()).count(wanted.text) == 1


async def test_the_same_key_at_the_same_time_publishes_once(place: Place) -> None:
    wanted = _wanted()
    prepared, handle = await place.prepared(wanted), place.handle(wanted)
    ends = await asyncio.gather(*(place.publish(wanted, prepared, handle) for _ in range(4)), return_exceptions=True)
    assert [type(end) for end in ends].count(Receipt) == 1
    assert all(isinstance(end, Receipt | OutcomeUnknown) for end in ends)
    assert (await place.texts()).count(wanted.text) == 1


async def test_a_lost_post_is_found_with_a_changed_password(place: Place) -> None:
    wanted = _wanted()
    prepared, handle, since = await place.prepared(wanted), place.handle(wanted), datetime.now(UTC)
    receipt = await place.publish(wanted, prepared, handle)
    changed = place.account(password="changed-since")
    assert await place.publisher.reconcile(place.http, changed, wanted, prepared, handle, since) == receipt


async def test_of_an_account_that_is_gone_nobody_can_tell(place: Place) -> None:
    wanted = draft("whose")
    prepared = {**await place.prepared(wanted), "did": "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa"}
    found = await place.publisher.reconcile(
        place.http, place.account(), wanted, prepared, place.handle(wanted), datetime.now(UTC)
    )
    assert found == CannotTell()


async def test_a_lost_upload_is_made_again(place: Place) -> None:
    wanted, steps = _wanted(), Steps()
    place.relay.lose("/xrpc/com.atproto.repo.uploadBlob", Loss.ANSWER)
    with pytest.raises(PlatformError) as caught:
        await place.prepared(wanted, steps)
    assert (caught.value.fault, caught.value.code) == (Fault.TRANSIENT, "upstream_unreachable")
    assert steps.kept == {}
    prepared = await place.prepared(wanted, steps)
    assert await place.prepared(wanted, steps) == prepared
    assert steps.saves == 1
    await place.publish(wanted, prepared, place.handle(wanted))


async def test_a_post_whose_blob_is_gone_is_prepared_anew(place: Place) -> None:
    wanted = _wanted()
    prepared = await place.prepared(wanted)
    link = "bafkreiaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    gone: dict[str, JSON] = {**cast(dict[str, JSON], at(prepared, "blobs", 0)), "ref": {"$link": link}}
    handle = place.handle(wanted)
    with pytest.raises(PlatformError) as caught:
        await place.publish(wanted, {**prepared, "blobs": [gone]}, handle)
    assert (caught.value.fault, caught.value.code) == (Fault.REBUILD, "blob_not_found")
    await place.publish(wanted, prepared, handle)
