"""Whatever is asked of any route: an answer the API reference tells of, and never a fault of ours."""

import re
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.common import ids
from services.gateway.services import route_table
from services.gateway.transcode.routes import Route
from tests.integration.gateway.conftest import Service, refused

ROUTES = route_table().routes
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.sampled_from(
    ["\0", "", "x", "\u202e.gpj", "-1", "1e999", "2026-11-25T09:30:00Z", "bluesky", "twitter", "image", "' OR 1=1 --"]
)
NUMBERS = st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False)
JSONS = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


def shaped(schema: dict[str, Any], schemas: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Mostly what the schema wants, so that the request gets past the gateway; else anything."""
    if "$ref" in schema:
        return shaped(schemas[schema["$ref"].rpartition("/")[2]], schemas)
    match schema.get("type"):
        case "object" if "properties" in schema:
            members = {name: shaped(inner, schemas) for name, inner in schema["properties"].items()}
            must = {name: members.pop(name) for name in schema.get("required", ())}
            wanted: st.SearchStrategy[Any] = st.fixed_dictionaries(must, optional=members)
        case "object":
            wanted = st.dictionaries(TEXTS, JSONS, max_size=3)
        case "array":
            wanted = st.lists(shaped(schema["items"], schemas), max_size=3)
        case "integer" | "number":
            wanted = NUMBERS | st.integers(0, 3)
        case "boolean":
            wanted = st.booleans()
        case _:
            wanted = TEXTS | st.sampled_from(schema["enum"]) if "enum" in schema else TEXTS
    return st.integers(0, 9).flatmap(lambda chance: JSONS if chance == 0 else wanted)


def body_of(service: Service, route: Route) -> st.SearchStrategy[Any]:
    node = service.described.operation(route.method, re.sub(r"\{[^}]+\}", "x", route.template))
    assert node is not None
    schema = node["requestBody"]["content"]["application/json"]["schema"]
    return shaped(schema, service.described.document["components"]["schemas"])


@pytest.mark.parametrize(
    "route", [route for route in ROUTES if not route.rpc.client_streaming], ids=lambda route: str(route.rpc.name)
)
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_request_is_answered_as_described(service: Service, route: Route, data: st.DataObject) -> None:
    path = "/".join(
        quote(data.draw(TEXTS.filter(len) | st.just(ids.new("med"))), safe="") if part.startswith("{") else part
        for part in route.template.split("/")
    )
    names = [field.json_name for field in route.rpc.input_type.fields]
    pairs = st.lists(st.tuples(st.sampled_from([*names, "x"]), TEXTS), max_size=0 if route.has_body else 3)
    query = urlencode(data.draw(pairs))
    given_body = {"json": data.draw(body_of(service, route))} if route.has_body else {}
    answer = service.one.http.request(route.method, f"{path}?{query}", **given_body)
    assert answer.status_code < 500, answer.text


@pytest.mark.parametrize("depth", [5, 20, 31, 40, 60, 62])
def test_options_may_be_nested_or_are_refused(service: Service, depth: int) -> None:
    options: Any = {"a": 1}
    for level in range(depth):
        options = {"a": [options] if level % 2 else options}
    target = {"platform": "bluesky", "options": options}
    answer = service.one.http.post("/v1/posts", json={"text": "x", "targets": [target]})
    assert 400 <= answer.status_code < 500, answer.text


BAD_JSON = {
    "nothing": b"",
    "a byte order mark": b"\xef\xbb\xbf{}",
    "another encoding": "{}".encode("utf-16"),
    "not UTF-8": b'{"text": "\xff"}',
    "half a surrogate": b'{"text": "\\ud800"}',
    "half a surrogate in a name": b'{"\\udc00": 1}',
    "a number past all": b'{"text": 1e999}',
    "not a number": b'{"text": NaN}',
    "a name twice": b'{"text": "a", "text": "b"}',
    "a name twice by escape": b'{"text": "a", "te\\u0078t": "b"}',
    "two values": b"{}{}",
    "a comma too many": b'{"text": "a",}',
    "a comment": b"{} // yes",
    "a control character": b'{"text": "a\nb"}',
    "65 levels": b"[" * 65 + b"]" * 65,
    "100,000 levels": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "100,000 levels, open": b"[" * 100_000,
    "a number of 5,000 digits": b'{"text": ' + b"1" * 5000 + b"}",
    "200,000 values": b"[" + b"1," * 200_000 + b"1]",
}


@pytest.mark.parametrize("name", [pytest.param(name, id=f"P12-{name}") for name in BAD_JSON])
def test_what_parsers_disagree_on_is_not_json(service: Service, name: str) -> None:
    headers = {"content-type": "application/json"}
    for method, path in (("POST", "/v1/posts"), ("PATCH", "/v1/media/med_1"), ("POST", "/v1/api-keys")):
        answer = service.one.http.request(method, path, content=BAD_JSON[name], headers=headers)
        assert refused(answer) == (400, "invalid_json")


def test_what_is_no_object_is_refused(service: Service) -> None:
    for value in ("null", "true", "1", '"x"', "[]", "[{}]"):
        answer = service.one.http.post("/v1/posts", content=value, headers={"content-type": "application/json"})
        assert refused(answer) == (400, "invalid_request")


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({"targets": [{"platform": "x"}], "media_id": 1}, {"media_id"}),
        ({"targets": [{"platform": "x", "account_id": "acc_1"}]}, {"targets[0].account_id"}),
        ({"targets": [{"platform": "x", "media": [{"mediaId": "med_1", "alt": ""}]}]}, {"targets[0].media[0].alt"}),
        ({"text": 1, "targets": "x", "scheduledAt": "now"}, {"text", "targets", "scheduledAt"}),
        ({"text": "x"}, {"targets"}),
    ],
    ids=["unknown", "proto-name", "deep", "types", "missing"],
)
def test_every_field_at_fault_is_named(service: Service, body: Any, fields: set[str]) -> None:
    answer = service.one.http.post("/v1/posts", json=body)
    assert refused(answer) == (400, "invalid_request")
    assert {row["field"] for row in answer.json()["errors"]} >= fields


def test_a_body_past_its_bound_is_cut_off(service: Service) -> None:
    taken = 0

    def flood() -> Any:
        nonlocal taken
        yield b'{"text":"'
        for _ in range(1600):
            taken += 1 << 16
            yield b"x" * (1 << 16)

    headers = {"content-type": "application/json"}
    answer = service.one.http.post("/v1/posts", content=flood(), headers=headers)
    assert refused(answer) == (413, "request_too_large")
    assert taken < 64 << 20  # of 100 MiB; kernels on both sides hold some, and a busy client notices late
