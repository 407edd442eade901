"""The gateway as a process in front of all stages as processes, on the real stores and clamd; no Envoy."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from deploy.local.clamd import Clamd
from deploy.local.nats import Nats
from deploy.local.ports import HOST, Ports
from deploy.local.postgres import Postgres
from deploy.local.s3 import S3
from deploy.local.stages import STAGES, Stage, Wiring
from deploy.local.state import State
from deploy.local.tenant import Tenant, migrate
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

    def account(self) -> dict[str, Any]:
        """An account the sandbox plays."""
        wanted = {"platform": "bluesky", "displayName": "Me", "credentials": CREDENTIALS}
        return done(self.http.post("/v1/accounts", json=wanted))


@dataclass(slots=True)
class Service:
    """All stages and two of their customers, neither of whom may notice the other."""

    wiring: Wiring
    stages: dict[str, Stage]
    tenant: Tenant
    described: Described
    one: Workspace
    other: Workspace

    @property
    def port(self) -> int:
        """Of the gateway's HTTP."""
        return self.wiring.ports.gateway_http

    @contextmanager
    def customer(self, *, workspace_id: str = "", mode: str = "test") -> Iterator[Workspace]:
        """A new workspace, or another key of one."""
        if not workspace_id:
            workspace_id = ids.new("ws")
            self.tenant.create_workspace(workspace_id, "Test", plan="pro")
        key = self.tenant.issue_key(workspace_id, mode=mode)
        with _client(self.port, key, self.described) as http:
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


@pytest.fixture(scope="package")
def service(postgres: Postgres, nats: Nats, s3: S3, clamd: Clamd, local_state: State) -> Iterator[Service]:
    """Started once."""
    wiring = Wiring(state=local_state, ports=Ports.free(), postgres=postgres, nats=nats, s3=s3, clamd=clamd)
    migrate(wiring)
    tenant = Tenant(wiring)
    stages = {name: Stage(name, wiring) for name in ("sandbox", *STAGES)}
    try:
        for stage in stages.values():
            stage.launch()
        for stage in stages.values():
            stage.wait_ready()
        url = f"http://{HOST}:{wiring.ports.gateway_http}"
        described = Described(httpx.get(f"{url}/openapi.json", trust_env=False).json())
        nobody = Workspace("", "", httpx.Client())
        service = Service(wiring, stages, tenant, described, nobody, nobody)
        with ExitStack() as held:
            service.one, service.other = (held.enter_context(service.customer()) for _ in range(2))
            yield service
    finally:
        for stage in reversed(stages.values()):
            stage.stop()
