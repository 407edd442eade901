"""Accounts, with their sealed credentials."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from mediaapi.v1 import events_pb2
from sqlalchemy import text

from services.common import events, outbox
from services.common.db import Database
from services.publisher.adapters.postgres import rows
from services.publisher.adapters.postgres.posts import SCHEMA, position
from services.publisher.adapters.sealing import Sealed
from services.publisher.domain.account import Account, AccountFilter, AccountStatus
from services.publisher.ports import Caller, Position, SealedBytes

_MINE = "workspace_id = :workspace_id AND live = :live"
_PUT = text(
    "INSERT INTO publisher.accounts (workspace_id, id, platform, live, display_name, external_id, status, service_url,"
    " key_version, sealed, created_at) VALUES (:workspace_id, :id, :platform, :live, :display_name, :external_id,"
    " :status, :service_url, :key_version, :sealed, :created_at)"
    " ON CONFLICT (workspace_id, id) DO UPDATE SET display_name = excluded.display_name,"
    " external_id = excluded.external_id, status = excluded.status, service_url = excluded.service_url,"
    " key_version = excluded.key_version, sealed = excluded.sealed, verify_at = excluded.verify_at"
    " WHERE accounts.live = excluded.live AND accounts.platform = excluded.platform"
)
_GET = text(f"SELECT {rows.ACCOUNT_COLUMNS} FROM publisher.accounts WHERE {_MINE} AND id = :id")  # noqa: S608
_SAME = text(
    f"SELECT {rows.ACCOUNT_COLUMNS} FROM publisher.accounts WHERE {_MINE} AND platform = :platform"  # noqa: S608
    " AND external_id = :external_id AND service_url IS NOT DISTINCT FROM CAST(:service_url AS text)"
    " ORDER BY created_at DESC, id DESC LIMIT 1"
)
_PAGE = text(
    f"SELECT {rows.ACCOUNT_COLUMNS} FROM publisher.accounts WHERE {_MINE}"  # noqa: S608  names of ours
    " AND (CAST(:platform AS text) IS NULL OR platform = :platform)"
    " AND (CAST(:after_time AS timestamptz) IS NULL OR (created_at, id) < (:after_time, :after_id))"
    " ORDER BY created_at DESC, id DESC LIMIT :limit"
)
_DELETE = text(f"DELETE FROM publisher.accounts WHERE {_MINE} AND id = :id")  # noqa: S608
_SEALED = text(f"SELECT key_version, sealed FROM publisher.accounts WHERE {_MINE} AND id = :id")  # noqa: S608
_RESEAL = text(
    "UPDATE publisher.accounts SET key_version = :key_version, sealed = :sealed"  # noqa: S608
    f" WHERE {_MINE} AND id = :id AND sealed = :instead_of"
)
# Not all of those that were connected on one day on one day again.
_NEXT_TRY = "now() + interval '7 days' * (0.9 + 0.2 * random())"
_ACCEPT = text(
    "UPDATE publisher.accounts SET key_version = :key_version, sealed = :sealed, status = 'active',"  # noqa: S608
    f" verify_at = {_NEXT_TRY} WHERE {_MINE} AND id = :id AND sealed = :instead_of"
)
_UNVERIFIED = text(
    "UPDATE publisher.accounts a SET verify_at = now() + interval '1 hour' FROM"
    " (SELECT workspace_id, id FROM publisher.accounts WHERE status = 'active' AND verify_at <= now()"
    " ORDER BY verify_at LIMIT :limit FOR UPDATE SKIP LOCKED) due"
    " WHERE a.workspace_id = due.workspace_id AND a.id = due.id RETURNING a.workspace_id, a.live, a.id"
)
_RENEW = text(
    "UPDATE publisher.accounts SET renewing_until = clock_timestamp() + make_interval(secs => :lease_s)"  # noqa: S608
    f" WHERE {_MINE} AND id = :id AND sealed = :sealed"
    " AND (renewing_until IS NULL OR renewing_until < clock_timestamp()) RETURNING renewing_until"
)
_END_RENEWAL = text(
    "UPDATE publisher.accounts SET renewing_until = NULL"  # noqa: S608
    f" WHERE {_MINE} AND id = :id AND renewing_until = :until"
)
_REFUSED = text(
    f"SELECT status FROM publisher.accounts WHERE {_MINE} AND id = :id AND sealed = :sealed FOR UPDATE"  # noqa: S608
)
_INVALIDATE = text(f"UPDATE publisher.accounts SET status = 'invalid' WHERE {_MINE} AND id = :id")  # noqa: S608


class PostgresAccounts:
    """ports.Accounts over PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, caller: Caller, account: Account, sealed: SealedBytes) -> bool:
        """Keeps an account; one of the same id is replaced. False: that one is of another platform or mode."""
        bind = {
            **_key(caller, account.account_id),
            **_sealed(sealed),
            "platform": account.platform,
            "display_name": account.display_name,
            "external_id": account.external_id,
            "status": account.status.value,
            "service_url": account.service_url,
            "created_at": account.created_at,
        }
        async with self._database.tx(caller.workspace_id) as conn:
            return (await conn.execute(_PUT, bind)).rowcount == 1

    async def get(self, caller: Caller, account_id: str) -> Account | None:
        """One account of the caller's, in the caller's mode."""
        async with self._database.tx(caller.workspace_id) as conn:
            row = (await conn.execute(_GET, _key(caller, account_id))).mappings().one_or_none()
        return None if row is None else rows.account(row)

    async def same(self, caller: Caller, platform: str, external_id: str, service_url: str | None) -> Account | None:
        """See ports.Accounts."""
        bind = {
            "workspace_id": caller.workspace_id,
            "live": caller.live,
            "platform": platform,
            "external_id": external_id,
            "service_url": service_url,
        }
        async with self._database.tx(caller.workspace_id) as conn:
            row = (await conn.execute(_SAME, bind)).mappings().one_or_none()
        return None if row is None else rows.account(row)

    async def page(
        self, caller: Caller, *, limit: int, after: Position | None, only: AccountFilter
    ) -> Sequence[Account]:
        """Up to `limit` accounts, newest first."""
        bind = {
            "workspace_id": caller.workspace_id,
            "live": caller.live,
            **position(after),
            "platform": only.platform,
            "limit": limit,
        }
        async with self._database.tx(caller.workspace_id) as conn:
            return [rows.account(row) for row in (await conn.execute(_PAGE, bind)).mappings()]

    async def delete(self, caller: Caller, account_id: str) -> bool:
        """Forgets the account and its credentials. False: there is none."""
        async with self._database.tx(caller.workspace_id) as conn:
            return (await conn.execute(_DELETE, _key(caller, account_id))).rowcount == 1

    async def sealed(self, caller: Caller, account_id: str) -> Sealed | None:
        """An account's credentials, sealed."""
        async with self._database.tx(caller.workspace_id) as conn:
            row = (await conn.execute(_SEALED, _key(caller, account_id))).mappings().one_or_none()
        return None if row is None else Sealed(row["key_version"], bytes(row["sealed"]))

    async def replace_credentials(
        self, caller: Caller, account_id: str, sealed: SealedBytes, *, instead_of: bytes
    ) -> None:
        """See ports.Accounts."""
        bind = {**_key(caller, account_id), **_sealed(sealed), "instead_of": instead_of}
        async with self._database.tx(caller.workspace_id) as conn:
            await conn.execute(_RESEAL, bind)

    @asynccontextmanager
    async def renewing(self, caller: Caller, account_id: str, blob: bytes, lease_s: float) -> AsyncIterator[bool]:
        """See ports.Accounts. A lease in the row: no connection waits for the platform's answer."""
        key = _key(caller, account_id)
        async with self._database.tx(caller.workspace_id) as conn:
            bind = {**key, "sealed": blob, "lease_s": lease_s}
            until = (await conn.execute(_RENEW, bind)).scalar_one_or_none()
        try:
            yield until is not None
        finally:
            if until is not None:
                async with self._database.tx(caller.workspace_id) as conn:
                    await conn.execute(_END_RENEWAL, {**key, "until": until})

    async def accept(self, caller: Caller, account_id: str, sealed: SealedBytes, *, instead_of: bytes) -> None:
        """See ports.Accounts."""
        bind = {**_key(caller, account_id), **_sealed(sealed), "instead_of": instead_of}
        async with self._database.tx(caller.workspace_id) as conn:
            await conn.execute(_ACCEPT, bind)

    async def take_unverified(self, limit: int) -> Sequence[tuple[Caller, str]]:
        """See ports.Accounts."""
        async with self._database.system_tx() as conn:
            due = (await conn.execute(_UNVERIFIED, {"limit": limit})).mappings().all()
        return [(Caller(row["workspace_id"], row["live"]), row["id"]) for row in due]

    async def invalidate(self, caller: Caller, account_id: str, blob: bytes) -> bool:
        """Marks the account invalid, and tells it, while its credentials are still `blob`. False: they are not."""
        key = _key(caller, account_id)
        async with self._database.tx(caller.workspace_id) as conn:
            status = (await conn.execute(_REFUSED, {**key, "sealed": blob})).scalar_one_or_none()
            if status == AccountStatus.ACTIVE:
                await conn.execute(_INVALIDATE, key)
                await outbox.emit(conn, SCHEMA, _invalid(caller, account_id))
        return status is not None


def _invalid(caller: Caller, account_id: str) -> events_pb2.Event:
    payload = events_pb2.AccountInvalid()
    return events.event(payload, workspace_id=caller.workspace_id, subject_id=account_id, version=1)


def _key(caller: Caller, account_id: str) -> dict[str, object]:
    return {"workspace_id": caller.workspace_id, "live": caller.live, "id": account_id}


def _sealed(sealed: SealedBytes) -> dict[str, object]:
    return {"key_version": sealed.key_version, "sealed": sealed.blob}
