"""The workspaces' data keys, wrapped."""

from collections.abc import Mapping, Sequence

from sqlalchemy import RowMapping, text

from services.common.db import Database
from services.publisher.adapters.sealing import WrappedKey

_COLUMNS = "workspace_id, version, kek_id, wrapped"
_GET = text(
    f"SELECT {_COLUMNS} FROM publisher.workspace_keys WHERE workspace_id = :workspace_id"  # noqa: S608  names of ours
    " AND (CAST(:version AS integer) IS NULL OR version = :version) ORDER BY version DESC LIMIT 1"
)
_ADD = text(
    f"INSERT INTO publisher.workspace_keys ({_COLUMNS})"  # noqa: S608  names of ours
    " VALUES (:workspace_id, :version, :kek_id, :wrapped) ON CONFLICT DO NOTHING"
)
_OTHERS = text(
    f"SELECT {_COLUMNS} FROM publisher.workspace_keys"  # noqa: S608  names of ours
    " WHERE kek_id <> :kek_id AND (workspace_id, version) > (:workspace_id, :version)"
    " ORDER BY workspace_id, version LIMIT :limit"
)
_REPLACE = text(
    "UPDATE publisher.workspace_keys SET kek_id = :kek_id, wrapped = :wrapped"
    " WHERE workspace_id = :workspace_id AND version = :version AND wrapped = :was"
)
_USES = text("SELECT kek_id, count(*) AS uses FROM publisher.workspace_keys GROUP BY kek_id")
_BESIDE = text("SELECT DISTINCT kek_id FROM publisher.workspace_keys WHERE kek_id <> ALL(:kek_ids) ORDER BY kek_id")


class PostgresKeys:
    """vault.Keys and rotation.Keys over PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, workspace_id: str, version: int | None) -> WrappedKey | None:
        """The key of this version, or the newest."""
        bind = {"workspace_id": workspace_id, "version": version}
        async with self._database.tx(workspace_id) as conn:
            row = (await conn.execute(_GET, bind)).mappings().one_or_none()
        return None if row is None else _key(row)

    async def add(self, key: WrappedKey) -> None:
        """Keeps a key; one of that version that is there already stays."""
        async with self._database.tx(key.workspace_id) as conn:
            await conn.execute(_ADD, _values(key))

    async def others(self, kek_id: str, *, after: tuple[str, int], limit: int) -> Sequence[WrappedKey]:
        """Keys wrapped with another KEK, by workspace and version, behind `after`."""
        bind = {"kek_id": kek_id, "workspace_id": after[0], "version": after[1], "limit": limit}
        async with self._database.system_tx() as conn:
            return [_key(row) for row in (await conn.execute(_OTHERS, bind)).mappings()]

    async def replace(self, old: WrappedKey, new: WrappedKey) -> bool:
        """Keeps the same key in its new wrapping. False: another was quicker."""
        async with self._database.tx(new.workspace_id) as conn:
            return (await conn.execute(_REPLACE, {**_values(new), "was": old.wrapped})).rowcount == 1

    async def uses(self) -> Mapping[str, int]:
        """How many data keys are wrapped with each KEK."""
        async with self._database.system_tx() as conn:
            return {row["kek_id"]: row["uses"] for row in (await conn.execute(_USES)).mappings()}

    async def beside(self, kek_ids: Sequence[str]) -> Sequence[str]:
        """KEKs in use that are not among these."""
        async with self._database.system_tx() as conn:
            return (await conn.execute(_BESIDE, {"kek_ids": list(kek_ids)})).scalars().all()


def _key(row: RowMapping) -> WrappedKey:
    return WrappedKey(row["workspace_id"], row["version"], row["kek_id"], bytes(row["wrapped"]))


def _values(key: WrappedKey) -> dict[str, object]:
    return {
        "workspace_id": key.workspace_id,
        "version": key.version,
        "kek_id": key.kek_id,
        "wrapped": key.wrapped,
    }
