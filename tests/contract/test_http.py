"""The public API over HTTP, with stages that answer from memory: every answer is held against the API reference."""

import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx
import pytest
from google.protobuf.message import Message
from mediaapi.v1 import gateway_service_pb2, ingest_service_pb2, media_pb2, post_pb2
from prometheus_client import CollectorRegistry

from services.common import ids
from services.common.clock import utc_now
from services.common.context import CallContext
from services.common.errors import Code, MediaError
from services.common.plans import Plans
from services.gateway.app import Authentication
from services.gateway.domain import keys
from services.gateway.domain.keys import ApiKey, Grant, Mode
from services.gateway.domain.rates import Kind, Rate
from services.gateway.idempotency import Idempotency
from services.gateway.limiting import Limiter
from services.gateway.services import route_table
from services.gateway.transcode import strict_json
from services.gateway.transcode.calls import Upstreams
from services.gateway.transcode.routes import Route
from services.gateway.web.answers import Answers
from services.gateway.web.api import TranscodingApi
from services.gateway.web.docs import Docs
from services.gateway.web.front import Front
from services.gateway.web.observe import Observer
from tests.contract.described import Described
from tests.unit.gateway.buckets import MemoryBuckets
from tests.unit.gateway.test_idempotency import Table

URL = "https://api.example.com"
PEPPER = "p" * 32
ROUTES = route_table()
Serve = Callable[[Message, CallContext], Message]


@dataclass
class Keyring:
    """ports.Keys in memory, as far as authentication goes."""

    grants: dict[str, Grant] = field(default_factory=dict)

    async def find(self, key_id: str) -> Grant | None:
        return self.grants.get(key_id)

    async def touch(self, workspace_id: str, key_id: str, *, at: datetime) -> None:
        assert self.grants[key_id].key.workspace_id == workspace_id

    async def add(self, key: ApiKey) -> None:
        raise NotImplementedError

    async def page(self, workspace_id: str, *, limit: int, before: str | None, mode: Mode | None) -> list[ApiKey]:
        raise NotImplementedError

    async def revoke(self, workspace_id: str, key_id: str, *, mode: Mode | None, at: datetime) -> bool:
        raise NotImplementedError

    def issue(self, *scopes: str, mode: Mode = Mode.TEST) -> str:
        key_id = ids.new("key")
        text = keys.mint(mode, key_id, b"s" * 32)
        digest = keys.digest(PEPPER, text)
        self.grants[key_id] = Grant(ApiKey(key_id, "ws_1", "k", mode, scopes, digest, "", utc_now()), "pro")
        return text


class Stages(Upstreams):
    """What the stages say, by name of the RPC."""

    def __init__(self) -> None:
        super().__init__({})
        self.says: dict[str, Serve] = {}
        self.calls: list[tuple[str, Message, CallContext]] = []

    async def call(self, route: Route, request: Message, caller: CallContext, key_id: str) -> Message:
        self.calls.append((route.rpc.name, request, caller))
        return self.says[route.rpc.name](request, caller)


@dataclass
class World:
    """A gateway and its client."""

    keyring: Keyring
    stages: Stages
    http: httpx.AsyncClient
    rates: dict[Kind, Rate]

    def sends_as(self, key: str) -> None:
        self.http.headers["authorization"] = f"Bearer {key}"


@pytest.fixture
async def world() -> AsyncIterator[World]:
    keyring, stages = Keyring(), Stages()
    rates = dict.fromkeys(Kind, Rate(requests=1_000, window_s=60))
    async with serving(keyring, stages, rates) as http:
        it = World(keyring, stages, http, rates)
        it.sends_as(keyring.issue())
        yield it


@asynccontextmanager
async def serving(keyring: Keyring, stages: Upstreams, rates: Mapping[Kind, Rate]) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a gateway in front of those stages; its answers are held against the API reference."""
    docs = Docs(ROUTES, URL)
    api = TranscodingApi(
        ROUTES,
        authentication=Authentication(keyring, pepper=PEPPER, now=utc_now, monotonic=lambda: 0.0),
        limiter=Limiter(MemoryBuckets(utc_now), Plans({"pro": rates}), now=utc_now),
        upstreams=stages,
        idempotency=Idempotency(Table(), new_token=lambda: ids.new("tok")),
        answers=Answers(ROUTES, URL),
    )
    observe = Observer(CollectorRegistry())
    front = Front(api, pages=docs.pages(), new_request_id=lambda: ids.new("req"), observe=observe)
    described = Described(json.loads(docs._json))

    async def check(response: httpx.Response) -> None:
        await response.aread()
        if response.request.url.path.startswith("/v1"):
            described.check(response)

    transport = httpx.ASGITransport(front)
    async with httpx.AsyncClient(transport=transport, base_url=URL, event_hooks={"response": [check]}) as http:
        yield http


def media(**given: Any) -> media_pb2.Media:
    item = media_pb2.Media(
        id=ids.new("med"), kind=media_pb2.MEDIA_KIND_IMAGE, status=media_pb2.MEDIA_STATUS_READY, **given
    )
    item.created_at.GetCurrentTime()
    item.expires_at.GetCurrentTime()
    return item


def post(status: post_pb2.PostStatus.ValueType = post_pb2.POST_STATUS_PUBLISHING) -> post_pb2.Post:
    item = post_pb2.Post(id=ids.new("post"), status=status)
    item.created_at.GetCurrentTime()
    return item


def unknown(request: Message, caller: CallContext) -> Message:
    raise MediaError(Code.MEDIA_NOT_FOUND, media_id=getattr(request, "id"))  # noqa: B009  no static type has it


def code(response: httpx.Response) -> str:
    found: str = response.json()["error"]["code"]
    return found


async def test_one_item_is_shown_and_not_sent_twice(world: World) -> None:
    item = media()
    world.stages.says["GetMedia"] = lambda request, caller: item
    first = await world.http.get(f"/v1/media/{item.id}")
    assert (first.status_code, first.json()["id"]) == (200, item.id)
    again = await world.http.get(f"/v1/media/{item.id}", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    head = await world.http.head(f"/v1/media/{item.id}")
    assert (head.status_code, head.headers["etag"]) == (200, first.headers["etag"])


async def test_what_a_stage_refuses_is_a_problem(world: World) -> None:
    world.stages.says["GetMedia"] = unknown
    response = await world.http.get("/v1/media/med_1", headers={"x-request-id": "mine-1"})
    assert (response.status_code, code(response)) == (404, "media_not_found")
    assert response.headers["x-request-id"] == "mine-1"
    assert response.headers["cache-control"] == "no-store"


async def test_a_fault_of_ours_tells_nothing_of_itself(world: World) -> None:
    def broken(request: Message, caller: CallContext) -> Message:
        raise ValueError("inner secret")

    world.stages.says["GetMedia"] = broken
    response = await world.http.get("/v1/media/med_1")
    assert (response.status_code, code(response)) == (500, "internal")
    assert "secret" not in response.text


@pytest.mark.parametrize(
    "authorization", [None, "", "Bearer", "Bearer lmp_test_x", "Basic YTpi", "Bearer " + "é"], ids=repr
)
async def test_without_a_key_nothing_is_told(world: World, authorization: str | None) -> None:
    headers = {} if authorization is None else {b"authorization": authorization.encode("utf-8")}
    del world.http.headers["authorization"]
    response = await world.http.get("/v1/media/med_1", headers=headers)
    assert (response.status_code, code(response)) == (401, "unauthorized")
    assert response.headers["www-authenticate"].startswith("Bearer")
    assert world.stages.calls == []


async def test_a_workspace_that_asks_too_often_is_told_when_to_come_back(world: World) -> None:
    world.stages.says["GetMedia"] = lambda request, caller: media()
    world.stages.says["DeleteMedia"] = lambda request, caller: ingest_service_pb2.DeleteMediaResponse()
    world.rates[Kind.READS] = Rate(requests=2, window_s=60)
    answers = [await world.http.get("/v1/media/med_1") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert {answer.headers["ratelimit-policy"] for answer in answers} == {'"reads";q=2;w=60'}
    assert [answer.headers["ratelimit"] for answer in answers] == [
        '"reads";r=1;t=30',
        '"reads";r=0;t=60',
        '"reads";r=0;t=60',
    ]
    refused = answers[2]
    assert (code(refused), refused.headers["retry-after"]) == ("rate_limited", "30")
    assert refused.json()["error"]["details"] == {"kind": "reads", "limit": 2, "windowS": 60, "retryAfterS": 30}
    assert len(world.stages.calls) == 2
    assert (await world.http.delete("/v1/media/med_1")).headers["ratelimit-policy"].startswith('"writes"')
    assert "ratelimit" not in (await world.http.get("/v1/media", headers={"authorization": "none"})).headers


async def test_a_key_in_the_url_is_refused_even_with_a_good_one(world: World) -> None:
    response = await world.http.get("/v1/media", params={"q": world.keyring.issue()})
    assert (response.status_code, code(response)) == (401, "unauthorized")


@pytest.mark.parametrize("route", ROUTES.routes, ids=lambda route: route.rpc.name)
async def test_each_route_asks_for_its_scope(world: World, route: Route) -> None:
    world.sends_as(world.keyring.issue(*(ROUTES.scopes - {route.scope})))
    path = "/".join("x" if part.startswith("{") else part for part in route.template.split("/"))
    response = await world.http.request(route.method, path)
    assert (response.status_code, code(response)) == (403, "forbidden")
    assert world.stages.calls == []


async def test_what_is_not_there_and_what_it_cannot_do(world: World) -> None:
    for path in ("/", "/v1", "/v1/nothing", "/v1/media/a/b/c", "/docs/errors/none", "/metrics"):
        response = await world.http.get(path)
        assert (response.status_code, code(response)) == (404, "not_found"), path
    response = await world.http.put("/v1/media/med_1")
    assert (response.status_code, response.headers["allow"]) == (405, "DELETE, GET, HEAD, PATCH")
    response = await world.http.post("/docs")
    assert (response.status_code, response.headers["allow"]) == (405, "GET, HEAD")


async def test_an_unknown_field_is_named(world: World) -> None:
    response = await world.http.post("/v1/posts", json={"targets": [{"platform": "x", "txt": "y"}], "when": 1})
    assert (response.status_code, code(response)) == (400, "invalid_request")
    assert {row["field"] for row in response.json()["errors"]} == {"targets[0].txt", "when"}


@pytest.mark.parametrize(
    ("content_type", "body", "status", "told"),
    [
        ("text/plain", b"{}", 400, "content_type_invalid"),
        (None, b"{}", 400, "content_type_invalid"),
        ("application/json", b"{", 400, "invalid_json"),
        ("application/json", b"", 400, "invalid_json"),
        ("application/json", b'{"text":"' + b"x" * strict_json.MAX_BYTES + b'"}', 413, "request_too_large"),
    ],
    ids=["type", "no-type", "half", "empty", "large"],
)
async def test_a_body_that_cannot_be_read(
    world: World, content_type: str | None, body: bytes, status: int, told: str
) -> None:
    headers = {"content-type": content_type} if content_type else {}
    response = await world.http.post("/v1/posts", content=body, headers=headers)
    assert (response.status_code, code(response)) == (status, told)


async def test_a_compressed_body_is_not_taken(world: World) -> None:
    headers = {"content-type": "application/json", "content-encoding": "gzip"}
    response = await world.http.post("/v1/posts", content=b"x", headers=headers)
    assert (response.status_code, code(response)) == (415, "content_encoding_unsupported")


async def test_media_come_as_a_form_or_as_the_json_of_an_import(world: World) -> None:
    world.stages.says["ImportMedia"] = lambda request, caller: media()
    body = {"url": "https://example.com/a.jpg", "kind": "image", "altText": "Dusk."}
    response = await world.http.post("/v1/media", json=body, headers={"prefer": "wait=3"})
    assert (response.status_code, response.headers["preference-applied"]) == (201, "wait=3")
    assert response.headers["location"] == f"/v1/media/{response.json()['id']}"
    ((_, request, caller),) = world.stages.calls
    wanted = ingest_service_pb2.ImportMediaRequest(url=body["url"], kind=media_pb2.MEDIA_KIND_IMAGE, alt_text="Dusk.")
    assert (request, caller.wait_s) == (wanted, 3.0)
    response = await world.http.post("/v1/media", content=b"x", headers={"content-type": "text/plain"})
    assert (response.status_code, code(response)) == (400, "content_type_invalid")


@pytest.mark.parametrize(
    ("body", "field"),
    [({}, "url"), ({"url": "https://example.com/a.jpg", "headers": {}}, "headers"), ({"url": 1}, "url")],
)
async def test_an_import_says_where_from_and_nothing_unknown(world: World, body: object, field: str) -> None:
    response = await world.http.post("/v1/media", json=body)
    assert (response.status_code, code(response)) == (400, "invalid_request")
    assert [problem["field"] for problem in response.json()["errors"]] == [field]


async def test_an_import_is_made_once_for_a_key_and_its_key_is_no_other_bodys(world: World) -> None:
    world.stages.says["ImportMedia"] = lambda request, caller: media()
    key = {"idempotency-key": "import-1"}
    bodies = [{"url": "https://example.com/a.jpg"}] * 2 + [{"url": "https://example.com/b.jpg"}]
    first, again, other = [await world.http.post("/v1/media", json=body, headers=key) for body in bodies]
    form = await world.http.post("/v1/media", files={"file": ("a.jpg", b"x")}, headers=key)
    assert (first.status_code, again.json()) == (201, first.json())
    assert again.headers["idempotent-replayed"] == "true"
    assert [(it.status_code, code(it)) for it in (other, form)] == [(409, "idempotency_conflict")] * 2
    assert len(world.stages.calls) == 1


async def test_an_import_that_did_not_reach_its_file_may_be_tried_again_with_its_key(world: World) -> None:
    def unreached(request: Message, caller: CallContext) -> Message:
        raise MediaError(Code.MEDIA_URL_UNREACHABLE, reason="its server answered 503")

    world.stages.says["ImportMedia"] = unreached
    body, key = {"url": "https://example.com/a.jpg"}, {"idempotency-key": "import-2"}
    refused = await world.http.post("/v1/media", json=body, headers=key)
    assert (refused.status_code, code(refused)) == (422, "media_url_unreachable")
    world.stages.says["ImportMedia"] = lambda request, caller: media()
    assert (await world.http.post("/v1/media", json=body, headers=key)).status_code == 201


@pytest.mark.parametrize(
    ("status", "answered"), [(post_pb2.POST_STATUS_PUBLISHING, 202), (post_pb2.POST_STATUS_PUBLISHED, 200)]
)
async def test_the_status_says_whether_it_is_settled(
    world: World, status: post_pb2.PostStatus.ValueType, answered: int
) -> None:
    world.stages.says["CreatePost"] = lambda request, caller: post(status)
    body = {"text": "Hello", "targets": [{"platform": "x"}]}
    response = await world.http.post("/v1/posts", json=body, headers={"prefer": "wait=99"})
    assert response.status_code == answered
    assert response.headers["preference-applied"] == "wait=30"
    assert response.headers["location"] == f"/v1/posts/{response.json()['id']}"
    ((_, _, caller),) = world.stages.calls
    assert (caller.wait_s, caller.workspace_id, caller.plan, caller.live) == (30.0, "ws_1", "pro", False)


async def test_a_list_links_to_its_next_page(world: World) -> None:
    world.stages.says["ListMedia"] = lambda request, caller: ingest_service_pb2.ListMediaResponse(
        data=[media()], next_cursor="med_next"
    )
    response = await world.http.get("/v1/media", params={"limit": 1, "kind": "image"})
    assert response.json()["nextCursor"] == "med_next"
    assert response.links["next"]["url"] == f"{URL}/v1/media?limit=1&kind=image&cursor=med_next"
    refused = await world.http.get("/v1/media", params={"limit": 0})
    assert refused.json()["errors"] == [{"field": "limit", "message": "must be 1 to 100"}]


def changeable(world: World) -> Mapping[str, str]:
    """An item that can be read and described; its state."""
    state = {"id": ids.new("med"), "alt": "one"}

    def shown(request: Message, caller: CallContext) -> Message:
        item = media(alt_text=state["alt"])
        item.id = state["id"]
        item.created_at.Clear()
        item.expires_at.Clear()
        item.created_at.SetInParent()
        item.expires_at.SetInParent()
        return item

    def change(request: Message, caller: CallContext) -> Message:
        assert isinstance(request, ingest_service_pb2.UpdateMediaRequest)
        state["alt"] = request.alt_text
        return shown(request, caller)

    world.stages.says |= {"GetMedia": shown, "UpdateMedia": change}
    return state


async def test_a_change_may_depend_on_what_was_seen(world: World) -> None:
    state = changeable(world)
    path = f"/v1/media/{state['id']}"
    tag = (await world.http.get(path)).headers["etag"]
    done = await world.http.patch(path, json={"altText": "two"}, headers={"if-match": tag})
    assert (done.status_code, state["alt"]) == (200, "two")
    late = await world.http.patch(path, json={"altText": "three"}, headers={"if-match": tag})
    assert (late.status_code, code(late), state["alt"]) == (412, "precondition_failed", "two")
    again = await world.http.patch(path, json={"altText": "three"}, headers={"if-match": done.headers["etag"]})
    assert (again.status_code, state["alt"]) == (200, "three")
    any_ = await world.http.patch(path, json={"altText": "four"}, headers={"if-match": "*"})
    assert (any_.status_code, state["alt"]) == (200, "four")


async def test_a_repeated_post_gets_the_first_answer(world: World) -> None:
    world.stages.says["CreatePost"] = lambda request, caller: post()
    body = {"text": "Hello", "targets": [{"platform": "x"}]}
    headers = {"idempotency-key": "one"}
    first = await world.http.post("/v1/posts", json=body, headers=headers)
    spaced = json.dumps(body, indent=4).encode()
    again = await world.http.post("/v1/posts", content=spaced, headers=headers | {"content-type": "application/json"})
    assert (again.status_code, again.json()) == (first.status_code, first.json())
    assert again.headers["idempotent-replayed"] == "true"
    assert again.headers["location"] == first.headers["location"]
    assert len(world.stages.calls) == 1
    other = await world.http.post("/v1/posts", json=body | {"text": "Other"}, headers=headers)
    assert (other.status_code, code(other)) == (409, "idempotency_conflict")
    world.sends_as(world.keyring.issue(mode=Mode.LIVE))
    live = await world.http.post("/v1/posts", json=body | {"text": "Other"}, headers=headers)
    assert live.status_code == 202


async def test_a_refusal_is_repeated_and_a_passing_fault_is_not(world: World) -> None:
    outcomes = [MediaError(Code.UNAVAILABLE), MediaError(Code.POST_INVALID), None]

    def serve(request: Message, caller: CallContext) -> Message:
        error = outcomes.pop(0)
        if error is not None:
            raise error
        return post()

    world.stages.says["CreatePost"] = serve
    body = {"text": "Hello", "targets": [{"platform": "x"}]}
    answers = [await world.http.post("/v1/posts", json=body, headers={"idempotency-key": "k"}) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [503, 422, 422]
    assert answers[0].headers["retry-after"]
    assert answers[2].headers["idempotent-replayed"] == "true"
    assert answers[1].json()["error"]["code"] == answers[2].json()["error"]["code"]


async def test_a_secret_is_shown_once_even_to_who_asks_twice(world: World) -> None:
    def create(request: Message, caller: CallContext) -> Message:
        made = gateway_service_pb2.CreateApiKeyResponse(key="lmp_test_secret")
        made.api_key.mode = gateway_service_pb2.API_KEY_MODE_TEST
        made.api_key.created_at.GetCurrentTime()
        return made

    world.stages.says["CreateApiKey"] = create
    headers = {"idempotency-key": "k"}
    first = await world.http.post("/v1/api-keys", json={"name": "laptop"}, headers=headers)
    assert first.json()["key"] == "lmp_test_secret"
    again = await world.http.post("/v1/api-keys", json={"name": "laptop"}, headers=headers)
    assert (again.status_code, again.json()["key"]) == (201, None)


async def test_a_delete_says_nothing(world: World) -> None:
    world.stages.says["DeleteMedia"] = lambda request, caller: ingest_service_pb2.DeleteMediaResponse()
    response = await world.http.delete("/v1/media/med_1")
    assert (response.status_code, response.content) == (204, b"")


@pytest.mark.parametrize("key", ["", "a" * 256, "tab\there"])
async def test_an_idempotency_key_has_a_form(world: World, key: str) -> None:
    response = await world.http.post("/v1/posts", json={}, headers={"idempotency-key": key})
    assert (response.status_code, code(response)) == (400, "invalid_request")


async def test_the_reference_is_served(world: World) -> None:
    del world.http.headers["authorization"]
    document = await world.http.get("/openapi.json")
    assert document.json()["openapi"] == "3.1.0"
    for path in ("/docs", "/docs/errors/media_not_found"):
        page = await world.http.get(path)
        assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
        again = await world.http.get(path, headers={"if-none-match": page.headers["etag"]})
        assert again.status_code == 304
