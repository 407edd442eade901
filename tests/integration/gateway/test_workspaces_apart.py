"""What belongs to another workspace is answered byte for byte like what never was."""

import re
from collections.abc import Callable, Mapping

import httpx
import pytest

from services.common import ids
from services.gateway.services import route_table
from tests.integration.gateway.conftest import Service, Workspace, done, refused

ROUTES = [route for route in route_table().routes if route.variables]
BODIES: Mapping[str, object] = {
    "CreateVariant": {"preset": "bluesky.image"},
    "UpdateMedia": {"altText": "Mine."},
    "UpdateWebhookEndpoint": {"description": "Mine."},
}


LISTED = [route.segments[1] for route in route_table().routes if route.is_list]
Owned = Mapping[str, str]  # An id by resource.


def _post(owner: Workspace) -> str:
    body = {"text": "Theirs.", "targets": [{"accountId": owner.account()["id"]}]}
    return str(done(owner.http.post("/v1/posts", json=body))["id"])


def _key(owner: Workspace) -> str:
    return str(done(owner.http.post("/v1/api-keys", json={"name": "Theirs"}))["apiKey"]["id"])


def _upload(owner: Workspace) -> str:
    return str(done(owner.http.post("/v1/uploads", json={"filename": "a.mp4", "sizeBytes": 1_000_000}))["id"])


def _webhook(owner: Workspace) -> str:
    # An address that is public, and written as one: nobody is asked for it.
    body = {"url": "https://1.1.1.1/", "events": ["media.ready"]}
    return str(done(owner.http.post("/v1/webhook-endpoints", json=body))["id"])


MADE: Mapping[str, Callable[[Workspace], str]] = {
    "accounts": lambda owner: str(owner.account()["id"]),
    "api-keys": _key,
    "media": lambda owner: str(owner.media()["id"]),
    "posts": _post,
    "uploads": _upload,
    "webhook-endpoints": _webhook,
}


@pytest.fixture(scope="module")
def theirs(service: Service) -> Owned:
    """What the other workspace has: an id of every resource that has any."""
    return {resource: MADE[resource](service.other) for resource in {route.segments[1] for route in ROUTES}}


def asked(http: httpx.Client, route_index: int, an_id: str) -> httpx.Response:
    route = ROUTES[route_index]
    path = re.sub(r"\{[^}]+\}", an_id, route.template)
    return http.request(route.method, path, json=BODIES.get(route.rpc.name), headers={"x-request-id": "same"})


def shape(answer: httpx.Response, an_id: str) -> tuple[int, bytes, list[tuple[str, str]]]:
    """All of an answer but its time, how much may be asked until then, and the id that was asked for."""
    kept = [(name, value) for name, value in answer.headers.multi_items() if name not in ("date", "ratelimit")]
    return answer.status_code, answer.content.replace(an_id.encode(), b"<id>"), kept


@pytest.mark.parametrize("index", range(len(ROUTES)), ids=[route.rpc.name for route in ROUTES])
def test_an_id_of_another_workspace_is_an_unknown_id(service: Service, theirs: Owned, index: int) -> None:
    their_id = theirs[ROUTES[index].segments[1]]
    unknown_id = ids.new(their_id.partition("_")[0])
    foreign, unknown = (asked(service.one.http, index, an_id) for an_id in (their_id, unknown_id))
    assert foreign.status_code == 404
    assert shape(foreign, their_id) == shape(unknown, unknown_id)


def test_what_was_refused_to_others_is_untouched(service: Service, theirs: Owned) -> None:
    for resource in ("accounts", "media", "posts"):
        done(service.other.http.get(f"/v1/{resource}/{theirs[resource]}"))
    keys = done(service.other.http.get("/v1/api-keys"))["data"]
    assert theirs["api-keys"] in [key["id"] for key in keys]


def test_lists_show_nothing_of_others(service: Service, theirs: Owned) -> None:
    for resource in LISTED:
        their_id = theirs[resource]
        assert their_id in service.other.http.get(f"/v1/{resource}").text
        assert their_id not in service.one.http.get(f"/v1/{resource}").text


@pytest.mark.parametrize("resource", ["accounts", "media"])
def test_a_post_cannot_use_what_others_have(service: Service, theirs: Owned, resource: str) -> None:
    account, media = service.one.account()["id"], service.one.media()["id"]
    their_id = theirs[resource]

    def posted(used_id: str) -> httpx.Response:
        body = {
            "text": "Hello.",
            "targets": [{"accountId": used_id if resource == "accounts" else account}],
            "media": [{"mediaId": used_id if resource == "media" else media}],
        }
        return service.one.http.post("/v1/posts", json=body, headers={"x-request-id": "same"})

    unknown_id = ids.new(their_id.partition("_")[0])
    foreign, unknown = posted(their_id), posted(unknown_id)
    assert 400 <= foreign.status_code < 500
    assert shape(foreign, their_id) == shape(unknown, unknown_id)


def test_an_idempotency_key_is_its_workspaces_own(service: Service) -> None:
    headers = {"idempotency-key": ids.new("idem")}
    answers = [
        customer.http.post("/v1/api-keys", json={"name": name}, headers=headers)
        for customer, name in ((service.one, "mine"), (service.other, "theirs"))
    ]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert [done(answer)["apiKey"]["name"] for answer in answers] == ["mine", "theirs"]


def test_a_test_key_does_not_see_what_is_live(service: Service) -> None:
    with service.customer(workspace_id=service.one.workspace_id, mode="live") as live:
        made = done(live.http.post("/v1/api-keys", json={"name": "live", "mode": "live"}))["apiKey"]
        assert made["mode"] == "live"
        assert made["id"] not in service.one.http.get("/v1/api-keys").text
        assert refused(service.one.http.delete(f"/v1/api-keys/{made['id']}")) == (404, "key_not_found")
        assert live.http.delete(f"/v1/api-keys/{made['id']}").status_code == 204
