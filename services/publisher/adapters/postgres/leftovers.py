"""What was prepared of targets that came to their end without it."""

from collections.abc import Sequence

from sqlalchemy import TextClause, text

from services.common.db import Database
from services.publisher.adapters.postgres import rows
from services.publisher.ports import Claim, Leftover

# ruff: noqa: S608  what is put into these statements are names of ours

_TAKE = text(
    "DELETE FROM publisher.leftovers l USING (SELECT workspace_id, post_id, index, epoch FROM publisher.leftovers"
    " LIMIT :limit FOR UPDATE SKIP LOCKED) taken WHERE l.workspace_id = taken.workspace_id"
    " AND l.post_id = taken.post_id AND l.index = taken.index AND l.epoch = taken.epoch RETURNING l.*"
)


def ending(which: str, changes: str) -> TextClause:
    """Changes the targets that fit `which`, and puts aside what was prepared of them."""
    return text(
        "WITH ended AS (SELECT workspace_id, post_id, index, epoch, platform, account_id, progress"
        f" FROM publisher.targets WHERE {which} FOR UPDATE), put AS (INSERT INTO publisher.leftovers"
        " (workspace_id, post_id, index, epoch, platform, account_id, live, progress) SELECT e.workspace_id, e.post_id,"
        " e.index, e.epoch, e.platform, e.account_id, p.live, e.progress FROM ended e JOIN publisher.posts p"
        " ON p.workspace_id = e.workspace_id AND p.id = e.post_id WHERE e.progress <> '{}')"
        f" UPDATE publisher.targets t SET {changes}, progress = '{{}}' FROM ended e"
        " WHERE t.workspace_id = e.workspace_id AND t.post_id = e.post_id AND t.index = e.index"
    )


class PostgresLeftovers:
    """ports.Leftovers over PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def take(self, limit: int) -> Sequence[Leftover]:
        """Up to `limit`, which nobody is given again."""
        async with self._database.system_tx() as conn:
            return [_leftover(row) for row in (await conn.execute(_TAKE, {"limit": limit})).mappings()]


def _leftover(row: rows.Row) -> Leftover:
    steps = rows.steps(row["progress"])
    return Leftover(
        claim=Claim(workspace_id=row["workspace_id"], post_id=row["post_id"], index=row["index"], epoch=row["epoch"]),
        live=row["live"],
        platform=row["platform"],
        account_id=row["account_id"],
        progress=steps.plain,
        sealed=steps.sealed,
    )
