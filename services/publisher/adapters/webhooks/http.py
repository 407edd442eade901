"""The way out for webhooks: the guarded client, and what its answers and faults mean."""

import asyncio
import contextlib
from collections.abc import Iterable, Mapping

import httpx

from services.common import guarded_http
from services.common.guarded_http import DestinationRefused
from services.publisher.domain.webhooks.delivery import Fault, Outcome, judged

MAX_ANSWER_BYTES = 64 * 1024
# The status decides. The rest is read only so that the connection can be used again.
REST_MAX_S = 1.0


class HttpSender:
    """Sends to public https URLs, and to `trusted` origins, whatever their scheme, port and address."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        *,
        trusted: Iterable[str] = (),
        resolve: guarded_http.Resolver = guarded_http.system_resolver,
    ) -> None:
        self._client = client
        self._trusted = tuple(trusted)
        self._resolve = resolve

    async def refusal(self, url: str) -> str | None:
        """Why nothing would be sent there. Addresses are not told: they may say what our network looks like."""
        try:
            if httpx.URL(url).fragment:
                return "has a fragment"
            await guarded_http.examine(url, trusted=self._trusted, resolve=self._resolve)
        except httpx.InvalidURL:
            return "is not a URL"
        except DestinationRefused:
            return "is not https on port 443 of a public address, without user information"
        except httpx.ConnectError:
            return "has a name without an address"
        return None

    async def post(self, url: str, headers: Mapping[str, str], body: bytes, *, within_s: float) -> Outcome:
        """One attempt; whatever happens is an outcome."""
        sent = {**headers, "content-type": "application/json"}
        try:
            async with asyncio.timeout(within_s):
                async with self._client.stream("POST", url, headers=sent, content=body) as answer:
                    await _read_rest(answer)
                return judged(answer.status_code, answer.headers.get("retry-after"))
        except (DestinationRefused, httpx.InvalidURL):
            return Outcome(None, Fault.NOT_ALLOWED)
        except (TimeoutError, httpx.TimeoutException):
            return Outcome(None, Fault.TIMED_OUT)
        except httpx.HTTPError:
            return Outcome(None, Fault.CONNECTION)


async def _read_rest(answer: httpx.Response) -> None:
    """As it came, never decoded. Too long, too slow or broken off: the connection is closed instead."""
    with contextlib.suppress(TimeoutError, httpx.HTTPError):
        async with asyncio.timeout(REST_MAX_S):
            async for _ in answer.aiter_raw():
                pass
