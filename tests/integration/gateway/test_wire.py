"""HTTP/1.1 itself, spoken by hand: what could be read in two ways is not read at all."""

import json
import socket
import time
from collections.abc import Iterator

import pytest

from deploy.local.ports import HOST
from tests.integration.gateway.conftest import Service, Workspace, done
from tests.media import jpeg

FORM = b'--XyZ\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\n\r\n' + jpeg() + b"\r\n--XyZ--\r\n"
CHUNKED = f"{len(FORM):x}\r\n".encode() + FORM + b"\r\n0\r\n\r\n"


def spoken(service: Service, raw: bytes, *, half_close: bool = True) -> bytes:
    """All that comes back until the connection ends."""
    with socket.create_connection((HOST, service.port), timeout=40) as sock:
        sock.sendall(raw)
        if half_close:
            sock.shutdown(socket.SHUT_WR)
        answer = b""
        try:
            while piece := sock.recv(65536):
                answer += piece
        except ConnectionResetError:
            pass  # it closed under what it did not want to read
        return answer


def request(service: Service, key: str, *lines: str, body: bytes = FORM) -> bytes:
    head = [
        "POST /v1/media HTTP/1.1",
        f"Host: {HOST}:{service.port}",
        f"Authorization: Bearer {key}",
        "Content-Type: multipart/form-data; boundary=XyZ",
        *lines,
        "Connection: close",
        "",
        "",
    ]
    return "\r\n".join(head).encode() + body


LENGTH = len(FORM)
LIES = {
    "too long": ([f"Content-Length: {LENGTH + 100}"], FORM),
    "far too long": (["Content-Length: 99999999"], FORM),
    "too short": ([f"Content-Length: {LENGTH - 100}"], FORM),
    "negative": (["Content-Length: -1"], FORM),
    "two": ([f"Content-Length: {LENGTH}", "Content-Length: 5"], FORM),
    "twice in one": ([f"Content-Length: {LENGTH}, {LENGTH}"], FORM),
    "with a plus": ([f"Content-Length: +{LENGTH}"], FORM),
    "hexadecimal": ([f"Content-Length: 0x{LENGTH:x}"], FORM),
    "past 64 bits": ([f"Content-Length: {2**64 + LENGTH}"], FORM),
    "with chunks": ([f"Content-Length: {LENGTH}", "Transfer-Encoding: chunked"], CHUNKED),
    "chunked twice": (["Transfer-Encoding: chunked, chunked"], CHUNKED),
    "chunked, then more": (["Transfer-Encoding: chunked, identity"], CHUNKED),
    "compressed, then chunked": (["Transfer-Encoding: gzip, chunked"], CHUNKED),
    "a chunk too long": (["Transfer-Encoding: chunked"], CHUNKED.replace(b"\r\n0\r\n\r\n", b"")),
    "a chunk's size is no number": (["Transfer-Encoding: chunked"], b"zz\r\n" + FORM),
    "no end of chunks": (["Transfer-Encoding: chunked"], CHUNKED[:-5]),
    "a space before the colon": ([f"Content-Length : {LENGTH}"], FORM),
    "a folded length": ([f"Content-Length:\r\n {LENGTH}"], FORM),
}


@pytest.fixture(scope="module")
def empty(service: Service) -> Iterator[Workspace]:
    """Of whom nothing is ever stored."""
    with service.customer() as found:
        yield found


@pytest.mark.parametrize("name", [pytest.param(name, id=f"P1-{name}") for name in LIES])
def test_a_body_that_is_not_as_long_as_told_is_not_stored(service: Service, empty: Workspace, name: str) -> None:
    lines, body = LIES[name]
    answer = spoken(service, request(service, empty.key, *lines, body=body))
    assert b" 201 " not in answer.split(b"\r\n", 1)[0], answer
    if answer:
        _problem(answer, 4)
    ends = time.monotonic() + 20
    while found := done(empty.http.get("/v1/media"))["data"]:
        assert time.monotonic() < ends, found
        time.sleep(0.1)


def test_the_same_request_told_right_is_stored(service: Service) -> None:
    with service.customer() as customer:
        for lines, body in (([f"Content-Length: {LENGTH}"], FORM), (["Transfer-Encoding: chunked"], CHUNKED)):
            answer = spoken(service, request(service, customer.key, *lines, body=body), half_close=False)
            assert answer.startswith(b"HTTP/1.1 201 "), answer
        assert len(done(customer.http.get("/v1/media"))["data"]) == 2


@pytest.mark.parametrize(
    "raw",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\nX-A: " + b"y" * 40_000 + b"\r\n\r\n",
        b"GET /" + b"y" * 40_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n" + b"".join(b"X-%d: y\r\n" % n for n in range(200)) + b"\r\n",
        b"GET / HTTP/1.1\r\nX-A: " + b"y" * 100_000,
    ],
    ids=["header", "target", "count", "endless"],
)
def test_a_head_has_a_bound(service: Service, raw: bytes) -> None:
    assert _problem(spoken(service, raw), 4) == (431, "headers_too_large")


@pytest.mark.parametrize(
    "raw",
    [
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX\x00A: b\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
    ids=["tls", "no-target", "version", "nul", "http2"],
)
def test_what_is_not_http_is_told_so(service: Service, raw: bytes) -> None:
    assert _problem(spoken(service, raw), 4) == (400, "invalid_request")


@pytest.mark.parametrize("target", ["*", "//v1/media", "/v1/../v1/media", "/v1//media"])
def test_a_target_is_taken_as_it_stands(service: Service, target: str) -> None:
    head = f"GET {target} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {service.one.key}\r\nConnection: close\r\n\r\n"
    assert _problem(spoken(service, head.encode(), half_close=False), 4)[0] in (400, 404)


def _problem(answer: bytes, hundreds: int) -> tuple[int, str]:
    head, _, body = answer.partition(b"\r\n\r\n")
    status = int(head.split(b" ")[1])
    assert status // 100 == hundreds, answer
    assert b"content-type: application/problem+json" in head.lower()
    told = json.loads(body)
    assert told["status"] == status
    return status, told["error"]["code"]
