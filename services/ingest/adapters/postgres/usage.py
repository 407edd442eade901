"""What a workspace holds. The database counts it with every change of a row; here it is looked at."""

from dataclasses import replace

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.ingest.domain.quotas import Held, Quota, check

_HELD = text("SELECT media, bytes, uploads FROM ingest.usage WHERE workspace_id = :workspace_id")


async def keep_to(conn: AsyncConnection, workspace_id: str, quota: Quota, added: Held, *, to_come: int = 0) -> None:
    """Whether the workspace may hold what this transaction has made of it: others that change it wait for its end.

    Args:
        added: By this transaction.   to_come: Bytes that will be added for certain.

    Raises:
        MediaError: QUOTA_EXCEEDED, and the transaction must not be committed.
    """
    found = (await conn.execute(_HELD, {"workspace_id": workspace_id})).mappings().one_or_none()
    held = Held(**found) if found else Held()
    check(quota, replace(held, bytes=held.bytes + to_come), replace(added, bytes=added.bytes + to_come))
