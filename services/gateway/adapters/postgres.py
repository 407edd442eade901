"""The gateway's tables. Keys are found by the stage's system role, all else within a workspace."""

import json
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.engine import Row

from services.common.db import Database
from services.gateway.domain.keys import ApiKey, Grant, Mode
from services.gateway.domain.replays import Prior, Scope, StoredAnswer

_COLUMNS = "k.key_id, k.workspace_id, k.name, k.mode, k.scopes, k.digest, k.hint, k.created_at, k.last_used_at"


class PostgresKeys:
    """ports.Keys."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, key_id: str) -> Grant | None:
        """See ports.Keys."""
        statement = text(
            f"SELECT {_COLUMNS}, w.plan, w.suspended_at FROM api_keys k JOIN workspaces w USING (workspace_id) "  # noqa: S608
            "WHERE k.key_id = :key_id AND k.revoked_at IS NULL"
        )
        async with self._database.system_tx() as conn:
            row = (await conn.execute(statement, {"key_id": key_id})).one_or_none()
        return None if row is None else Grant(_key(row), row.plan, row.suspended_at is not None)

    async def add(self, key: ApiKey) -> None:
        """See ports.Keys."""
        statement = text(
            "INSERT INTO api_keys (key_id, workspace_id, name, mode, scopes, digest, hint, created_at) "
            "VALUES (:key_id, :workspace_id, :name, :mode, :scopes, :digest, :hint, :created_at)"
        )
        values = {
            "key_id": key.key_id,
            "workspace_id": key.workspace_id,
            "name": key.name,
            "mode": key.mode.value,
            "scopes": list(key.scopes),
            "digest": key.digest,
            "hint": key.hint,
            "created_at": key.created_at,
        }
        async with self._database.tx(key.workspace_id) as conn:
            await conn.execute(statement, values)

    async def page(self, workspace_id: str, *, limit: int, before: str | None, mode: Mode | None) -> list[ApiKey]:
        """See ports.Keys."""
        statement = text(
            f"SELECT {_COLUMNS} FROM api_keys k WHERE k.workspace_id = :workspace_id AND k.revoked_at IS NULL "  # noqa: S608
            "AND (CAST(:before AS text) IS NULL OR k.key_id < :before) "
            "AND (CAST(:mode AS text) IS NULL OR k.mode = :mode) ORDER BY k.key_id DESC LIMIT :limit"
        )
        values = {"workspace_id": workspace_id, "before": before, "mode": mode and mode.value, "limit": limit}
        async with self._database.tx(workspace_id) as conn:
            return [_key(row) for row in await conn.execute(statement, values)]

    async def revoke(self, workspace_id: str, key_id: str, *, mode: Mode | None, at: datetime) -> bool:
        """See ports.Keys."""
        statement = text(
            "UPDATE api_keys SET revoked_at = :at WHERE workspace_id = :workspace_id AND key_id = :key_id "
            "AND revoked_at IS NULL AND (CAST(:mode AS text) IS NULL OR mode = :mode)"
        )
        values = {"workspace_id": workspace_id, "key_id": key_id, "mode": mode and mode.value, "at": at}
        async with self._database.tx(workspace_id) as conn:
            return (await conn.execute(statement, values)).rowcount == 1

    async def touch(self, workspace_id: str, key_id: str, *, at: datetime) -> None:
        """See ports.Keys."""
        statement = text(
            "UPDATE api_keys SET last_used_at = :at WHERE workspace_id = :workspace_id AND key_id = :key_id"
        )
        async with self._database.tx(workspace_id) as conn:
            await conn.execute(statement, {"workspace_id": workspace_id, "key_id": key_id, "at": at})


class PostgresReplays:
    """First answers by Idempotency-Key; the database's clock decides leases."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def claim(self, scope: Scope, *, token: str, fingerprint: bytes | None, lease_s: float) -> Prior | None:
        """See ports.Replays."""
        take = text(
            "INSERT INTO idempotency AS i (workspace_id, route, key, token, fingerprint, lease_until, expires_at) "
            "VALUES (:workspace_id, :route, :key, :token, :fingerprint, "
            "        now() + make_interval(secs => :lease_s), now() + interval '24 hours') "
            "ON CONFLICT (workspace_id, route, key) DO UPDATE SET token = excluded.token, "
            "  fingerprint = excluded.fingerprint, lease_until = excluded.lease_until, "
            "  expires_at = excluded.expires_at, "
            "  status = NULL, headers = NULL, body = NULL "
            "WHERE i.expires_at < now() OR (i.status IS NULL AND i.lease_until < now() "
            "  AND (i.fingerprint IS NULL OR i.fingerprint = excluded.fingerprint)) "
            "RETURNING token"
        )
        look = text(
            "SELECT fingerprint, status, headers, body FROM idempotency "
            "WHERE workspace_id = :workspace_id AND route = :route AND key = :key"
        )
        values = _where(scope) | {"token": token, "fingerprint": fingerprint, "lease_s": lease_s}
        async with self._database.tx(scope.workspace_id) as conn:
            if (await conn.execute(take, values)).one_or_none() is not None:
                return None
            row = (await conn.execute(look, _where(scope))).one_or_none()
        return Prior(None, None) if row is None else Prior(_bytes(row.fingerprint), _answer(row))

    async def extend(self, scope: Scope, *, token: str, lease_s: float) -> None:
        """See ports.Replays."""
        await self._change(
            "UPDATE idempotency SET lease_until = now() + make_interval(secs => :lease_s)",
            scope,
            token,
            lease_s=lease_s,
        )

    async def settle(self, scope: Scope, *, token: str, fingerprint: bytes, answer: StoredAnswer) -> None:
        """See ports.Replays."""
        await self._change(
            "UPDATE idempotency SET fingerprint = :fingerprint, status = :status, "
            "headers = CAST(:headers AS jsonb), body = :body",
            scope,
            token,
            fingerprint=fingerprint,
            status=answer.status,
            headers=json.dumps(answer.headers),
            body=answer.body,
        )

    async def release(self, scope: Scope, *, token: str) -> None:
        """See ports.Replays."""
        await self._change("DELETE FROM idempotency", scope, token)

    async def forget_old(self) -> int:
        """See ports.Replays."""
        async with self._database.system_tx() as conn:
            return (await conn.execute(text("DELETE FROM idempotency WHERE expires_at < now()"))).rowcount

    async def _change(self, change: str, scope: Scope, token: str, **values: object) -> None:
        """Change a claim that is still ours and still open."""
        statement = text(
            f"{change} WHERE workspace_id = :workspace_id AND route = :route AND key = :key "
            "AND token = :token AND status IS NULL"
        )
        async with self._database.tx(scope.workspace_id) as conn:
            await conn.execute(statement, _where(scope) | {"token": token} | values)


def _where(scope: Scope) -> dict[str, object]:
    return {"workspace_id": scope.workspace_id, "route": scope.route, "key": scope.key}


def _key(row: Row[Any]) -> ApiKey:
    return ApiKey(
        key_id=row.key_id,
        workspace_id=row.workspace_id,
        name=row.name,
        mode=Mode(row.mode),
        scopes=tuple(row.scopes),
        digest=bytes(row.digest),
        hint=row.hint,
        created_at=row.created_at,
        last_used_at=row.last_used_at,
    )


def _bytes(value: Any) -> bytes | None:
    return None if value is None else bytes(value)


def _answer(row: Row[Any]) -> StoredAnswer | None:
    if row.status is None:
        return None
    return StoredAnswer(row.status, tuple((name, value) for name, value in row.headers), bytes(row.body))
