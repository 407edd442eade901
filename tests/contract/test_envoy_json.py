"""The JSON port, a real Envoy before stages that answer from a script: held against the gateway, request by request.

Where the two differ, docs/json-transcoding.md says so, line by line, and says nothing more.
"""

import json
import re
import tempfile
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import httpx
import pytest

from deploy.json_port.descriptors import served
from deploy.local.certificates import Authority
from deploy.local.ports import HOST
from deploy.local.state import REPOSITORY, State
from services.common import ids
from services.common.context import CallContext, to_metadata
from services.common.errors import TABLE, Code, MediaError, Violation
from services.gateway.services import route_table
from services.gateway.transcode.routes import Route
from tests.contract.json.cases import cases
from tests.contract.json.differences import row
from tests.contract.json.sides import CALLER, NAME, Case, Sides, both, context

DOCUMENT = REPOSITORY / "docs" / "json-transcoding.md"
ROUTES = route_table().routes
SERVED = served(ROUTES)
KEY = "x-idempotency-key"
# In TLS 1.3 a client learns that its certificate is not taken only when it reads, or writes, the next thing.
TURNED_AWAY = (httpx.TransportError, OSError)


@pytest.fixture(scope="module")
async def sides() -> AsyncIterator[Sides]:
    """Both, on free ports."""
    with tempfile.TemporaryDirectory(prefix="lmp-", ignore_cleanup_errors=True) as folder:
        async with both(State(Path(folder))) as running:
            yield running


def documented(part: str) -> list[str]:
    """The lines between the marks of that part."""
    found = re.search(rf"<!-- {part} -->\n(.*?)<!-- end -->", DOCUMENT.read_text(), re.DOTALL)
    assert found, f"{DOCUMENT.name} has no part {part}"
    return found[1].splitlines()


def same(part: str, head: Sequence[str], rows: Sequence[str]) -> None:
    """Assert that the document has exactly these lines there."""
    wanted = [*head, *rows]
    assert documented(part) == wanted, f"<!-- {part} --> must be:\n" + "\n".join(wanted)


async def test_the_document_names_every_difference_and_no_other(sides: Sides) -> None:
    asked = [(case, *await sides.ask(case)) for case in cases()]
    found = [row(*it) for it in asked]
    same("differences", ("| asked | gateway | port |", "|---|---|---|"), [it for it in found if it is not None])


async def test_every_code_crosses_and_the_document_names_the_statuses_that_change(sides: Sides) -> None:
    rows = []
    for code in Code:
        sides.script.expect(MediaError(code))
        answer = await sides.port.get("/v1/media/med_1")
        told = answer.json()
        assert (told["details"][0]["code"], told["message"]) == (code, MediaError(code).message)
        if answer.status_code != TABLE[code].http:
            rows.append(f"| `{code}` | {TABLE[code].http} | {answer.status_code} |")
    same("statuses", ("| code | gateway | port |", "|---|---|---|"), rows)


def test_the_document_names_every_route_that_is_not_there() -> None:
    there = {(route.method, route.template) for route in SERVED}
    absent = [route for route in ROUTES if (route.method, route.template) not in there]
    same("absent", (), [f"- `{route.method} {route.template}`" for route in absent])


async def test_an_error_looks_as_the_document_shows(sides: Sides) -> None:
    shown = json.loads("\n".join(documented("error")[1:-1]))
    sides.script.expect(MediaError(Code.MEDIA_NOT_FOUND, media_id="med_1"))
    answer = await sides.port.get("/v1/media/med_1")
    assert (answer.status_code, answer.headers["content-type"], answer.json()) == (404, "application/json", shown)


async def test_an_error_crosses_with_all_its_rows(sides: Sides) -> None:
    rows = [Violation(f"targets[{n // 20}].media[{n % 20}]", "x" * 100) for n in range(500)]
    error = MediaError(Code.POST_INVALID, violations=rows)
    seen = await sides.ask(Case("", "POST", "/v1/posts", {"targets": [{"platform": "a"}]}, says=error))
    assert [(it.error, it.fields) for it in seen] == [("post_invalid", tuple(row.field for row in rows))] * 2


@pytest.mark.parametrize("route", SERVED, ids=lambda route: route.rpc.name)
async def test_each_route_leads_to_its_rpc(sides: Sides, route: Route) -> None:
    sides.script.expect(None)
    path = route.template.replace("{", "id-").replace("}", "")
    answer = await sides.port.request(route.method, path, json={} if route.has_body else None)
    assert answer.status_code == 200
    (seen,) = sides.script.received
    assert seen.rpc == route.rpc.name
    assert {name: getattr(seen.request, name) for name in route.variables} == {it: f"id-{it}" for it in route.variables}


async def test_a_stage_is_told_what_the_caller_says_of_itself_and_no_more(sides: Sides) -> None:
    caller = CallContext(ids.new("ws"), "r-1", plan="business", live=True, wait_s=30.0, idempotency_key="once")
    said = {"x-workspace-id": caller.workspace_id, "x-mode": "live", "x-plan": "business", "x-request-id": "r-1"}
    steering = {"x-api-key-id": "key_1", "authorization": "Bearer a", "cookie": "a=b", "x-error-details": "ours"}
    sides.script.expect(None)
    answer = await sides.port.get("/v1/media/a", headers=said | steering | {"x-wait-s": "30", KEY: "once"})
    assert answer.status_code == 200
    (seen,) = sides.script.received
    assert seen.caller == caller
    assert {name: seen.metadata.get(name) for name in steering} == dict.fromkeys(steering) | {
        "x-error-details": "status"
    }


async def test_at_the_gateway_none_of_that_can_be_said(sides: Sides) -> None:
    theirs = CallContext(ids.new("ws"), "r-1", plan="business", live=True, wait_s=30.0, idempotency_key="once")
    said = dict(to_metadata(theirs)) | {"x-api-key-id": "key_1", "x-error-details": "status"}
    sides.script.expect(MediaError(Code.MEDIA_NOT_FOUND, media_id="a"))
    answer = await sides.gateway.get("/v1/media/a", headers=said)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "media_not_found")
    (seen,) = sides.script.received
    assert seen.caller == CallContext("ws_1", "r-1", plan="pro")
    assert "x-error-details" not in seen.metadata
    assert seen.metadata["x-api-key-id"] != "key_1"


UNFIT = {
    "x-workspace-id": (None, "", "ws_1", "*", "WS_01ARZ3NDEKTSV4RRFFQ69G5FAV", "ws_01ARZ3NDEKTSV4RRFFQ69G5FAV,ws_1"),
    "x-mode": (None, "", "LIVE", "live,test"),
    "x-plan": (None, "", "Pro", "a" * 33),
    "x-wait-s": ("", "-1", "31", "1.5", "inf", "1,2"),
    "x-request-id": ("a b", "a" * 129, "é"),
    KEY: ("", "a" * 256, "é"),
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in UNFIT.items() for value in values], ids=repr
)
async def test_who_does_not_say_whom_it_speaks_for_is_refused(sides: Sides, name: str, value: str | None) -> None:
    sides.script.expect(None)
    request = sides.port.build_request("GET", "/v1/media/a")
    request.headers.pop(name, None)
    if value is not None:
        request.headers = httpx.Headers([*request.headers.raw, (name.encode(), value.encode())])
    answer = await sides.port.send(request)
    assert (answer.status_code, sides.script.received) == (403, [])


@pytest.mark.parametrize("name", sorted(UNFIT.keys() - {KEY}))  # which may have a comma in it
async def test_a_header_said_twice_is_refused(sides: Sides, name: str) -> None:
    said = {"x-workspace-id": ids.new("ws"), "x-mode": "live", "x-plan": "free"}.get(name, "3")
    sides.script.expect(None)
    request = sides.port.build_request("GET", "/v1/media/a", headers={name: said})
    assert (await sides.port.send(request)).status_code == 200
    sides.script.expect(None)
    request.headers = httpx.Headers([*request.headers.raw, (name.encode(), said.encode())])
    assert ((await sides.port.send(request)).status_code, sides.script.received) == (403, [])


@pytest.mark.parametrize("path", ["/mediaapi.v1.IngestService/PinMedia", "/v1/media"])
@pytest.mark.parametrize("kind", ["application/grpc", "application/GRPC+proto", "application/grpc-web"])
async def test_no_grpc_comes_through(sides: Sides, path: str, kind: str) -> None:
    sides.script.expect(None)
    headers = {"content-type": kind, "te": "trailers"}
    answer = await sides.port.post(path, content=bytes(5), headers=headers)
    refused = (answer.status_code, answer.headers.get("grpc-status")) in ((403, None), (200, "7"))
    assert (refused, sides.script.received) == (True, [])


@pytest.mark.parametrize(
    ("ours", "name"),
    [(False, CALLER), (True, f"{CALLER}.example.com"), (True, f"x{CALLER}"), (True, "batchxexample.internal")],
)
async def test_nobody_else_gets_in(sides: Sides, tmp_path: Path, ours: bool, name: str) -> None:
    sides.authority.furnish(tmp_path / "trusted", NAME)
    issuer = sides.authority if ours else Authority("theirs")
    chain = issuer.furnish(tmp_path / "presented", name)
    presented = context(tmp_path / "trusted")
    presented.load_cert_chain(*chain)
    sides.script.expect(None)
    async with httpx.AsyncClient(verify=presented, base_url=sides.url, headers=sides.port.headers) as http:
        with pytest.raises(TURNED_AWAY):
            await http.get("/v1/media/a")
    assert sides.script.received == []


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_nobody_gets_in_without_a_certificate(sides: Sides, tmp_path: Path, scheme: str) -> None:
    sides.script.expect(None)
    trusting = httpx.create_ssl_context()
    sides.authority.furnish(tmp_path, NAME)
    trusting.load_verify_locations(tmp_path / "ca.crt")
    url = f"{scheme}://{HOST if scheme == 'http' else NAME}:{sides.ports.edge}"
    async with httpx.AsyncClient(verify=trusting, base_url=url, headers=sides.port.headers) as http:
        with pytest.raises(TURNED_AWAY):
            await http.get("/v1/media/a")
    assert sides.script.received == []


async def test_the_status_port_tells_nothing_but_status(sides: Sides) -> None:
    async with httpx.AsyncClient(base_url=f"http://{HOST}:{sides.ports.envoy_status}") as http:
        paths = ("/ready", "/stats/prometheus", "/quitquitquit", "/config_dump", "/v1/media/a")
        answers = [(await http.get(path)).status_code for path in paths]
    assert answers == [200, 200, 404, 404, 404]


async def test_it_has_no_headers_of_the_gateway(sides: Sides) -> None:
    sides.script.expect(None)
    answer = await sides.port.get("/v1/media/a", headers={"prefer": "wait=3"})
    theirs = ("etag", "location", "link", "ratelimit", "ratelimit-policy", "preference-applied", "x-request-id")
    assert [name for name in theirs if name in answer.headers] == []
    assert sides.script.received[0].caller.wait_s is None
