"""What Envoy answers by itself, while no gateway is there: problems like the gateway's own, word for word."""

import http.client
import json
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest

from deploy.local.ports import HOST, Ports
from services.common.errors import Code, MediaError
from services.gateway.web.problems import problem

HEADERS_BYTES = 32 * 1024
WITHOUT_KEY = 600
AT_ONCE = 32  # Envoy tries three times to reach a gateway, which takes it a while
TOO_OFTEN = MediaError(
    Code.RATE_LIMITED, kind="requests without a key", limit=WITHOUT_KEY, window_s=60, retry_after_s=10
)


@pytest.fixture(scope="module")
def port(ports: Ports) -> int:
    """Where clients come in."""
    return ports.edge


def test_probes_and_metrics_are_seen_and_the_rest_of_the_administration_is_not(ports: Ports) -> None:
    paths = ("/ready", "/stats/prometheus", "/quitquitquit", "/config_dump", "/ready/../quitquitquit", "/")
    answers = [spoken(ports.envoy_status, f"GET {path} HTTP/1.1\nHost: x\nConnection: close")[0] for path in paths]
    assert answers == [200, 200, 404, 404, 404, 404]
    assert spoken(ports.envoy_status, "POST /ready HTTP/1.1\nHost: x\nContent-Length: 0\nConnection: close")[0] == 404


def spoken(port: int, head: str) -> tuple[int, dict[str, str], bytes]:
    """What comes back for exactly these lines."""
    with socket.create_connection((HOST, port), timeout=20) as sock:
        sock.sendall(head.replace("\n", "\r\n").encode() + b"\r\n\r\n")
        answer = http.client.HTTPResponse(sock)
        answer.begin()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()


GET = "GET {} HTTP/1.1\nHost: x\nConnection: close\nX-Request-Id: mine"
REFUSED = {
    "no gateway": (GET.format("/v1/media"), MediaError(Code.UNAVAILABLE)),
    "a name with an underscore": (f"{GET.format('/v1/media')}\na_b: c", MediaError(Code.INVALID_REQUEST)),
    "an escaped slash": (GET.format("/v1/media/a%2Fb"), MediaError(Code.INVALID_REQUEST)),
    "an upgrade": (GET.format("/").replace("close", "upgrade\nUpgrade: websocket"), MediaError(Code.INVALID_REQUEST)),
    "HTTP/1.0": ("GET / HTTP/1.0", MediaError(Code.INVALID_REQUEST)),
    "no host": ("GET / HTTP/1.1\nConnection: close", MediaError(Code.INVALID_REQUEST)),
    "an unknown coding": (f"{GET.format('/')}\nTransfer-Encoding: gzip, chunked", MediaError(Code.INVALID_REQUEST)),
    "two lengths": (f"{GET.format('/')}\nContent-Length: 1\nContent-Length: 2", MediaError(Code.INVALID_REQUEST)),
    "no such rendition": (GET.format("/cdn/a"), MediaError(Code.NOT_FOUND)),
    "metrics": (GET.format("/metrics?a=b"), MediaError(Code.NOT_FOUND)),
    "a write to renditions": (
        GET.format("/cdn/a/b/c.jpg").replace("GET", "DELETE"),
        MediaError(Code.METHOD_NOT_ALLOWED, method="DELETE"),
    ),
    "headers past their limit": (
        f"{GET.format('/')}\nA: {'a' * (HEADERS_BYTES + 1)}",
        MediaError(Code.HEADERS_TOO_LARGE, limit=HEADERS_BYTES),
    ),
    "too many headers": (
        GET.format("/") + "".join(f"\nA{n}: b" for n in range(120)),
        MediaError(Code.HEADERS_TOO_LARGE, limit=HEADERS_BYTES),
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_refusal_is_a_problem_like_any_other(port: int, name: str) -> None:
    head, error = REFUSED[name]
    status, headers, body = spoken(port, head)
    told = json.loads(body)
    request_id = told["error"]["requestId"]
    path = "/" if status in (400, 431) else head.split(" ")[1].partition("?")[0]
    wanted = problem(error, instance=path, request_id=request_id)
    assert (status, told) == (wanted.status, json.loads(wanted.body))
    assert headers["content-type"] == wanted.content_type
    assert headers.get("retry-after") == dict(wanted.headers).get("retry-after")
    assert request_id


@pytest.mark.parametrize("name", ["no gateway", "no such rendition", "metrics"])
def test_it_names_the_request_as_its_client_did(port: int, name: str) -> None:
    _, headers, body = spoken(port, REFUSED[name][0])
    assert headers["x-request-id"] == json.loads(body)["error"]["requestId"] == "mine"


def test_a_request_without_an_id_is_given_one(port: int) -> None:
    _, headers, body = spoken(port, GET.format("/v1/media").replace("\nX-Request-Id: mine", ""))
    assert headers["x-request-id"] == json.loads(body)["error"]["requestId"] != ""


def statuses(port: int, times: int, source: str, authorization: str = "", path: str = "/v1/media") -> list[int]:
    """Of as many requests over one connection from that address; of a 429 it is seen that it is a problem."""
    client = http.client.HTTPConnection(HOST, port, timeout=20, source_address=(source, 0))
    found = []
    for _ in range(times):
        client.request("GET", path, headers={"authorization": authorization} if authorization else {})
        answer = client.getresponse()
        body = answer.read()
        found.append(answer.status)
        if answer.status == 429:
            request_id = json.loads(body)["error"]["requestId"]
            wanted = problem(TOO_OFTEN, instance=path, request_id=request_id)
            assert json.loads(body) == json.loads(wanted.body)
            assert answer.getheader("retry-after") == "10"
    client.close()
    return found


def test_who_tries_without_a_key_is_refused_for_a_while_and_others_are_not(port: int) -> None:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        tries = [pool.submit(statuses, port, 100, "127.0.0.2", "Bearer what") for _ in range(AT_ONCE)]
        tried = [status for each in tries for status in each.result()]
    assert WITHOUT_KEY <= tried.count(503) < len(tried)
    assert set(tried) == {503, 429}
    assert set(statuses(port, 20, "127.0.0.2", f"bearer lmp_live_{'A' * 26}_{'b' * 49}")) == {503}
    assert set(statuses(port, 20, "127.0.0.2", path="/docs")) == {503}
    assert set(statuses(port, 20, "127.0.0.3")) == {503}
