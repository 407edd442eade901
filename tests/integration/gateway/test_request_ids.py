"""X-Request-Id through Envoy: a client's own is echoed where it is fit to be, and else neither echoed nor logged."""

import json
import secrets
import time
from collections.abc import Callable

import pytest

from tests.integration.gateway.conftest import Service
from tests.integration.gateway.test_wire import spoken
from tests.integration.http2 import Answer, peer

FIT: dict[str, Callable[[str], str]] = {
    "short": lambda mark: mark[:1],
    "of all it may have": lambda mark: f"A9.{mark}_x:y-z",
    "longest": lambda mark: mark.ljust(128, "x"),
}
UNFIT: dict[str, Callable[[str], str]] = {
    "too long": lambda mark: mark.ljust(129, "x"),
    "4 kB": lambda mark: mark.ljust(4096, "x"),
    "beyond ASCII": lambda mark: f"{mark}\xe9",
    "a space": lambda mark: f"{mark} b",
    "a tab": lambda mark: f"{mark}\tb",
    "a quote": lambda mark: f'{mark}"',
    "markup": lambda mark: f"{mark}<script>",
    "a percent sign": lambda mark: f"{mark}%0d%0aa:b",
    "a list": lambda mark: f"{mark},{mark}",
    "only strange ones": lambda mark: f"({mark})",
}
# Neither header nor line can hold it: HTTP/2 has the connection end.
IMPOSSIBLE = {"a line": "\r\nx: y", "a line feed": "\nx: y", "a carriage return": "\rx: y", "a NUL": "\0"}
# Who answers: the gateway, and Envoy by itself.
PATHS = {
    "gateway": "/v1/media/med_x",
    "page": "/healthz",
    "bucket": "/cdn/a/b/c.jpg",
    "edge": "/cdn/x",
    "slash": "/v1/a%2Fb",
}
# What Envoy refuses before it looks at any other header.
EARLY = {
    "no host": "GET / HTTP/1.1",
    "a fragment": "GET /a#b HTTP/1.1\r\nHost: x",
    "a NUL": "GET /%00 HTTP/1.1\r\nHost: x",
    "a star": "OPTIONS * HTTP/1.1\r\nHost: x",
}


@pytest.fixture(scope="module")
def unfit() -> list[str]:
    """Words of all that were sent."""
    return []


def asked(service: Service, path: str, *request_ids: str) -> Answer:
    fields = [
        (b":method", b"GET"),
        (b":scheme", b"http"),
        (b":authority", b"x"),
        (b":path", path.encode()),
        (b"authorization", f"Bearer {service.one.key}".encode()),
        *((b"x-request-id", one.encode()) for one in request_ids),
    ]
    with peer(service.stack.ports.edge) as speaker:
        speaker.send(speaker.head(1, fields, "END_HEADERS", "END_STREAM"))
        return speaker.answer(1)


def mark() -> str:
    return f"mark{secrets.token_hex(8)}"


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("name", FIT)
def test_a_fit_one_is_echoed(service: Service, name: str, path: str) -> None:
    request_id = FIT[name](mark())
    answer = asked(service, PATHS[path], request_id)
    assert answer.headers["x-request-id"] == request_id
    if answer.headers["content-type"] == "application/problem+json":
        assert json.loads(answer.body)["error"]["requestId"] == request_id


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("name", [*UNFIT, "two"])
def test_another_is_made_for_one_that_is_not(service: Service, unfit: list[str], name: str, path: str) -> None:
    unfit.append(word := mark())
    answer = asked(service, PATHS[path], *([word, word] if name == "two" else [UNFIT[name](word)]))
    assert answer.status in (200, 400, 404), answer
    made = answer.headers["x-request-id"]
    assert made.isascii()
    assert 0 < len(made) <= 40
    assert word not in f"{answer.headers}"
    assert word.encode() not in answer.body
    if answer.headers["content-type"] == "application/problem+json":
        assert json.loads(answer.body)["error"]["requestId"] == made


@pytest.mark.parametrize("name", EARLY)
def test_it_is_not_echoed_by_what_is_refused_first(service: Service, unfit: list[str], name: str) -> None:
    unfit.append(word := mark())
    raw = f"{EARLY[name]}\r\nX-Request-Id: {word} b\r\nConnection: close\r\n\r\n".encode()
    answer = spoken(service, raw, quiet_s=30, port=service.stack.ports.edge)
    assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 404 "))
    assert word.encode() not in answer


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_what_no_header_can_hold_is_no_request(service: Service, unfit: list[str], name: str) -> None:
    unfit.append(word := mark())
    assert asked(service, "/v1/media", f"{word}{IMPOSSIBLE[name]}").status == 0


def test_none_of_these_is_logged(service: Service, unfit: list[str]) -> None:
    assert len(unfit) > 40
    last = mark()
    asked(service, "/v1/media/med_x", last)
    ends = time.monotonic() + 60
    while last.encode() not in (logged := service.stack.state.log("gateway").read_bytes()):
        assert time.monotonic() < ends
        time.sleep(0.1)
    logs = [logged, *(path.read_bytes() for path in service.stack.state.logs.iterdir())]
    assert [word for word in unfit if any(word.encode() in log for log in logs)] == []
