"""The table of workspaces, for operators: over all of them."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import text
from sqlalchemy.engine import Row

from services.common.db import Database
from services.gateway.domain.keys import Workspace

_COLUMNS = "workspace_id, name, plan, created_at, suspended_at"


class PostgresWorkspaces:
    """ports.Workspaces."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, workspace: Workspace) -> bool:
        """See ports.Workspaces."""
        statement = text(
            f"INSERT INTO workspaces ({_COLUMNS})"  # noqa: S608  names of ours
            " VALUES (:workspace_id, :name, :plan, :created_at, :suspended_at) ON CONFLICT DO NOTHING"
        )
        async with self._database.tx(workspace.workspace_id) as conn:
            return (await conn.execute(statement, _values(workspace))).rowcount == 1

    async def get(self, workspace_id: str) -> Workspace | None:
        """See ports.Workspaces."""
        statement = text(f"SELECT {_COLUMNS} FROM workspaces WHERE workspace_id = :workspace_id")  # noqa: S608
        async with self._database.tx(workspace_id) as conn:
            row = (await conn.execute(statement, {"workspace_id": workspace_id})).one_or_none()
        return None if row is None else _workspace(row)

    async def page(self, *, limit: int, before: str | None) -> Sequence[Workspace]:
        """See ports.Workspaces."""
        statement = text(
            f"SELECT {_COLUMNS} FROM workspaces WHERE CAST(:before AS text) IS NULL OR workspace_id < :before"  # noqa: S608
            " ORDER BY workspace_id DESC LIMIT :limit"
        )
        async with self._database.system_tx() as conn:
            return [_workspace(row) for row in await conn.execute(statement, {"limit": limit, "before": before})]

    async def keep(self, workspace: Workspace) -> bool:
        """See ports.Workspaces."""
        statement = text(
            "UPDATE workspaces SET name = :name, plan = :plan, suspended_at = :suspended_at"
            " WHERE workspace_id = :workspace_id"
        )
        async with self._database.tx(workspace.workspace_id) as conn:
            return (await conn.execute(statement, _values(workspace))).rowcount == 1


def _values(workspace: Workspace) -> dict[str, object]:
    return {
        "workspace_id": workspace.workspace_id,
        "name": workspace.name,
        "plan": workspace.plan,
        "created_at": workspace.created_at,
        "suspended_at": workspace.suspended_at,
    }


def _workspace(row: Row[Any]) -> Workspace:
    return Workspace(row.workspace_id, row.name, row.plan, row.created_at, row.suspended_at)
