"""The one door out: an httpx client that reaches public HTTPS hosts and named origins, and nothing else.

The name is resolved once, every address it has is checked, and the connection goes to a checked address, so a second
answer of the resolver cannot redirect it. TLS still verifies the name, and Host still carries it.
"""

import asyncio
import socket
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import cast
from urllib.parse import urlsplit

import httpcore
import httpx

from services.common.addresses import refusal

Resolver = Callable[[str, int], Awaitable[Sequence[str]]]

DEFAULT_PORTS = {"http": 80, "https": 443}
MAX_ADDRESSES = 4  # tried in turn, so that a name with many dead addresses cannot hold a worker
MAX_ANSWER_BYTES = 4 * 1024 * 1024  # the longest JSON answer of a platform is far below
TIMEOUT = httpx.Timeout(connect=10.0, read=30.0, write=30.0, pool=30.0)  # seconds; gaps, not totals
# Of an idle connection. Many servers close one after five seconds, and a request that meets the closing is lost.
KEEP_ALIVE_S = 4.0
USER_AGENT = "letmepost-media-api/1"

_FAULTS: dict[type[Exception], type[httpx.TransportError]] = {
    getattr(httpcore, name): getattr(httpx, name)
    for name in (
        "ConnectTimeout", "ReadTimeout", "WriteTimeout", "PoolTimeout", "ConnectError", "ReadError", "WriteError",
        "ProxyError", "UnsupportedProtocol", "LocalProtocolError", "RemoteProtocolError",
    )
}  # fmt: skip


class DestinationRefused(httpx.ConnectError):
    """The URL or its address is not one that may be reached. Nothing was sent."""


class AnswerTooLarge(httpx.ReadError):
    """The answer is longer than the client accepts, or encoded in a way it did not ask for."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Scheme, lower-case host and port of a URL."""

    scheme: str
    host: str
    port: int


def origin_of(url: str) -> Origin:
    """The origin of an absolute http(s) URL. ValueError if it is none."""
    parts = urlsplit(url)
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname:
        raise ValueError(f"not an absolute http(s) URL: {url!r}")
    return Origin(parts.scheme, parts.hostname.lower(), parts.port or DEFAULT_PORTS[parts.scheme])


def origins(text: str) -> tuple[str, ...]:
    """A setting's comma-separated URLs of origins. ValueError if one is none."""
    urls = tuple(filter(None, (part.strip() for part in text.split(","))))
    for url in urls:
        origin_of(url)
    return urls


def absolute(url: str, base: httpx.URL | None = None) -> httpx.URL:
    """A URL with a host, whole or as it is meant on the page `base`. httpx.InvalidURL for anything else."""
    try:
        parsed = base.join(url) if base is not None else httpx.URL(url)
        host = parsed.host
    except ValueError as exc:  # urllib's, and of names that are no IDNA
        raise httpx.InvalidURL("not a URL") from exc
    if not host:
        raise httpx.InvalidURL("there is no host")
    return parsed


async def system_resolver(host: str, port: int) -> Sequence[str]:
    """Every address of `host`, as text, in the system's order of preference."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


async def examine(
    url: str, *, trusted: Iterable[str] = (), resolve: Resolver = system_resolver, within_s: float = 5.0
) -> None:
    """Whether the client would connect to `url`, by its text and all its addresses. Nothing is sent, and nothing is
    promised: a name may change.

    Raises:
        DestinationRefused: It would not.
        httpx.InvalidURL, httpx.ConnectError: It could not: it is no URL, or its name has no address.
    """
    parsed, origins = absolute(url), frozenset(origin_of(it) for it in trusted)
    origin = _checked(parsed, origins)
    if origin in origins:
        return
    host = parsed.raw_host.decode()
    try:
        async with asyncio.timeout(within_s):
            addresses = await resolve(host, origin.port)
    except (OSError, UnicodeError, TimeoutError) as exc:
        raise httpx.ConnectError(f"{host} was not resolved") from exc
    if not addresses:
        raise httpx.ConnectError(f"{host} has no address")
    _check_addresses(host, addresses)


@asynccontextmanager
async def connect(
    *, trusted: Iterable[str] = (), max_answer_bytes: int = MAX_ANSWER_BYTES, resolve: Resolver = system_resolver
) -> AsyncIterator[httpx.AsyncClient]:
    """The guarded client.

    Args:
        trusted: URLs whose origins are reached without the address check, by plain HTTP too.
        max_answer_bytes: Longest body read of one answer.
        resolve: How names become addresses.
    """
    origins = frozenset(origin_of(url) for url in trusted)
    transport = GuardedTransport(origins, max_answer_bytes, resolve)
    headers = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity"}  # a compressed answer may be a bomb
    async with httpx.AsyncClient(
        transport=transport, timeout=TIMEOUT, headers=headers, follow_redirects=False, trust_env=False
    ) as client:
        yield client


class GuardedTransport(httpx.AsyncBaseTransport):
    """httpcore's connection pool over a guarded network backend."""

    def __init__(self, trusted: frozenset[Origin], max_answer_bytes: int, resolve: Resolver) -> None:
        self._trusted = trusted
        self._max_answer_bytes = max_answer_bytes
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=httpx.create_ssl_context(trust_env=False),
            max_connections=100,
            max_keepalive_connections=20,
            keepalive_expiry=KEEP_ALIVE_S,
            network_backend=GuardedBackend(frozenset((o.host, o.port) for o in trusted), resolve),
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Sends one request. Raises DestinationRefused before anything is sent, else httpx's transport errors."""
        url = request.url
        _checked(url, self._trusted)
        inner = httpcore.Request(
            method=request.method,
            url=httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
            headers=request.headers.raw,
            content=cast(AsyncIterable[bytes], request.stream),
            extensions=request.extensions,
        )
        with _translated(request):
            answer = await self._pool.handle_async_request(inner)
        # The client is shared by all workspaces: a cookie kept from one would be sent for the next.
        headers = [(name, value) for name, value in answer.headers if name.lower() != b"set-cookie"]
        body = _BoundedBody(cast(AsyncIterable[bytes], answer.stream), request, self._limit(headers))
        response = httpx.Response(answer.status, headers=headers, stream=body, extensions=answer.extensions)
        if response.has_redirect_location:  # httpx reads it even where it is not followed, and breaks on some
            try:
                absolute(response.headers["location"], url)
            except httpx.InvalidURL as exc:
                await response.aclose()
                raise httpx.RemoteProtocolError("redirected to what is no URL", request=request) from exc
        return response

    async def aclose(self) -> None:
        await self._pool.aclose()

    def _limit(self, headers: Sequence[tuple[bytes, bytes]]) -> int:
        encodings = {value.lower() for name, value in headers if name.lower() == b"content-encoding"}
        return self._max_answer_bytes if encodings <= {b"identity"} else 0


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """Opens TCP connections to checked addresses only."""

    def __init__(
        self,
        trusted: frozenset[tuple[str, int]],
        resolve: Resolver,
        inner: httpcore.AsyncNetworkBackend | None = None,
    ) -> None:
        self._trusted = trusted
        self._resolve = resolve
        self._inner = inner or httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  the interface is httpcore's
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connects to the first address that answers. All of the name's addresses must be allowed."""
        if (host.lower(), port) in self._trusted:
            return await self._inner.connect_tcp(host, port, timeout, local_address, socket_options)
        fault: httpcore.ConnectError | httpcore.ConnectTimeout | None = None
        for address in (await self._addresses(host, port, timeout))[:MAX_ADDRESSES]:
            try:
                return await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as exc:
                fault = exc
        raise fault or httpcore.ConnectError(f"{host} has no address")

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109  the interface is httpcore's
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Refused always."""
        raise DestinationRefused("unix sockets are refused")

    async def sleep(self, seconds: float) -> None:
        await self._inner.sleep(seconds)

    async def _addresses(self, host: str, port: int, timeout_s: float | None) -> Sequence[str]:
        try:
            async with asyncio.timeout(timeout_s):
                addresses = await self._resolve(host, port)
        except TimeoutError as exc:
            raise httpcore.ConnectTimeout(f"{host} was not resolved in time") from exc
        except (OSError, UnicodeError) as exc:
            raise httpcore.ConnectError(f"{host} was not resolved") from exc
        _check_addresses(host, addresses)
        return addresses


class _BoundedBody(httpx.AsyncByteStream):
    """An answer's body, cut off past `limit` bytes."""

    def __init__(self, inner: AsyncIterable[bytes], request: httpx.Request, limit: int) -> None:
        self._inner = inner
        self._request = request
        self._limit = limit

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        with _translated(self._request):
            async for part in self._inner:
                size += len(part)
                if size > self._limit:
                    raise AnswerTooLarge(
                        f"the answer is compressed, or longer than {self._limit} B", request=self._request
                    )
                yield part

    async def aclose(self) -> None:
        close = getattr(self._inner, "aclose", None)
        if close is not None:
            await close()


def _checked(url: httpx.URL, trusted: frozenset[Origin]) -> Origin:
    """The URL's origin. Raises DestinationRefused, for what its text alone forbids."""
    if url.userinfo:
        raise DestinationRefused("URLs with user information are refused")
    port = DEFAULT_PORTS.get(url.scheme, 0) if url.port is None else url.port
    origin = Origin(url.scheme, url.host.lower(), port)
    if origin not in trusted and (origin.scheme, origin.port) != ("https", 443):
        raise DestinationRefused(f"{origin.scheme} to port {origin.port} is refused: only https to port 443 is allowed")
    return origin


def _check_addresses(host: str, addresses: Sequence[str]) -> None:
    for address in addresses:
        if (why := refusal(address)) is not None:
            raise DestinationRefused(f"{host} has the address {address}, which is {why}")


@contextmanager
def _translated(request: httpx.Request) -> Iterator[None]:
    """httpcore's errors as httpx's of the same name, which is what callers know."""
    try:
        yield
    except DestinationRefused as exc:
        exc.request = request
        raise
    except tuple(_FAULTS) as exc:
        kind = next(to for of, to in _FAULTS.items() if isinstance(exc, of))
        raise kind(str(exc), request=request) from exc
