"""HTTP/1.1 itself, spoken by hand: what could be read in two ways is not read at all."""

import json
import re
import select
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from deploy.local.ports import HOST
from tests.integration.gateway.conftest import Service, Workspace, done
from tests.media import jpeg

FILENAME = b"photo.j"
FORM = (
    b'--XyZ\r\nContent-Disposition: form-data; name="file"; filename="'
    + FILENAME
    + b'"\r\n\r\n'
    + jpeg()
    + b"\r\n--XyZ--\r\n"
)
CHUNKED = f"{len(FORM):x}\r\n".encode() + FORM + b"\r\n0\r\n\r\n"


def spoken(service: Service, raw: bytes, *, quiet_s: float = 0, port: int = 0) -> bytes:
    """All that comes back until the connection ends, which we end once nothing has come for `quiet_s`.

    port: the gateway's, unless told.
    """
    with socket.create_connection((HOST, port or service.port), timeout=40) as sock:
        sock.sendall(raw)
        answer = b""
        ended = False
        try:
            while True:
                if not ended and not select.select([sock], [], [], quiet_s)[0]:
                    sock.shutdown(socket.SHUT_WR)
                    ended = True
                if not (piece := sock.recv(65536)):
                    return answer
                answer += piece
        except OSError as exc:
            if isinstance(exc, TimeoutError):
                raise
            return answer  # it closed under what it did not want to read


def request(service: Service, key: str, *lines: str, body: bytes = FORM) -> bytes:
    head = [
        "POST /v1/media HTTP/1.1",
        f"Host: {HOST}:{service.port}",
        f"Authorization: Bearer {key}",
        "Content-Type: multipart/form-data; boundary=XyZ",
        *lines,
        "",
        "",
    ]
    return "\r\n".join(head).encode("latin-1") + body


LENGTH = len(FORM)
CHUNKS = "Transfer-Encoding: chunked"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"


def chunked(size: str, *, data: bytes = FORM, end: bytes = b"\r\n0\r\n\r\n", line: bytes = b"\r\n") -> bytes:
    """One chunk that says `size` of itself."""
    return size.encode("latin-1") + line + data + end


LIES = {
    "too long": ([f"Content-Length: {LENGTH + 100}"], FORM),
    "far too long": (["Content-Length: 99999999"], FORM),
    "too short": ([f"Content-Length: {LENGTH - 100}"], FORM),
    "nothing": (["Content-Length: 0"], FORM),
    "no number": (["Content-Length:"], FORM),
    "negative": (["Content-Length: -1"], FORM),
    "minus zero": (["Content-Length: -0"], FORM),
    "two": ([f"Content-Length: {LENGTH}", "Content-Length: 5"], FORM),
    "two, the first shorter": (["Content-Length: 5", f"Content-Length: {LENGTH}"], FORM),
    "two in one": ([f"Content-Length: {LENGTH}, 5"], FORM),
    "twice in one": ([f"Content-Length: {LENGTH}, {LENGTH}"], FORM),
    "with a plus": ([f"Content-Length: +{LENGTH}"], FORM),
    "with an underscore": ([f"Content-Length: {LENGTH // 10}_{LENGTH % 10}"], FORM),
    "with a space": ([f"Content-Length: {LENGTH // 10} {LENGTH % 10}"], FORM),
    "with a unit": ([f"Content-Length: {LENGTH}B"], FORM),
    "a fraction": ([f"Content-Length: {LENGTH}.0"], FORM),
    "an exponent": ([f"Content-Length: {LENGTH}e0"], FORM),
    "other digits": (["Content-Length: \xb2\xb3"], FORM),
    "hexadecimal": ([f"Content-Length: 0x{LENGTH:x}"], FORM),
    "past 64 bits": ([f"Content-Length: {2**64 + LENGTH}"], FORM),
    "with a NUL": ([f"Content-Length: {LENGTH}\0"], FORM),
    "with chunks": ([f"Content-Length: {LENGTH}", CHUNKS], CHUNKED),
    "with chunks, behind them": ([CHUNKS, f"Content-Length: {LENGTH}"], CHUNKED),
    "short with chunks": (["Content-Length: 5", CHUNKS], CHUNKED),
    "chunked twice": (["Transfer-Encoding: chunked, chunked"], CHUNKED),
    "chunked in two lines": ([CHUNKS, CHUNKS], CHUNKED),
    "chunked, then more": (["Transfer-Encoding: chunked, identity"], CHUNKED),
    "chunked, then more in another line": ([CHUNKS, "Transfer-Encoding: identity"], CHUNKED),
    "compressed, then chunked": (["Transfer-Encoding: gzip, chunked"], CHUNKED),
    "nearly chunked": (["Transfer-Encoding: xchunked"], CHUNKED),
    "chunked with a parameter": (["Transfer-Encoding: chunked;a=b"], CHUNKED),
    "chunked in quotes": (['Transfer-Encoding: "chunked"'], CHUNKED),
    "chunked behind a tab of another kind": (["Transfer-Encoding: \x0bchunked"], CHUNKED),
    "a space before the colon of chunks": (["Transfer-Encoding : chunked"], CHUNKED),
    "a space before the colon": ([f"Content-Length : {LENGTH}"], FORM),
    "a folded length": ([f"Content-Length:\r\n {LENGTH}"], FORM),
    "a folded encoding": (["Transfer-Encoding:\r\n chunked"], CHUNKED),
    "a length behind a lone line feed": ([f"X-A: b\nContent-Length: {LENGTH}", "Content-Length: 5"], FORM),
    "a length behind a lone carriage return": ([f"X-A: b\rContent-Length: {LENGTH}"], FORM),
    "a chunk too long": ([CHUNKS], CHUNKED.replace(b"\r\n0\r\n\r\n", b"")),
    "a chunk too short": ([CHUNKS], chunked(f"{LENGTH - 100:x}")),
    "a chunk's size is no number": ([CHUNKS], b"zz\r\n" + FORM),
    "a chunk's size with a plus": ([CHUNKS], chunked(f"+{LENGTH:x}")),
    "a chunk's size is negative": ([CHUNKS], chunked(f"-{LENGTH:x}")),
    "a chunk's size says how it is written": ([CHUNKS], chunked(f"0x{LENGTH:x}")),
    "a chunk's size past 64 bits": ([CHUNKS], chunked(f"1{LENGTH:016x}")),
    "a chunk's size with an underscore": ([CHUNKS], chunked(f"{LENGTH >> 4:x}_{LENGTH & 15:x}")),
    "no size of a chunk": ([CHUNKS], chunked("")),
    "a chunk that ends in nothing": ([CHUNKS], chunked(f"{LENGTH:x}", end=b"0\r\n\r\n")),
    "a chunk's size in a line of its own kind": ([CHUNKS], chunked(f"{LENGTH:x}", line=b"\r")),
    "no end of chunks": ([CHUNKS], CHUNKED[:-5]),
}


# RFC 9112 section 5.2 has a server unfold a header or refuse it. Envoy unfolds: what it passes on is told once,
# and both read the same of it. The gateway refuses.
FOLDED = ("a folded length", "a folded encoding")
CASES = [(name, way) for name in LIES for way in ("gateway_http", "edge") if way != "edge" or name not in FOLDED]


@pytest.fixture(scope="module")
def empty(service: Service) -> Iterator[Workspace]:
    """Of whom nothing is ever stored."""
    with service.customer() as found:
        yield found


@pytest.fixture(scope="module")
def answers(service: Service, empty: Workspace) -> dict[tuple[str, str], bytes]:
    """To every lie, told by either way with a request smuggled behind it. A file is named as its lie and its way."""

    def told(case: tuple[str, str]) -> bytes:
        name, way = case
        lines, body = LIES[name]
        named = f"{list(LIES).index(name):02}-{way[:4]}"  # as many bytes as FORM was counted with
        raw = request(service, empty.key, *lines, body=body.replace(FILENAME, named.encode()) + SMUGGLED)
        return spoken(service, raw, quiet_s=1, port=getattr(service.stack.ports, way))

    with ThreadPoolExecutor(16) as pool:
        return dict(zip(CASES, pool.map(told, CASES), strict=True))


@pytest.mark.parametrize("case", [pytest.param((name, way), id=f"P1-{name}-{way}") for name, way in CASES])
def test_a_body_that_is_not_as_long_as_told_is_refused(
    answers: dict[tuple[str, str], bytes], case: tuple[str, str]
) -> None:
    answer = answers[case]
    assert b" 201 " not in answer
    assert b"/smuggled" not in answer
    if answer:
        _problem(answer, 4)


@pytest.mark.parametrize("name", [pytest.param(name, id=f"P1-{name}-edge") for name in FOLDED])
def test_the_edge_unfolds_a_header_and_passes_on_what_both_read_alike(service: Service, name: str) -> None:
    lines, body = LIES[name]
    with service.customer() as customer:
        raw = request(service, customer.key, *lines, "Connection: close", body=body)
        answer = spoken(service, raw, quiet_s=30, port=service.stack.ports.edge)
        assert answer.startswith(b"HTTP/1.1 201 "), answer
        assert len(done(customer.http.get("/v1/media"))["data"]) == 1


def test_nothing_of_all_this_is_left(answers: dict[tuple[str, str], bytes], empty: Workspace) -> None:
    assert answers
    ends = time.monotonic() + 20
    while found := [media["filename"] for media in done(empty.http.get("/v1/media"))["data"]]:
        assert time.monotonic() < ends, found
        time.sleep(0.1)


def test_the_same_request_told_right_is_stored(service: Service) -> None:
    with service.customer() as customer:
        for lines, body in (([f"Content-Length: {LENGTH}"], FORM), ([CHUNKS], CHUNKED)):
            answer = spoken(service, request(service, customer.key, *lines, "Connection: close", body=body), quiet_s=30)
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
    assert _problem(spoken(service, head.encode(), quiet_s=30), 4)[0] in (400, 404)


def _problem(answer: bytes, hundreds: int) -> tuple[int, str]:
    head, _, body = answer.partition(b"\r\n\r\n")
    status = int(head.split(b" ")[1])
    assert status // 100 == hundreds, answer
    assert b"content-type: application/problem+json" in head.lower()
    length = re.search(rb"\r\ncontent-length: (\d+)", head)
    assert length is not None
    told = json.loads(body[: int(length[1])])  # another request's answer may follow
    assert told["status"] == status
    return status, told["error"]["code"]
