"""What happens to media and posts is told to a customer's server, in a way its own library can verify."""

import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import psycopg
import pytest

from deploy.local.stack import Stack
from tests import media
from tests.e2e.client import Client, body, eventually
from tests.e2e.tenants import Tenancy
from tests.receiver import Receiver, Request

Json = dict[str, Any]


def register(client: Client, receiver: Receiver, path: str, *events: str) -> Json:
    found = body(client.http.post("/v1/webhook-endpoints", json={"url": receiver.url + path, "events": list(events)}))
    assert found["secret"].startswith("whsec_")
    return found


def told(receiver: Receiver, path: str, about: str) -> list[Request]:
    """What came to `path` about a media item or post."""
    return [request for request in receiver.at(path) if about.encode() in request.body]


def event(receiver: Receiver, endpoint: Mapping[str, Any], path: str, about: str, kind: str) -> Json:
    """The one event of that type, verified as the receiver would."""
    wanted = f'"type":"{kind}"'.encode()
    eventually(lambda: any(wanted in it.body for it in told(receiver, path, about)), within_s=20)
    [request] = [it for it in told(receiver, path, about) if wanted in it.body]
    found: Json = request.verified(endpoint["secret"])
    return found


def test_an_uploads_end_is_told_signed_with_the_item_itself(tenancy: Tenancy, receiver: Receiver) -> None:
    client, path = tenancy.client, f"/ok/{uuid.uuid4().hex}"
    endpoint = register(client, receiver, path, "media.ready", "media.rejected", "media.deleted")
    item = client.stored(media.jpeg(640, 480), "Grüße.jpg", altText="two chairs")
    ready = event(receiver, endpoint, path, item["id"], "media.ready")
    del item["variants"]
    assert ready["data"] == item
    assert ready["workspaceId"] == tenancy.workspace_id
    assert abs((datetime.fromisoformat(ready["createdAt"]) - datetime.now(UTC)).total_seconds()) < 60
    assert client.http.delete(f"/v1/media/{item['id']}").status_code == 204
    deleted = event(receiver, endpoint, path, item["id"], "media.deleted")
    assert deleted["data"] == {"id": item["id"]}
    assert deleted["id"] != ready["id"]


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(media.infected_jpeg, id="V1-photo"),
        pytest.param(media.infected_mp4, id="V1-film"),
    ],
)
def test_what_a_scan_finds_is_told(tenancy: Tenancy, receiver: Receiver, make: Callable[[], bytes]) -> None:
    client, path = tenancy.client, f"/ok/{uuid.uuid4().hex}"
    endpoint = register(client, receiver, path, "media.rejected", "media.ready", "media.failed")
    answer = client.upload(make(), "holiday.bin")
    assert answer.status_code == 422
    [item] = client.all_media()
    rejected = event(receiver, endpoint, path, item["id"], "media.rejected")
    del item["variants"]
    assert rejected["data"] == item
    assert (item["status"], item["filename"], item["url"]) == ("rejected", "holiday.bin", None)
    error, details = item["error"], answer.json()["error"]["details"]
    assert (error["code"], error["threat"]) == ("media_rejected_security", details["threat"])
    assert details["threat"].startswith("ClamAV-Test-File")
    assert len(told(receiver, path, item["id"])) == 1


def test_the_end_of_an_items_time_is_told_before_and_after(stack: Stack, tenancy: Tenancy, receiver: Receiver) -> None:
    client, path = tenancy.client, f"/ok/{uuid.uuid4().hex}"
    endpoint = register(client, receiver, path, "media.expiring", "media.expired", "media.deleted")
    item = client.stored(media.jpeg(480, 320))
    with psycopg.connect(stack.postgres.url(), autocommit=True) as conn:  # the clock cannot be turned: the row's can
        turn = "UPDATE ingest.media SET expires_at = now() + make_interval(secs => %s) WHERE id = %s"
        conn.execute(turn, (6 * 86_400, item["id"]))
        expiring = event(receiver, endpoint, path, item["id"], "media.expiring")
        left = datetime.fromisoformat(expiring["data"]["expiresAt"]) - datetime.now(UTC)
        assert timedelta(days=5) < left <= timedelta(days=6)
        conn.execute(turn, (0, item["id"]))
    assert client.http.get(f"/v1/media/{item['id']}").status_code == 404
    expired = event(receiver, endpoint, path, item["id"], "media.expired")
    assert expired["data"] == {"id": item["id"]}
    eventually(lambda: httpx.get(item["url"]).status_code == 404, within_s=20)
    assert len(told(receiver, path, item["id"])) == 2


def test_how_a_post_ended_is_told(tenancy: Tenancy, receiver: Receiver) -> None:
    client, path = tenancy.client, f"/ok/{uuid.uuid4().hex}"
    endpoint = register(client, receiver, path, "post.published", "post.failed", "post.partially_published")
    photo = client.stored(media.jpeg())
    post = body(client.create_post("Hello", [photo["id"]], tenancy.targets))
    client.settled_post(post["id"])
    published = event(receiver, endpoint, path, post["id"], "post.published")
    shown = body(client.http.get(f"/v1/posts/{post['id']}"))
    del shown["text"]
    shown["media"] = [{"mediaId": photo["id"]}]
    assert published["data"] == shown


def test_an_account_whose_token_may_post_no_more_is_told_once(tenancy: Tenancy, receiver: Receiver) -> None:
    client, path = tenancy.client, f"/ok/{uuid.uuid4().hex}"
    endpoint = register(client, receiver, path, "account.invalid", "post.failed")
    credentials = {"access_token": f"sandbox-{tenancy.workspace_id}.readonly"}  # X does not say so when it is connected
    account = body(client.http.post("/v1/accounts", json={"platform": "x", "credentials": credentials}))
    assert account["status"] == "active"
    due = (datetime.now(UTC) + timedelta(seconds=3)).isoformat()
    wanted = {"text": "to nobody", "targets": [{"accountId": account["id"]}]}
    for post in [body(client.http.post("/v1/posts", json=wanted | {"scheduledAt": due})) for _ in range(2)]:
        [target] = client.settled_post(post["id"])["targets"]
        assert (target["status"], target["error"]["code"]) == ("failed", "scope_missing")
        event(receiver, endpoint, path, post["id"], "post.failed")
    invalid = event(receiver, endpoint, path, account["id"], "account.invalid")
    shown = body(client.http.get(f"/v1/accounts/{account['id']}"))
    assert invalid["data"] == shown
    assert shown["status"] == "invalid"
    assert tenancy.workspace_id not in repr(shown)
    refused = client.http.post("/v1/posts", json=wanted)
    assert refused.status_code == 422
    assert [problem["field"] for problem in refused.json()["errors"]] == ["targets[0].accountId"]
    mended = {"platform": "x", "credentials": {"access_token": f"sandbox-{tenancy.workspace_id}"}}
    again = body(client.http.post("/v1/accounts", json=mended))
    assert (again["id"], again["status"]) == (account["id"], "active")
    assert client.settled_post(body(client.http.post("/v1/posts", json=wanted))["id"])["status"] == "published"


def test_a_post_that_waits_is_told_each_time_its_time_is_set(tenancy: Tenancy, receiver: Receiver) -> None:
    client, path = tenancy.client, f"/ok/{uuid.uuid4().hex}"
    endpoint = register(client, receiver, path, "post.scheduled", "post.published")
    later, much_later = ((datetime.now(UTC) + timedelta(hours=hours)).isoformat() for hours in (1, 2))
    wanted = {"text": "later", "targets": tenancy.targets[:1], "scheduledAt": later}
    post = body(client.http.post("/v1/posts", json=wanted))
    scheduled = event(receiver, endpoint, path, post["id"], "post.scheduled")
    assert (scheduled["data"]["status"], scheduled["data"]["scheduledAt"]) == ("scheduled", post["scheduledAt"])
    body(client.http.patch(f"/v1/posts/{post['id']}", json={"scheduledAt": much_later}))
    eventually(lambda: len(told(receiver, path, post["id"])) == 2, within_s=20)
    body(client.http.delete(f"/v1/posts/{post['id']}"))


def test_an_endpoint_is_tried_out_looked_at_and_replayed(tenancy: Tenancy, receiver: Receiver) -> None:
    client, path = tenancy.client, f"/ok/{uuid.uuid4().hex}"
    endpoint = register(client, receiver, path, "media.ready")
    shown = body(client.http.get(f"/v1/webhook-endpoints/{endpoint['id']}"))
    assert shown == endpoint | {"secret": None}
    tried = body(client.http.post(f"/v1/webhook-endpoints/{endpoint['id']}/test"))
    assert (tried["status"], tried["responseStatus"], tried["eventType"]) == ("delivered", 204, "webhook.test")
    [request] = receiver.at(path)
    assert request.verified(endpoint["secret"])["data"] == {"endpointId": endpoint["id"]}
    deliveries = f"/v1/webhook-endpoints/{endpoint['id']}/deliveries"
    assert body(client.http.get(deliveries))["data"] == [tried]
    again = body(client.http.post(f"{deliveries}/{tried['id']}/replay", headers={"prefer": "wait=10"}))
    assert (again["status"], again["attempts"]) == ("delivered", 2)
    assert [it.event_id for it in receiver.at(path)] == [tried["eventId"]] * 2


def test_a_secret_is_rotated_without_a_gap(tenancy: Tenancy, receiver: Receiver) -> None:
    client, path = tenancy.client, f"/ok/{uuid.uuid4().hex}"
    old = register(client, receiver, path, "media.ready")
    new = body(client.http.post(f"/v1/webhook-endpoints/{old['id']}/rotate-secret"))
    assert new["secret"] != old["secret"]
    assert new["oldSecretExpiresAt"] is not None
    body(client.http.post(f"/v1/webhook-endpoints/{old['id']}/test"))
    [request] = receiver.at(path)
    assert request.verified(new["secret"]) == request.verified(old["secret"])
