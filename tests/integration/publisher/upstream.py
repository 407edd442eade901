"""A small platform: a real HTTP server that keeps count, and the module that publishes to it.

GET /me · POST /posts {"handle", "text"} · GET /posts/<handle> · POST /token, which takes a refresh token once.
How the next POSTs of posts end is ordered:

ok           it is done and answered        drop_after    it is done, and the connection ends before the answer
drop_before  nothing is done, and so        503           nothing is done
400          refused                        401           the token is refused
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import parse_qs

import httpx

from services.platforms.calls import once, repeatable
from services.platforms.ports import (
    JSON,
    SECRET,
    Absent,
    Account,
    CannotTell,
    Draft,
    Fault,
    PlatformError,
    Problem,
    Progress,
    Receipt,
    VerifiedAccount,
)  # fmt: skip


async def nothing(handle: str) -> None:
    """What happens while a POST is answered."""


@dataclass
class Upstream:
    """What the server was asked, and what it holds. protects: a second POST under one handle makes no second post."""

    protects: bool = True
    orders: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)  # handles of POSTs, in the order they came
    posts: list[tuple[str, str]] = field(default_factory=list)  # handle, text
    looked_up: list[str] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)
    meanwhile: Callable[[str], Awaitable[None]] = nothing
    renewals: list[str] = field(default_factory=list)  # refresh tokens, in the order they came
    renewing: Callable[[str], Awaitable[None]] = nothing
    url: str = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, one request."""
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            line, *lines = head.split("\r\n")
            headers = {name.lower(): value for name, _, value in (it.partition(": ") for it in lines)}
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            self.tokens.add(headers.get("authorization", ""))
            method, path, _ = line.split(" ")
            answer = await self._answer(method, path, body)
            if answer is not None:
                status, found = answer
                text = json.dumps(found).encode()
                writer.write(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % (status, len(text)))
                writer.write(text)
                await writer.drain()
        writer.close()

    async def _answer(self, method: str, path: str, body: bytes) -> tuple[int, object] | None:
        if path == "/me":
            return 200, {"name": "The Gazette"}
        if method == "GET":
            handle = path.rsplit("/", 1)[1]
            self.looked_up.append(handle)
            return (200, {}) if handle in dict(self.posts) else (404, {})
        if path == "/token":
            return await self._renewed(parse_qs(body.decode())["refresh_token"][0])
        asked = json.loads(body)
        self.asked.append(asked["handle"])
        await self.meanwhile(asked["handle"])
        order = self.orders.pop(0) if self.orders else "ok"
        if order in ("ok", "drop_after") and not (self.protects and asked["handle"] in dict(self.posts)):
            self.posts.append((asked["handle"], asked["text"]))
        if order.startswith("drop"):
            return None
        return (201, {}) if order == "ok" else (int(order), {})

    async def _renewed(self, token: str) -> tuple[int, object]:
        self.renewals.append(token)
        first = self.renewals.count(token) == 1
        await self.renewing(token)
        return (200, {"access_token": "new", "refresh_token": f"{token}+"}) if first else (400, {})


@asynccontextmanager
async def serving() -> AsyncIterator[Upstream]:
    """The server, on a free port."""
    upstream = Upstream()
    server = await asyncio.start_server(upstream.serve, "127.0.0.1", 0)
    upstream.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield upstream


async def prepared(progress: Progress) -> None:
    """What happens in prepare()."""


@dataclass
class Gazette:
    """The module that publishes there. protects: as of its server. renews: the token to ask for, where not held yet.

    secret: what only those may know who may publish what was prepared; given keeps what publish() was given of it.
    """

    id: str = "gazette"
    aliases: Sequence[str] = ()
    protects: bool = True
    renews: str = ""
    preparing: Callable[[Progress], Awaitable[None]] = prepared
    secret: Mapping[str, JSON] | None = None
    given: list[JSON] = field(default_factory=list)
    abandoned: list[Mapping[str, Mapping[str, JSON]]] = field(default_factory=list)

    def check(self, draft: Draft) -> Sequence[Problem]:
        return ()

    async def verify(self, http: httpx.AsyncClient, account: Account) -> VerifiedAccount:
        await repeatable(http.get(f"{account.base_url}/me", headers=_auth(account)))
        return VerifiedAccount("The Gazette", "gazette-1", account.credentials)

    def new_handle(self, draft: Draft, account: Account, now: datetime, random_bytes: Callable[[int], bytes]) -> str:
        return random_bytes(8).hex()

    async def prepare(
        self, http: httpx.AsyncClient, account: Account, draft: Draft, progress: Progress
    ) -> Mapping[str, JSON]:
        if self.renews not in ("", account.credentials["token"]):
            await account.save({"token": self.renews})
            raise PlatformError(Fault.NOT_READY, "token_renewed", "The token was renewed.", retry_after_s=0)
        await self.preparing(progress)
        return {"text": draft.text, **({SECRET: dict(self.secret)} if self.secret else {})}

    async def publish(
        self, http: httpx.AsyncClient, account: Account, draft: Draft, prepared: Mapping[str, JSON], handle: str
    ) -> Receipt:
        self.given.append(prepared.get(SECRET))
        body = {"handle": handle, "text": prepared["text"]}
        answer = await once(http.post(f"{account.base_url}/posts", json=body, headers=_auth(account)))
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            raise PlatformError(Fault.ACCOUNT, "token_refused", "The token is refused.")
        if answer.is_error:
            raise PlatformError(Fault.PERMANENT, "refused", "The Gazette does not print that.")
        return self._receipt(handle)

    async def reconcile(
        self,
        http: httpx.AsyncClient,
        account: Account,
        draft: Draft,
        prepared: Mapping[str, JSON],
        handle: str,
        since: datetime,
    ) -> Receipt | Absent | CannotTell:
        answer = await repeatable(http.get(f"{account.base_url}/posts/{handle}", headers=_auth(account)))
        return self._receipt(handle) if answer.is_success else Absent(safe_to_send=self.protects)

    async def abandon(
        self, http: httpx.AsyncClient, account: Account, progress: Mapping[str, Mapping[str, JSON]]
    ) -> str:
        self.abandoned.append(dict(progress))
        return "an upload"

    def _receipt(self, handle: str) -> Receipt:
        return Receipt(handle, f"https://gazette.example/{handle}")


def _auth(account: Account) -> dict[str, str]:
    return {"Authorization": f"Bearer {account.credentials['token']}"}
