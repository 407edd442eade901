"""The API reference says what is served: no more, no less."""

import re
from html.parser import HTMLParser
from typing import Any

import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openapi_spec_validator import OpenAPIV31SpecValidator, validate

from services.common.errors import TABLE, Code
from services.common.proto_names import fields_of, is_map
from services.common.public_json import to_json
from services.gateway.openapi import comments, document, errors, html, page
from services.gateway.services import route_table
from services.gateway.transcode import calls
from services.gateway.transcode.routes import Route
from tests.contract.described import Described

ROUTES = route_table()
DOCUMENT: dict[str, Any] = document.build(ROUTES, "https://api.example.com")
DESCRIBED = Described(DOCUMENT)
OPERATIONS = {node["operationId"]: node for item in DOCUMENT["paths"].values() for node in item.values()}
PAGE = page.render(DOCUMENT).decode()
PLAIN = [route for route in ROUTES.routes if route.success != 204 and not route.attachment and not route.events]


def operation(route: Route) -> dict[str, Any]:
    found: dict[str, Any] = OPERATIONS[route.rpc.name[0].lower() + route.rpc.name[1:]]
    return found


def test_it_is_valid_openapi() -> None:
    validate(DOCUMENT, cls=OpenAPIV31SpecValidator)


def test_every_route_is_in_it_and_nothing_else() -> None:
    told = {(method.upper(), path) for path, item in DOCUMENT["paths"].items() for method in item}
    served = {(route.method, re.sub(r"_([a-z])", lambda m: m[1].upper(), route.template)) for route in ROUTES.routes}
    assert told == served
    assert len(OPERATIONS) == len(ROUTES.routes)


@pytest.mark.parametrize("route", ROUTES.routes, ids=lambda route: route.rpc.name)
def test_every_operation_is_complete(route: Route) -> None:
    node = operation(route)
    assert node["security"] == [{"apiKey": [route.scope]}]
    assert node["summary"]
    assert ("requestBody" in node) is route.has_body
    statuses = {str(route.success)} | ({str(route.in_progress)} if route.in_progress else set())
    assert statuses <= set(node["responses"])
    documented = {code for answer in node["responses"].values() for code in answer.get("x-error-codes", ())}
    assert {str(code) for code in comments.errors(route.rpc.full_name)} <= documented
    for status, answer in node["responses"].items():
        assert {TABLE[Code(code)].http for code in answer.get("x-error-codes", ())} <= {int(status)}


def test_what_the_protos_say_is_told() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    assert schemas["Media"]["properties"]["sha256"]["description"] == "Lower-case hex, of the bytes as uploaded."
    assert schemas["Media"]["properties"]["sizeBytes"] == {"type": "integer", "format": "int64"}
    assert schemas["Media"]["properties"]["createdAt"] == {"type": "string", "format": "date-time"}
    assert schemas["PostMediaInput"]["properties"]["data"]["contentEncoding"] == "base64"
    assert schemas["MediaStatus"]["enum"] == ["receiving", "scanning", "processing", "ready", "rejected", "failed"]
    assert "`ready`: Every eager preset is settled." in schemas["MediaStatus"]["description"]
    assert schemas["PostMediaInput"]["description"] == "Media of a new post: exactly one of mediaId, data and url."
    assert schemas["CreateApiKeyResponse"]["properties"]["key"]["readOnly"]
    assert schemas["CreateAccountRequest"]["properties"]["credentials"]["writeOnly"]
    assert schemas["CreateAccountRequest"]["required"] == ["platform", "credentials"]
    assert "Errors:" not in str(DOCUMENT)


def test_the_form_of_an_upload_is_described() -> None:
    form = OPERATIONS["uploadMedia"]["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert list(form["properties"]) == ["file", "kind", "altText"]
    assert form["required"] == ["file"]


def test_a_promised_error_that_does_not_exist_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comments, "_all", lambda: {"x": "Does it. Errors: media_not_found, media_not_fuond."})
    with pytest.raises(comments.CommentError, match="media_not_fuond"):
        comments.errors("x")


@pytest.mark.parametrize("node", OPERATIONS.values(), ids=OPERATIONS)
def test_every_example_is_true(node: dict[str, Any]) -> None:
    for holder in (node.get("requestBody", {}), *node["responses"].values()):
        for content in holder.get("content", {}).values():
            if "example" in content:
                DESCRIBED.check_body(content["example"], content["schema"])


@pytest.mark.parametrize(
    "route",
    [route for route in PLAIN if route.has_body and not route.rpc.client_streaming],
    ids=lambda route: route.rpc.name,
)
def test_every_example_of_a_request_is_taken(route: Route) -> None:
    node = operation(route)
    match = ROUTES.match(route.method, re.sub(r"\{[^}]+\}", "x", route.template).encode())
    calls.read_request(match, (), node["requestBody"]["content"]["application/json"]["example"])


# What a stage may put into one field, by its type.
SCALARS = {
    FieldDescriptor.TYPE_STRING: st.text(max_size=5),
    FieldDescriptor.TYPE_BYTES: st.binary(max_size=5),
    FieldDescriptor.TYPE_BOOL: st.booleans(),
    FieldDescriptor.TYPE_INT32: st.integers(-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_INT64: st.integers(-(2**63), 2**63 - 1),
    FieldDescriptor.TYPE_DOUBLE: st.floats(allow_nan=False, allow_infinity=False),
}


def fill(data: st.DataObject, message: Message) -> Message:
    """Any answer a stage may give: what is not optional is set, all else may be missing."""
    for field in fields_of(message):
        held = getattr(message, field.name)
        if field.full_name.startswith("google.protobuf.Timestamp"):
            message.FromJsonString("2026-11-24T09:30:00.5Z")  # type: ignore[attr-defined]
        elif is_map(field):
            for key in data.draw(st.sets(st.text(max_size=3), max_size=2)):
                fill(data, held[key])
        elif field.is_repeated and field.message_type is not None:
            for _ in range(data.draw(st.integers(0, 2))):
                fill(data, held.add())
        elif field.is_repeated:
            held.extend(data.draw(st.lists(SCALARS[field.type], max_size=2)))
        elif field.containing_oneof is not None and data.draw(st.booleans()):
            continue
        elif field.message_type is not None:
            held.SetInParent()
            fill(data, held)
        elif field.enum_type is not None:
            known = [value.number for value in field.enum_type.values if value.number]
            setattr(message, field.name, data.draw(st.sampled_from(known)))
        else:
            setattr(message, field.name, data.draw(SCALARS[field.type]))
    return message


@pytest.mark.parametrize("route", PLAIN, ids=lambda route: route.rpc.name)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_any_answer_of_a_stage_is_as_described(route: Route, data: st.DataObject) -> None:
    message = fill(data, GetMessageClass(route.answer)())
    answer = operation(route)["responses"][str(calls.answer(route, message).status)]
    DESCRIBED.check_body(to_json(message), answer["content"]["application/json"]["schema"])


class Outline(HTMLParser):
    """What a page links to and whether its tags match."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: set[str] = set()
        self.links: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag not in ("script", "link", "img", "iframe")
        if tag != "meta":
            self.open.append(tag)
        self.ids |= {value or "" for name, value in attrs if name == "id"}
        self.links |= {value or "" for name, value in attrs if name in ("href", "src")}

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_shows_every_route_and_fetches_nothing() -> None:
    outline = Outline(PAGE)
    assert outline.open == []
    assert set(OPERATIONS) <= outline.ids
    assert {link[1:] for link in outline.links if link.startswith("#")} <= outline.ids
    known = {f"/docs/errors/{code}" for code in Code} | {"/openapi.json"}
    assert {link for link in outline.links if not link.startswith("#")} <= known
    assert PAGE.count("curl") > len(OPERATIONS)
    assert "url(" not in PAGE
    assert "@import" not in PAGE


def test_the_pages_policy_allows_its_own_style_and_nothing_else() -> None:
    policy = dict(html.headers())["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")


@pytest.mark.parametrize("code", Code)
def test_every_error_has_a_page(code: Code) -> None:
    outline = Outline(errors.render(str(code), ROUTES).decode())
    assert outline.open == []
    assert {link.partition("#")[2] for link in outline.links if "#" in link} <= Outline(PAGE).ids
