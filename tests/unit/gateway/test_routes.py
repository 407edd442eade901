"""The route table, as the protos declare it."""

import pytest
from google.api import annotations_pb2
from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.descriptor import ServiceDescriptor
from mediaapi.v1 import media_pb2, options_pb2

from services.common.errors import Code, MediaError
from services.gateway.services import PUBLIC, route_table
from services.gateway.transcode import calls
from services.gateway.transcode.routes import Match, RouteError, RouteTable

TABLE = route_table()


def refused(method: str, path: bytes) -> MediaError:
    with pytest.raises(MediaError) as caught:
        TABLE.match(method, path)
    return caught.value


def test_every_annotated_rpc_is_a_route_and_nothing_else_is() -> None:
    annotated = {
        rpc.full_name
        for service in PUBLIC.values()
        for rpc in service.methods
        if rpc.GetOptions().HasExtension(annotations_pb2.http)
    }
    assert {route.rpc.full_name for route in TABLE.routes} == annotated
    assert "mediaapi.v1.IngestService.PinMedia" not in annotated


@pytest.mark.parametrize("route", TABLE.routes, ids=lambda route: route.rpc.name)
def test_each_is_found_by_its_own_path(route: object) -> None:
    assert isinstance(route, type(TABLE.routes[0]))
    path = "/".join(f"id-{part[1:-1]}" if part.startswith("{") else part for part in route.template.split("/"))
    match = TABLE.match(route.method, path.encode())
    assert match.route is route
    assert match.variables == {name: f"id-{name}" for name in route.variables}


def test_variables_are_decoded_once() -> None:
    assert TABLE.match("GET", b"/v1/media/a%2Fb%252F%C3%A9").variables == {"id": "a/b%2Fé"}


def test_head_finds_what_get_does() -> None:
    assert TABLE.match("HEAD", b"/v1/media/x").route.method == "GET"


@pytest.mark.parametrize(
    "path",
    [
        *(b"", b"/", b"/v1", b"/v1/media/", b"/v1//media", b"/v2/media", b"/v1/media/a/b", b"/v1/Media"),
        *(b"/v1/media/%FF", b"/v1/media/a%00b", b"/v1/media/a%0D%0Ab", b"/v1/media/x/source/"),
    ],
)
def test_any_other_path_is_not_found(path: bytes) -> None:
    assert refused("GET", path).code is Code.NOT_FOUND


def test_another_method_is_told_which_there_are() -> None:
    error = refused("PUT", b"/v1/media/x")
    assert error.code is Code.METHOD_NOT_ALLOWED
    assert error.details["allow"] == "DELETE, GET, HEAD, PATCH"


def test_the_status_depends_on_whether_the_answer_is_settled() -> None:
    route = TABLE.match("POST", b"/v1/media/x/variants").route
    pending = media_pb2.Variant(status=media_pb2.VARIANT_STATUS_PENDING)
    assert calls.answer(route, pending).status == 202
    ready = media_pb2.Variant(status=media_pb2.VARIANT_STATUS_READY)
    assert calls.answer(route, ready).status == 200


def test_path_variables_are_not_for_the_body() -> None:
    match = TABLE.match("PATCH", b"/v1/media/med_1")
    request = calls.read_request(match, (), {"altText": "x"})
    assert getattr(request, "id") == "med_1"  # noqa: B009  no static type has it
    with pytest.raises(MediaError) as caught:
        calls.read_request(match, (), {"id": "med_2"})
    assert [row.field for row in caught.value.violations] == ["id"]


def test_a_route_with_a_body_takes_nothing_from_the_query() -> None:
    match: Match = TABLE.match("PATCH", b"/v1/media/med_1")
    with pytest.raises(MediaError) as caught:
        calls.read_request(match, [("altText", "x")], {})
    assert caught.value.code is Code.INVALID_REQUEST


def test_only_what_is_shown_once_is_a_secret() -> None:
    making = [route.rpc.name for route in TABLE.routes if route.answers_secret and route.method == "POST"]
    assert making == ["CreateWebhookEndpoint", "RotateWebhookSecret", "CreateApiKey"]


def service(name: str, **http: str) -> ServiceDescriptor:
    """A service with one RPC that asks and answers with GetMediaRequest."""
    file = descriptor_pb2.FileDescriptorProto(name=f"{name}.proto", package=name, syntax="proto3")
    file.dependency.append("mediaapi/v1/ingest_service.proto")
    added = file.service.add(name="S")
    for index in range(int(http.pop("rpcs", "1"))):
        kind = ".mediaapi.v1.GetMediaRequest"
        rpc = added.method.add(name=f"R{index}", input_type=kind, output_type=kind)
        rule = rpc.options.Extensions[annotations_pb2.http]
        for key, value in http.items():
            if key in ("get", "post", "custom", "body"):
                rule.custom.kind = "X" if key == "custom" else ""
                if key != "custom":
                    setattr(rule, key, value)
        rpc.options.Extensions[options_pb2.route].CopyFrom(
            options_pb2.Route(
                success=int(http.get("success", "200")), scope=http.get("scope", "x"), multipart="multipart" in http
            )
        )
    pool = descriptor_pool.Default()
    found: ServiceDescriptor = pool.AddSerializedFile(file.SerializeToString()).services_by_name["S"]
    return found


def test_a_path_that_is_spelled_out_has_no_methods_of_an_id() -> None:
    table = RouteTable.of([service("spelled", post="/x/check"), service("any", get="/x/{id}")])
    assert table.match("POST", b"/x/check").route.template == "/x/check"
    assert table.match("GET", b"/x/other").variables == {"id": "other"}
    with pytest.raises(MediaError) as caught:
        table.match("GET", b"/x/check")
    assert (caught.value.code, caught.value.details["allow"]) == (Code.METHOD_NOT_ALLOWED, "POST")


@pytest.mark.parametrize(
    ("name", "http"),
    [
        ("twice", {"get": "/x", "rpcs": "2"}),
        ("noscope", {"get": "/x", "scope": ""}),
        ("nosuccess", {"get": "/x", "success": "0"}),
        ("part", {"post": "/x", "body": "id"}),
        ("unknown", {"get": "/x/{other}"}),
        ("nostream", {"post": "/x", "body": "*", "multipart": "yes"}),
        ("noverb", {"custom": "x"}),
    ],
)
def test_a_route_that_cannot_be_served_stops_the_start(name: str, http: dict[str, str]) -> None:
    with pytest.raises(RouteError):
        RouteTable.of([service(name, **http)])
