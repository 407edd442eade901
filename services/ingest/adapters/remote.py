"""ports.Remote over HTTP: a file on the public internet as a stream, through the guarded client."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from urllib.parse import unquote

import httpx

from services.common import guarded_http
from services.common.errors import Code, MediaError, Violation
from services.common.guarded_http import AnswerTooLarge, DestinationRefused, absolute
from services.ingest.domain.formats import REQUEST_LIMIT_BYTES
from services.ingest.ports import RemoteFile

# More than an upload may have, by more than one read of a socket: what is too large is told as of an upload.
FETCH_LIMIT_BYTES = REQUEST_LIMIT_BYTES + (1 << 20)
MAX_REDIRECTS = 3
MAX_URL_CHARACTERS = 4096
MAX_DISPOSITION_CHARACTERS = 1024

# RFC 6266, leniently; the standard library's reader of parameters raises on hostile ones.
_EXTENDED_NAME = re.compile(r"(?:^|;)\s*filename\*\s*=\s*utf-8'[^']*'([^;\s]+)", re.IGNORECASE)
_NAME = re.compile(r'(?:^|;)\s*filename\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;\s"]+))', re.IGNORECASE)
_REDIRECTS = frozenset((301, 302, 303, 307, 308))
_PUBLIC = "https on port 443 of a public address, without user information"


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds a server has: for the file's first byte, redirects included; between two reads; for everything.

    The last, with the longest wait for a verdict cut to fit, stays below the 60 s that Envoy bears a silent request.
    """

    first_byte_s: float = 15.0
    gap_s: float = 10.0
    total_s: float = 45.0


@asynccontextmanager
async def connect(trusted: Iterable[str] = ()) -> AsyncIterator["RemoteFiles"]:
    """Files of public https servers, and of `trusted` origins, wherever these are."""
    async with guarded_http.connect(trusted=trusted, max_answer_bytes=FETCH_LIMIT_BYTES) as client:
        yield RemoteFiles(client)


class RemoteFiles:
    """Follows redirects by itself: each hop meets the guard anew."""

    def __init__(self, client: httpx.AsyncClient, patience: Patience | None = None) -> None:
        self._client = client
        self._patience = patience or Patience()

    @asynccontextmanager
    async def open(self, url: str) -> AsyncIterator[RemoteFile]:
        """See ports.Remote. What the server says of type, length and encoding is not believed."""
        ends = asyncio.get_running_loop().time() + self._patience.total_s
        async with AsyncExitStack() as closing:
            with _faults_told():
                async with asyncio.timeout(self._patience.first_byte_s):
                    answer = await self._follow(closing, _parsed(url))
                    chunks = answer.aiter_raw()
                    first = await anext(chunks, None)
            yield RemoteFile(_filename(answer, url), _until(ends, first, chunks))

    async def _follow(self, closing: AsyncExitStack, url: httpx.URL) -> httpx.Response:
        for hop in range(MAX_REDIRECTS + 1):
            request = self._client.build_request("GET", url, timeout=self._patience.gap_s)
            try:
                answer = await self._client.send(request, stream=True)
            except DestinationRefused as exc:
                raise _not_allowed(f"leads to what is not {_PUBLIC}" if hop else f"is not {_PUBLIC}") from exc
            closing.push_async_callback(answer.aclose)
            if answer.status_code == 200:
                return answer
            if answer.status_code not in _REDIRECTS or "location" not in answer.headers:
                raise _unreachable(f"its server answered {answer.status_code}")
            await answer.aclose()
            url = absolute(answer.headers["location"], url)
        raise _unreachable(f"it was redirected more than {MAX_REDIRECTS} times")


async def _until(ends: float, first: bytes | None, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """`first` and the others, none of which is waited for longer than until then, on the loop's clock."""
    chunk = first
    while chunk is not None:
        yield chunk
        with _faults_told():
            async with asyncio.timeout_at(ends):
                chunk = await anext(chunks, None)


@contextmanager
def _faults_told() -> Iterator[None]:
    try:
        yield
    except httpx.PoolTimeout as exc:
        raise MediaError(Code.UPSTREAM_BUSY, upstream="ingest", retry_after_s=1) from exc
    except (TimeoutError, httpx.TimeoutException) as exc:
        raise _unreachable("it took too long") from exc
    except AnswerTooLarge as exc:
        raise _unreachable("its server compressed it, unasked") from exc
    except httpx.ConnectError as exc:
        raise _unreachable("its server was not reached") from exc
    except (httpx.HTTPError, httpx.InvalidURL) as exc:
        raise _unreachable("its server's answer broke off, or is not HTTP") from exc


def _parsed(url: str) -> httpx.URL:
    if len(url) > MAX_URL_CHARACTERS:
        raise _not_allowed(f"has more than {MAX_URL_CHARACTERS} characters")
    try:
        return absolute(url)
    except httpx.InvalidURL as exc:
        raise _not_allowed("is not an absolute URL") from exc


def _filename(answer: httpx.Response, url: str) -> str:
    """What the server calls it, else the path that was asked for; not clean yet."""
    told = answer.headers.get("content-disposition", "")[:MAX_DISPOSITION_CHARACTERS]
    if (found := _EXTENDED_NAME.search(told)) is not None:
        return unquote(found[1])
    if (found := _NAME.search(told)) is not None:
        return re.sub(r"\\(.)", r"\1", found[1]) if found[2] is None else found[2]
    return httpx.URL(url).path


def _not_allowed(reason: str) -> MediaError:
    violation = Violation("url", f"It {reason}.")
    return MediaError(Code.MEDIA_URL_NOT_ALLOWED, violations=(violation,), reason=reason)


def _unreachable(reason: str) -> MediaError:
    return MediaError(Code.MEDIA_URL_UNREACHABLE, reason=reason)
