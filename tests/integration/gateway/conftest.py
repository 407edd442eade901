"""The gateway as a process in front of ingest and scanner as processes, on the real stores and clamd."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
import pytest

from deploy.local.clamd import Clamd
from deploy.local.nats import Nats
from deploy.local.ports import HOST, Ports
from deploy.local.postgres import Postgres
from deploy.local.s3 import S3
from deploy.local.stages import Stage, Wiring
from deploy.local.state import REPOSITORY, State
from deploy.local.tenant import Tenant
from services.common import ids

WITH_TABLES = ("ingest", "gateway")


@dataclass(slots=True)
class Workspace:
    """One customer: an id and an HTTP client that sends its key."""

    workspace_id: str
    key: str
    http: httpx.Client


@dataclass(slots=True)
class Service:
    """The three stages, and ways to be their customer."""

    wiring: Wiring
    stages: dict[str, Stage]
    tenant: Tenant
    one: Workspace
    other: Workspace

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.wiring.ports.gateway_http}"

    def pid(self, stage: str) -> int:
        return self.stages[stage].pid


def migrate(state: State, postgres: Postgres) -> None:
    """Roles and tables of ingest and gateway; safe to repeat."""
    env = os.environ | {"MEDIA_MIGRATE_DATABASE_URL_FILE": str(state.write_secret("migrate.url", postgres.url()))}
    for stage in WITH_TABLES:
        password = state.secret(f"postgres-{stage}")
        env[f"MEDIA_MIGRATE_{stage.upper()}_PASSWORD_FILE"] = str(state.write_secret(f"migrate.{stage}", password))
    subprocess.run([sys.executable, "-m", "services.common.migrate", *WITH_TABLES], env=env, cwd=REPOSITORY, check=True)


@contextmanager
def _workspace(wiring: Wiring, tenant: Tenant) -> Iterator[Workspace]:
    workspace_id = ids.new("ws")
    tenant.create_workspace(workspace_id, "Test", plan="pro")
    key = tenant.issue_key(workspace_id)
    url = f"http://{HOST}:{wiring.ports.gateway_http}"
    with httpx.Client(base_url=url, headers={"authorization": f"Bearer {key}"}, timeout=60, trust_env=False) as client:
        yield Workspace(workspace_id, key, client)


@pytest.fixture(scope="package")
def gateway_url(postgres: Postgres, local_state: State) -> str:
    """The migrated database, as the gateway's own role."""
    migrate(local_state, postgres)
    return postgres.url(user="mediaapi_gateway", password=local_state.secret("postgres-gateway"))


@pytest.fixture(scope="package")
def service(
    postgres: Postgres, nats: Nats, s3: S3, clamd: Clamd, local_state: State, gateway_url: str
) -> Iterator[Service]:
    """Started once; two workspaces."""
    wiring = Wiring(state=local_state, ports=Ports.free(), postgres=postgres, nats=nats, s3=s3, clamd=clamd)
    tenant = Tenant(wiring)
    stages = {name: Stage(name, wiring) for name in ("scanner", "ingest", "gateway")}
    try:
        for stage in stages.values():
            stage.start()
        with _workspace(wiring, tenant) as one, _workspace(wiring, tenant) as other:
            yield Service(wiring, stages, tenant, one, other)
    finally:
        for stage in reversed(stages.values()):
            stage.stop()
