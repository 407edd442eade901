"""The public network: an entryway, the account's own PDS, and the video service.

The sandbox plays all three; requests reach it without sockets, so that it can have the network's names.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from os import urandom

import httpx
import pytest
from starlette.types import ASGIApp

from services.platforms.bluesky.publish import Bluesky
from services.platforms.bluesky.session import Session
from services.platforms.calls import text_at
from services.platforms.ports import JSON, Account, Draft, Fault, PlatformError, Receipt
from services.platforms.sandboxing.state import SandboxState
from tests.contract.platforms.samples import Steps

ENTRYWAY, PDS, VIDEO = "https://bsky.social", "https://pds.example.com", "https://video.bsky.app"
POLL_S = 0.05


def _alice() -> Account:
    return Account("acc_test", None, {"identifier": "alice.test", "password": "sandbox-alice"})


@dataclass
class Network:
    """The three hosts; `asked` lists what they were asked, as host and method name."""

    app: ASGIApp
    state: SandboxState
    publisher: Bluesky = field(default_factory=Bluesky)
    account: Account = field(default_factory=_alice)
    asked: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        async def seen(request: httpx.Request) -> None:
            self.asked.append(f"{request.url.host} {request.url.path.removeprefix('/xrpc/')}")

        # Nothing else is reachable.
        hosts = {host: httpx.ASGITransport(self.app) for host in (ENTRYWAY, PDS, VIDEO)}
        nowhere = httpx.MockTransport(lambda request: httpx.Response(599, text=f"no such host: {request.url}"))
        self.http = httpx.AsyncClient(transport=nowhere, mounts=hosts, event_hooks={"request": [seen]})

    async def prepare(self, wanted: Draft, steps: Steps) -> Mapping[str, JSON]:
        """One try."""
        return await self.publisher.prepare(self.http, self.account, wanted, steps)

    async def did(self) -> str:
        """The account's."""
        query = {"handle": self.account.credentials["identifier"]}
        answer = await self.http.get(f"{PDS}/xrpc/com.atproto.identity.resolveHandle", params=query)
        return text_at(answer.json(), "did")

    def change_session(self, change: Callable[[Session], Session]) -> None:
        """What the publisher remembers of its session becomes this."""
        sessions = self.publisher._sessions._open
        for key, session in sessions.items():
            sessions[key] = change(session)

    def answer(self, method: str, status: int, said: JSON) -> None:
        """From now on, the video service answers this method so, and all others as ever. said: None for no body."""
        mounts = self.http._mounts
        host = next(it for it in mounts if it.host == httpx.URL(VIDEO).host)
        behind = mounts[host]
        assert behind is not None

        async def answered(request: httpx.Request) -> httpx.Response:
            if request.url.path.endswith(method):
                return httpx.Response(status, json=said) if said is not None else httpx.Response(status)
            return await behind.handle_async_request(request)

        mounts[host] = httpx.MockTransport(answered)

    async def published(self, wanted: Draft, steps: Steps | None = None) -> Receipt:
        """Prepared, as often as it takes, and published."""
        steps = steps or Steps()
        while True:
            try:
                prepared = await self.prepare(wanted, steps)
                break
            except PlatformError as exc:
                if exc.fault is not Fault.NOT_READY:
                    raise
                await asyncio.sleep(POLL_S)
        handle = self.publisher.new_handle(wanted, self.account, datetime.now(UTC), urandom)
        return await self.publisher.publish(self.http, self.account, wanted, prepared, handle)

    async def fails(self, wanted: Draft, steps: Steps | None = None) -> PlatformError:
        """Why it is not published."""
        with pytest.raises(PlatformError) as caught:
            await self.published(wanted, steps)
        return caught.value
