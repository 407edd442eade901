"""The guarded client refuses before a byte leaves, and connects only to what it checked."""

from collections.abc import Iterable, Sequence

import httpcore
import httpx
import pytest

from services.common import guarded_http as http
from services.common.guarded_http import DestinationRefused


class Canary(httpcore.AsyncMockBackend):
    """Stands where the network is; remembers what it was asked to connect to."""

    def __init__(self, answer: bytes, dead: Iterable[str] = ()) -> None:
        super().__init__([answer])
        self.connected: list[tuple[str, int]] = []
        self.dead = set(dead)

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        self.connected.append((host, port))
        if host in self.dead:
            raise httpcore.ConnectError("refused")
        return await super().connect_tcp(host, port, timeout, local_address, socket_options)


ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nSet-Cookie: session=1\r\n\r\nok"


def client(
    canary: Canary, *answers: Sequence[str], trusted: Sequence[str] = (), max_answer_bytes: int = 1000
) -> httpx.AsyncClient:
    """A guarded client over `canary`; the resolver gives each of `answers` once, then the last one for ever."""
    given = list(answers)

    async def resolve(host: str, port: int) -> Sequence[str]:
        return given.pop(0) if len(given) > 1 else given[0]

    origins = frozenset(http.origin_of(url) for url in trusted)
    transport = http.GuardedTransport(origins, max_answer_bytes, resolve)
    backend = http.GuardedBackend(frozenset((o.host, o.port) for o in origins), resolve, canary)
    transport._pool._network_backend = backend
    return httpx.AsyncClient(transport=transport, trust_env=False)


async def test_a_public_host_is_reached_at_the_address_that_was_checked() -> None:
    canary = Canary(ANSWER)
    async with client(canary, ["1.1.1.1"]) as it:
        answer = await it.get("https://example.com/")
    assert answer.text == "ok"
    assert canary.connected == [("1.1.1.1", 443)]


async def test_one_private_address_among_public_ones_refuses_the_host() -> None:
    canary = Canary(ANSWER)
    async with client(canary, ["1.1.1.1", "127.0.0.1"]) as it:
        with pytest.raises(DestinationRefused):
            await it.get("https://example.com/")
    assert canary.connected == []


async def test_a_name_is_resolved_once_for_each_connection_so_rebinding_meets_the_check() -> None:
    canary = Canary(ANSWER.replace(b"HTTP/1.1 200 OK", b"HTTP/1.1 200 OK\r\nConnection: close"))
    async with client(canary, ["1.1.1.1"], ["169.254.169.254"]) as it:
        await it.get("https://example.com/")
        with pytest.raises(DestinationRefused):
            await it.get("https://example.com/")
    assert canary.connected == [("1.1.1.1", 443)]


async def test_the_next_address_is_tried_when_one_does_not_answer() -> None:
    canary = Canary(ANSWER, dead=["1.1.1.1"])
    async with client(canary, ["1.1.1.1", "1.0.0.1"]) as it:
        assert (await it.get("https://example.com/")).status_code == 200
    assert [host for host, _ in canary.connected] == ["1.1.1.1", "1.0.0.1"]


async def test_a_host_with_many_dead_addresses_is_given_up() -> None:
    dead = [f"1.1.1.{n}" for n in range(1, 20)]
    canary = Canary(ANSWER, dead=dead)
    async with client(canary, dead) as it:
        with pytest.raises(httpx.ConnectError):
            await it.get("https://example.com/")
    assert len(canary.connected) == http.MAX_ADDRESSES


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/", "https://example.com:8443/", "http://example.com:443/", "https://user@example.com/",
        "https://user:pass@example.com/", "https://example.com:22/",
    ],
)  # fmt: skip
async def test_anything_but_plain_https_on_its_own_port_is_refused(url: str) -> None:
    canary = Canary(ANSWER)
    async with client(canary, ["1.1.1.1"]) as it:
        with pytest.raises(DestinationRefused):
            await it.get(url)
    assert canary.connected == []


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "[::ffff:7f00:1]", "0x7f000001", "2130706433", "127.1"])
async def test_numeric_forms_of_loopback_are_refused_by_what_they_resolve_to(host: str) -> None:
    canary = Canary(ANSWER)
    async with client(canary, ["127.0.0.1"]) as it:
        with pytest.raises(DestinationRefused):
            await it.get(f"https://{host}/")
    assert canary.connected == []


async def test_a_trusted_origin_is_reached_by_its_name_and_no_other_port_of_it_is() -> None:
    canary = Canary(ANSWER)
    async with client(canary, ["127.0.0.1"], trusted=["http://sandbox.internal:9000/base"]) as it:
        assert (await it.get("http://sandbox.internal:9000/x")).text == "ok"
        with pytest.raises(DestinationRefused):
            await it.get("http://sandbox.internal:9001/x")
        with pytest.raises(DestinationRefused):
            await it.get("https://sandbox.internal/x")
    assert canary.connected == [("sandbox.internal", 9000)]


@pytest.mark.parametrize("url", ["https://xn--a.example/", "https://xn--/", "https://", "/path", "https://[::1/"])
async def test_what_has_no_readable_host_is_no_url(url: str) -> None:
    with pytest.raises(httpx.InvalidURL):
        await http.examine(url)


async def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    canary = Canary(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/\r\nContent-Length: 0\r\n\r\n")
    async with client(canary, ["1.1.1.1"]) as it:
        assert (await it.get("https://example.com/")).status_code == 302
    assert len(canary.connected) == 1


@pytest.mark.parametrize("to", ["https://xn--a.example/", "https://xn--", "https://[::1/", "mailto:a@b.example"])
async def test_a_redirect_to_what_is_no_url_is_a_broken_answer(to: str) -> None:
    canary = Canary(f"HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n".encode())
    async with client(canary, ["1.1.1.1"]) as it:
        with pytest.raises(httpx.RemoteProtocolError):
            await it.get("https://example.com/")


async def test_an_answer_is_cut_off_past_its_limit() -> None:
    canary = Canary(b"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n" + b"x" * 1001)
    async with client(canary, ["1.1.1.1"]) as it:
        with pytest.raises(http.AnswerTooLarge):
            await it.get("https://example.com/")


async def test_a_compressed_answer_is_never_decoded() -> None:
    canary = Canary(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n\x1f\x8b")
    async with client(canary, ["1.1.1.1"]) as it:
        with pytest.raises(http.AnswerTooLarge):
            await it.get("https://example.com/")


async def test_cookies_of_one_answer_are_not_kept_for_the_next_request() -> None:
    canary = Canary(ANSWER)
    async with client(canary, ["1.1.1.1"]) as it:
        answer = await it.get("https://example.com/")
        assert not it.cookies
    assert "set-cookie" not in answer.headers


async def test_a_name_that_does_not_resolve_is_a_connect_error() -> None:
    async def nowhere(host: str, port: int) -> Sequence[str]:
        raise OSError("no such host")

    async with http.connect(resolve=nowhere) as it:
        with pytest.raises(httpx.ConnectError):
            await it.get("https://example.invalid/")


@pytest.mark.parametrize("url", ["ftp://host/", "/path", "http://", "", "javascript:alert(1)"])
def test_only_absolute_http_urls_have_an_origin(url: str) -> None:
    with pytest.raises(ValueError, match="not an absolute"):
        http.origin_of(url)
