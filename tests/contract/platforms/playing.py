"""Platforms played by their sandboxes, and how a publisher is driven against them."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import httpx
import uvicorn
from starlette.types import ASGIApp

from services.common.guarded_http import connect
from services.platforms import registry
from services.platforms.ports import (
    JSON,
    SECRET,
    Account,
    Draft,
    Fault,
    PlatformError,
    Progress,
    Publisher,
    Receipt,
    VerifiedAccount,
)  # fmt: skip
from services.sandbox.app import opened
from tests.contract.platforms.samples import Steps

POLL_S = 0.2  # instead of the second or more platforms ask for
POLLS_MAX = 60
KEEP_ALIVE_S = 60  # no request meets a connection about to be closed


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals belong to pytest."""
        yield


@dataclass(frozen=True)
class Sandboxes:
    """url: of all of them, without a trailing slash. folder: what they keep, one folder for each."""

    url: str
    http: httpx.AsyncClient
    folder: Path

    def platform(self, name: str) -> "Played":
        """One platform's."""
        return Played(f"{self.url}/{name}", registry.publishers()[name], self.http)


@dataclass(frozen=True)
class Played:
    """A platform played by its sandbox, and our publisher for it."""

    url: str
    publisher: Publisher
    http: httpx.AsyncClient

    def account(self, name: str, **credentials: str) -> Account:
        """An account nobody has verified; name keeps tests apart."""
        return Account("acc_test", self.url, {"access_token": f"sandbox-{name}", **credentials})

    async def connected(self, name: str, **credentials: str) -> Account:
        """One that was verified, as the publisher keeps it."""
        account = self.account(name, **credentials)
        verified: VerifiedAccount = await self.publisher.verify(self.http, account)
        return Account(account.account_id, account.base_url, verified.credentials, account.save)

    async def prepared(self, account: Account, draft: Draft, progress: Progress | None = None) -> Mapping[str, JSON]:
        """prepare(), called again as long as it is not ready."""
        steps = progress or Steps()
        for _ in range(POLLS_MAX):
            try:
                found = await self.publisher.prepare(self.http, account, draft, steps)
                assert not addresses({name: value for name, value in found.items() if name != SECRET})
                return found
            except PlatformError as exc:
                if exc.fault is not Fault.NOT_READY:
                    raise
            await asyncio.sleep(POLL_S)
        raise AssertionError("never ready")

    async def published(self, account: Account, draft: Draft) -> Receipt:
        """Checked, prepared and published."""
        assert self.publisher.check(draft) == []
        prepared = await self.prepared(account, draft)
        return await self.publisher.publish(self.http, account, draft, prepared, self.handle(account, draft))

    def handle(self, account: Account, draft: Draft) -> str:
        """As the publisher makes one."""
        return self.publisher.new_handle(draft, account, datetime.now(UTC), bytes)

    async def received(self) -> list[dict[str, Any]]:
        """What the sandbox shows, newest first."""
        answer = await self.http.get(f"{self.url}/_sandbox/posts", params={"limit": "1000"})
        return cast("list[dict[str, Any]]", answer.json()["posts"])

    async def file(self, sha256: str) -> httpx.Response:
        """A received file."""
        return await self.http.get(f"{self.url}/_sandbox/files/{sha256}")

    async def order(self, path: str, mode: str, times: int = 1, method: str = "") -> None:
        """The next requests there fail so."""
        fault = {"path": path, "mode": mode, "times": times, "method": method}
        assert (await self.http.post(f"{self.url}/_sandbox/faults", json=fault)).status_code == 201


def addresses(value: JSON) -> list[str]:
    """All URLs in a JSON value; of an upload, one that is kept in clear is open to whoever reads the table."""
    if isinstance(value, str):
        return [value] if "://" in value else []
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [url for part in parts for url in addresses(part)]


@contextlib.asynccontextmanager
async def serving(folder: Path, trusted: tuple[str, ...] = ()) -> AsyncIterator[Sandboxes]:
    """All platforms over real HTTP on a free port; what they keep is in `folder`.

    Args:
        trusted: Origins they fetch media from.
    """
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{sock.getsockname()[1]}"
        async with opened(folder, url, trusted) as app, connect(trusted=[url]) as http, listening(app, sock):
            yield Sandboxes(url, http, folder)


@contextlib.asynccontextmanager
async def listening(app: ASGIApp, sock: socket.socket) -> AsyncIterator[None]:
    """Serves the application on a bound socket."""
    server = _Server(
        uvicorn.Config(app, ws="none", lifespan="off", log_level="critical", timeout_keep_alive=KEEP_ALIVE_S)
    )
    task = asyncio.create_task(server.serve(sockets=[sock]))
    while not server.started:  # noqa: ASYNC110  uvicorn has no event for it
        await asyncio.sleep(0.01)
    yield
    server.should_exit = True
    await task
