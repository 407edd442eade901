"""The gateway as a process in front of all stages as processes, on real stores and clamd; Envoy is passed by."""

import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.local.ports import HOST, Ports
from deploy.local.s3 import S3
from deploy.local.stack import Stack
from deploy.local.state import State
from services.common import ids
from tests.contract.described import Described
from tests.media import jpeg

CREDENTIALS = {"identifier": "letmepost.test", "password": "sandbox-password"}


@dataclass(slots=True)
class Workspace:
    """One customer, by a test key. Each answer `http` gets is held against the API reference."""

    workspace_id: str
    key: str
    http: httpx.Client

    def media(self, data: bytes | None = None, filename: str = "photo.jpg", **fields: str) -> dict[str, Any]:
        """An upload that must succeed."""
        return done(self.http.post("/v1/media", files={"file": (filename, data or jpeg())}, data=fields))

    def account(self, identifier: str = "letmepost.test") -> dict[str, Any]:
        """An account the sandbox plays; connected again, it is the same one."""
        credentials = {**CREDENTIALS, "identifier": identifier}
        wanted = {"platform": "bluesky", "displayName": "Me", "credentials": credentials}
        return done(self.http.post("/v1/accounts", json=wanted))


@dataclass(frozen=True, slots=True)
class Service:
    """All stages and two of their customers, neither of whom may notice the other."""

    stack: Stack
    described: Described
    one: Workspace
    other: Workspace

    @property
    def port(self) -> int:
        """Of the gateway's HTTP."""
        return self.stack.ports.gateway_http

    def customer(self, *, workspace_id: str = "", mode: str = "test") -> AbstractContextManager[Workspace]:
        """A new workspace, or another key of one."""
        return customer(self.stack, self.described, workspace_id=workspace_id, mode=mode)


@contextmanager
def customer(stack: Stack, described: Described, *, workspace_id: str = "", mode: str = "test") -> Iterator[Workspace]:
    """See Service.customer."""
    if not workspace_id:
        workspace_id = ids.new("ws")
        stack.tenant.create_workspace(workspace_id, "Test", plan="pro")
    key = stack.tenant.issue_key(workspace_id, mode=mode)
    with _client(stack.ports.gateway_http, key, described) as http:
        yield Workspace(workspace_id, key, http)


def done(answer: httpx.Response) -> dict[str, Any]:
    """The JSON of an answer that must be a success."""
    assert answer.is_success, f"{answer.request.method} {answer.request.url}: {answer.status_code} {answer.text}"
    found: dict[str, Any] = answer.json()
    return found


def refused(answer: httpx.Response) -> tuple[int, str]:
    """Status and code of an answer that must be a problem."""
    return answer.status_code, answer.json()["error"]["code"]


def _client(port: int, key: str, described: Described) -> httpx.Client:
    def check(response: httpx.Response) -> None:
        response.read()
        described.check(response)

    return httpx.Client(
        base_url=f"http://{HOST}:{port}",
        headers={"authorization": f"Bearer {key}"},
        timeout=60,
        trust_env=False,
        event_hooks={"response": [check]},
    )


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """Everything on free ports, with stores of its own, as other tests play stages; impatient with silent clients."""
    with (
        tempfile.TemporaryDirectory(prefix="lmp-", ignore_cleanup_errors=True) as folder,
        Stack(State(Path(folder)), ports=Ports.free(), tell=print, tuned={"gateway": {"gap_s": 8}}) as running,
    ):
        yield running


@pytest.fixture(scope="session")
def s3(stack: Stack) -> S3:
    """Its object store."""
    return stack.s3


@pytest.fixture(scope="session")
def service(stack: Stack) -> Iterator[Service]:
    """With two customers."""
    url = f"http://{HOST}:{stack.ports.gateway_http}"
    described = Described(httpx.get(f"{url}/openapi.json", trust_env=False).json())
    with customer(stack, described) as one, customer(stack, described) as other:
        yield Service(stack, described, one, other)
