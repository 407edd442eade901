"""What makes an empty installation usable: tables, a workspace, a key, accounts."""

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import grpc
from mediaapi.v1.publisher_service_pb2 import CreateAccountRequest, ProvisionAccountRequest
from mediaapi.v1.publisher_service_pb2_grpc import PublisherServiceStub

from deploy.local.daemon import base_environment
from deploy.local.ports import HOST
from deploy.local.postgres import Postgres
from deploy.local.processes import LocalError, output_of
from deploy.local.stages import OURS, WITH_TABLES, Tree, Wiring, environment
from deploy.local.state import State
from services.common import ids

ACCOUNTS = Path(__file__).with_name("accounts.toml")
PLAN = "business"
PROVISION_TIMEOUT_S = 20.0


@dataclass(frozen=True, slots=True)
class DemoAccount:
    """An account of the local workspace."""

    id: str
    platform: str
    display_name: str
    credentials: Mapping[str, str]


def demo_accounts() -> tuple[DemoAccount, ...]:
    """Those of accounts.toml."""
    rows = tomllib.loads(ACCOUNTS.read_text())["account"]
    return tuple(DemoAccount(**row) for row in rows)


def migrate(state: State, postgres: Postgres, stages: Sequence[str] = WITH_TABLES, *, tree: Tree = OURS) -> None:
    """Make or update roles, schemas and tables of these stages, which are all that have some.

    Raises:
        LocalError: a migration failed; its output is in the message.
    """
    files = {"DATABASE_URL": state.write_secret("migrate.url", postgres.url())}
    for stage in stages:
        password = state.secret(f"postgres-{stage}")
        files[f"{stage.upper()}_PASSWORD"] = state.write_secret(f"migrate.{stage}", password)
    env = base_environment() | {f"MEDIA_MIGRATE_{name}_FILE": str(path) for name, path in files.items()}
    output_of([tree.python, "-m", "services.common.migrate", *stages], env=env, cwd=tree.root)


class Tenant:
    """The one workspace of a local stack."""

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring
        self.accounts = demo_accounts()
        self.api_key = ""

    @property
    def workspace_id(self) -> str:
        """Made once, kept with the secrets."""
        path = self._wiring.state.folder("secrets") / "workspace"
        if not path.exists():
            self._wiring.state.write_secret("workspace", ids.new("ws"))
        return path.read_text()

    def create_key(self) -> None:
        """Make workspace and test key; the key of an earlier run stays the key."""
        path = self._wiring.state.folder("secrets") / "api-key"
        if not path.exists():
            self.create_workspace(self.workspace_id, "Local")
            self._wiring.state.write_secret("api-key", self.issue_key(self.workspace_id))
        self.api_key = path.read_text()

    def create_workspace(self, workspace_id: str, name: str, *, plan: str = PLAN) -> None:
        """Make a workspace, where it is not there."""
        self.admin("workspaces", "create", "--id", workspace_id, "--name", name, "--plan", plan)

    def issue_key(self, workspace_id: str, *, mode: str = "test") -> str:
        """A new API key's text; mode: test or live."""
        made = self.admin("keys", "create", workspace_id, "--mode", mode, "--name", "local")
        return str(made["key"])

    def provision_accounts(self) -> None:
        """Connect the accounts under the ids the examples use.

        Raises:
            LocalError: the publisher refused one.
        """
        with grpc.insecure_channel(f"{HOST}:{self._wiring.ports.publisher}") as channel:
            publisher = PublisherServiceStub(channel)
            for account in self.accounts:
                inner = CreateAccountRequest(platform=account.platform, display_name=account.display_name)
                inner.credentials.update(account.credentials)
                try:
                    publisher.ProvisionAccount(
                        ProvisionAccountRequest(id=account.id, account=inner),
                        metadata=self._metadata(),
                        timeout=PROVISION_TIMEOUT_S,
                    )
                except grpc.RpcError as exc:
                    raise LocalError(f"cannot connect account {account.id}: {exc}") from exc

    def _metadata(self) -> tuple[tuple[str, str], ...]:
        request_id = ids.new("req")
        return (
            ("x-workspace-id", self.workspace_id),
            ("x-request-id", request_id),
            ("x-plan", PLAN),
            ("x-mode", "test"),
        )

    def admin(self, *arguments: str) -> dict[str, object]:
        """lmp-admin with the gateway's settings; the one thing it tells.

        Raises:
            LocalError: it was not done.
        """
        env = base_environment() | environment("gateway", self._wiring)
        tree = self._wiring.tree
        answer = output_of([tree.python, "-m", "services.admin.cli", *arguments, "--json"], env=env, cwd=tree.root)
        made: dict[str, object] = json.loads(answer)
        return made


def _file(wiring: Wiring, name: str, value: str) -> str:
    return str(wiring.state.write_secret(name, value))
