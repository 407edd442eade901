"""What belongs to another workspace is answered byte for byte like what never was."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from services.common import ids
from services.gateway.services import route_table
from services.gateway.transcode.routes import Route
from tests.integration.gateway.conftest import Service, Workspace, done, refused

ROUTES = [route for route in route_table().routes if route.variables]
DELETABLE = {route.segments[1] for route in ROUTES if route.method == "DELETE" and route.success == 204}
# What a request must say to get as far as the id: a route whose entry is missing here answers 400, and fails.
BODIES: Mapping[str, object] = {
    "CreateVariant": {"preset": "bluesky.image"},
    "RetryPost": {},
    "UpdateMedia": {"altText": "Mine."},
    "UpdatePost": {"text": "Mine."},
    "UpdateWebhookEndpoint": {"description": "Mine."},
}


@dataclass(frozen=True, slots=True)
class Asking:
    """One way to ask for an id; `{id}` in path and headers is where it goes."""

    name: str
    resource: str
    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] = field(default_factory=dict)

    def of(self, http: httpx.Client, an_id: str) -> httpx.Response:
        headers = {name: value.replace("{id}", an_id) for name, value in self.headers.items()}
        path = self.path.replace("{id}", an_id)
        return http.request(self.method, path, headers=headers | {"x-request-id": "same"}, **self.body)


def of_route(route: Route) -> Asking:
    """All variables of a path become the one id."""
    body = {"json": BODIES[route.rpc.name]} if route.rpc.name in BODIES else {}
    return Asking(
        route.rpc.name, route.segments[1], route.method, re.sub(r"\{[^}]+\}", "{id}", route.template), body=body
    )


def of_dialect(
    name: str, method: str, said: Mapping[str, str], *, piece: bool = False, path: str = "/v1/uploads/{id}"
) -> Asking:
    """What the dialects of uploads say where no route is annotated."""
    return Asking(name, "uploads", method, path, said, {"content": b"x"} if piece else {})


TUS = {"tus-resumable": "1.0.0"}
DRAFT = {"upload-draft-interop-version": "8"}
TUS_PIECE = TUS | {"upload-offset": "0", "content-type": "application/offset+octet-stream"}
DRAFT_PIECE = DRAFT | {"upload-offset": "0", "upload-complete": "?0", "content-type": "application/partial-upload"}
ASKED = [
    *map(of_route, ROUTES),
    of_dialect("tus-head", "HEAD", TUS),
    of_dialect("tus-patch", "PATCH", TUS_PIECE, piece=True),
    of_dialect("tus-patch-by-post", "POST", TUS_PIECE | {"x-http-method-override": "PATCH"}, piece=True),
    of_dialect("tus-delete", "DELETE", TUS),
    of_dialect("tus-concat", "POST", TUS | {"upload-concat": "final;/v1/uploads/{id}"}, path="/v1/uploads"),
    of_dialect("draft-head", "HEAD", DRAFT),
    of_dialect("draft-patch", "PATCH", DRAFT_PIECE, piece=True),
    of_dialect("draft-delete", "DELETE", DRAFT),
    of_dialect("put-piece", "PUT", {"content-range": "bytes 0-0/1000000"}, piece=True),
    of_dialect("put-state", "PUT", {"content-range": "bytes */*"}),
]
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


@pytest.fixture(scope="module")
def deleted(service: Service) -> Owned:
    """What the asking workspace once had itself."""
    found = {resource: MADE[resource](service.one) for resource in sorted(DELETABLE)}
    for resource, an_id in found.items():
        assert service.one.http.delete(f"/v1/{resource}/{an_id}").status_code == 204
    return found


@pytest.fixture(scope="module")
def http(service: Service) -> Iterator[httpx.Client]:
    """The asking workspace's; the dialects of uploads answer with more than the API reference describes."""
    known = service.one.http
    with httpx.Client(base_url=known.base_url, headers=known.headers, timeout=60, trust_env=False) as plain:
        yield plain


def shape(answer: httpx.Response, an_id: str) -> tuple[int, bytes, list[tuple[str, str]]]:
    """All of an answer but its time, how much may be asked until then, and the id that was asked for."""
    kept = [(name, value) for name, value in answer.headers.multi_items() if name not in ("date", "ratelimit")]
    return answer.status_code, answer.content.replace(an_id.encode(), b"<id>"), kept


@pytest.mark.parametrize("asking", [pytest.param(asking, id=f"S1-{asking.name}") for asking in ASKED])
def test_an_id_of_another_workspace_or_a_deleted_one_is_an_unknown_id(
    http: httpx.Client, theirs: Owned, deleted: Owned, asking: Asking
) -> None:
    used = [theirs[asking.resource], *([deleted[asking.resource]] if asking.resource in deleted else [])]
    unknown_id = ids.new(used[0].partition("_")[0])
    unknown = asking.of(http, unknown_id)
    assert unknown.status_code == 404
    for an_id in used:
        assert shape(asking.of(http, an_id), an_id) == shape(unknown, unknown_id)


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
