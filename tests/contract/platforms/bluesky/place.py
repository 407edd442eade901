"""Where Bluesky's publisher is run: a real PDS, or the sandbox that plays one."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from os import urandom
from typing import cast

import httpx

from services.platforms.bluesky.publish import Bluesky
from services.platforms.bluesky.record import COLLECTION
from services.platforms.calls import body, list_at, text_at
from services.platforms.ports import JSON, Account, Draft, Fault, PlatformError, Progress, Receipt
from tests.contract.platforms.bluesky.relay import Relay
from tests.contract.platforms.samples import Steps

POLL_S = 0.1  # instead of the seconds the publisher is told
POLLS_MAX = 100


@dataclass(frozen=True)
class Place:
    """A server with one account.

    Attributes:
        url: Of the relay before it.   direct_url: its own.   is_real: whether it is the PDS.
    """

    is_real: bool
    url: str
    direct_url: str
    relay: Relay
    http: httpx.AsyncClient
    identifier: str
    password: str = field(repr=False)
    publisher: Bluesky = field(default_factory=Bluesky)

    def account(self, **credentials: str) -> Account:
        """The account, with other credentials where they are given."""
        known = {"identifier": self.identifier, "password": self.password}
        return Account("acc_test", self.url, {**known, **credentials})

    def handle(self, draft: Draft) -> str:
        """A new record key."""
        return self.publisher.new_handle(draft, self.account(), datetime.now(UTC), urandom)

    async def prepared(self, draft: Draft, progress: Progress | None = None) -> Mapping[str, JSON]:
        """prepare(), called again as long as it is not ready."""
        steps = progress or Steps()
        for _ in range(POLLS_MAX):
            try:
                return await self.publisher.prepare(self.http, self.account(), draft, steps)
            except PlatformError as exc:
                if exc.fault is not Fault.NOT_READY:
                    raise
            await asyncio.sleep(POLL_S)
        raise AssertionError("never ready")

    async def publish(self, draft: Draft, prepared: Mapping[str, JSON], handle: str) -> Receipt:
        """The one mutation."""
        return await self.publisher.publish(self.http, self.account(), draft, prepared, handle)

    async def published(self, draft: Draft) -> Receipt:
        """Checked, prepared and published."""
        assert self.publisher.check(draft) == []
        return await self.publish(draft, await self.prepared(draft), self.handle(draft))

    async def record(self, receipt: Receipt) -> Mapping[str, JSON]:
        """The post as the server gives it back."""
        did, _, rkey = receipt.platform_post_id.removeprefix("at://").split("/")
        query = {"repo": did, "collection": COLLECTION, "rkey": rkey}
        answer = await self.ask("GET", "com.atproto.repo.getRecord", params=query)
        assert answer.status_code == 200, answer.text
        assert text_at(body(answer), "uri") == receipt.platform_post_id
        return cast(Mapping[str, JSON], body(answer)["value"])

    async def blob(self, receipt: Receipt, reference: JSON) -> bytes:
        """Bytes that a record refers to."""
        did = receipt.platform_post_id.removeprefix("at://").partition("/")[0]
        query = {"did": did, "cid": text_at(reference, "ref", "$link")}
        answer = await self.ask("GET", "com.atproto.sync.getBlob", params=query)
        assert answer.status_code == 200, answer.text
        return answer.content

    async def texts(self) -> list[str]:
        """Of the newest posts."""
        if not self.is_real:
            shown = await self.http.get(f"{self.direct_url}/_sandbox/posts")
            return [text_at(post, "text") for post in list_at(body(shown), "posts")]
        query = {"repo": self.identifier, "collection": COLLECTION, "limit": "100"}
        answer = await self.ask("GET", "com.atproto.repo.listRecords", params=query)
        return [text_at(post, "value", "text") for post in list_at(body(answer), "records")]

    async def without_video_service(self) -> None:
        """For the next video, the server is a PDS alone; the real one always is."""
        if not self.is_real:
            fault = {"path": "/xrpc/app.bsky.video.getUploadLimits", "mode": "error"}
            assert (await self.http.post(f"{self.direct_url}/_sandbox/faults", json=fault)).status_code == 201

    async def upload_limit(self) -> int:
        """Bytes of one blob, as the server tells it."""
        answer = await self.ask("GET", "com.atproto.server.describeServer")
        return cast(int, body(answer)["blobUploadLimit"])

    async def authorized(self) -> dict[str, str]:
        """Headers of a session."""
        return (await self.publisher._sessions.open(self.http, self.account())).headers

    async def ask(
        self,
        method: str,
        name: str,
        *,
        params: Mapping[str, str] | None = None,
        json: JSON = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """A request of the test's own."""
        url = f"{self.direct_url}/xrpc/{name}"
        return await self.http.request(method, url, params=params, headers=headers, json=json, content=content)
