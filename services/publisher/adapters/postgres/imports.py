"""Files of posts that are still to be fetched.

`next_at` and `epoch` are what they are for targets: when a file is next anybody's to fetch, and whose claim counts.
"""

from collections.abc import Sequence

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.common.db import Database
from services.publisher.adapters.postgres import rows
from services.publisher.domain.post import Post, TargetError
from services.publisher.ports import ImportClaim, MediaFacts

_OF_POST = "workspace_id = :workspace_id AND post_id = :post_id"
_HELD = f"{_OF_POST} AND id = :id AND epoch = :epoch AND next_at IS NOT NULL"
_OPEN = "SELECT 1 FROM publisher.targets t WHERE t.workspace_id = i.workspace_id AND t.post_id = i.post_id"
_CLAIM = text(
    "WITH due AS (SELECT workspace_id, post_id, id FROM publisher.imports WHERE next_at <= now()"  # noqa: S608
    " ORDER BY next_at LIMIT :limit FOR UPDATE SKIP LOCKED)"
    " UPDATE publisher.imports i SET epoch = i.epoch + 1, next_at = now() + :lease_s * interval '1 s'"
    " FROM due JOIN publisher.posts p ON p.workspace_id = due.workspace_id AND p.id = due.post_id"
    " WHERE i.workspace_id = due.workspace_id AND i.post_id = due.post_id AND i.id = due.id"
    " RETURNING i.workspace_id, i.post_id, i.id AS import_id, i.epoch, i.url, i.kind, i.alt_text, i.plan, p.live,"
    " p.request_id, greatest(p.scheduled_at, now()) AS due_at, i.tries,"
    f" EXISTS ({_OPEN} AND t.next_at IS NOT NULL) AS wanted"
)
_DONE = text(
    f"UPDATE publisher.imports SET media_id = :media_id, next_at = NULL, url = '' WHERE {_HELD}"  # noqa: S608
)
_HOLD = text(
    "INSERT INTO publisher.post_media (workspace_id, post_id, media_id, alt_text, needed)"  # noqa: S608
    " SELECT :workspace_id, :post_id, :media_id, :alt_text, EXISTS (SELECT 1 FROM publisher.targets"
    f" WHERE {_OF_POST} AND next_at IS NOT NULL) ON CONFLICT (workspace_id, post_id, media_id)"
    " DO UPDATE SET needed = excluded.needed, released_at = NULL"
)
_WAKE = text(
    f"UPDATE publisher.targets SET next_at = now() WHERE {_OF_POST} AND status = 'waiting_media' AND NOT claimed"  # noqa: S608
)
_AGAIN = text(
    f"UPDATE publisher.imports SET tries = tries + 1, next_at = now() + :delay_s * interval '1 s' WHERE {_HELD}"  # noqa: S608
)
_FAILED = text(
    "UPDATE publisher.imports SET next_at = NULL, error_code = :error_code, error_message = :error_message"  # noqa: S608
    f" WHERE {_HELD}"
)
_ADD = text(
    "INSERT INTO publisher.imports (workspace_id, post_id, id, url, kind, alt_text, plan)"
    " VALUES (:workspace_id, :post_id, :id, :url, :kind, :alt_text, :plan) ON CONFLICT DO NOTHING"
)
_DROP = text(f"DELETE FROM publisher.imports WHERE {_OF_POST} AND id <> ALL(:ids)")  # noqa: S608
_ONCE_MORE = text(
    "UPDATE publisher.imports SET next_at = now(), tries = 0, error_code = NULL, error_message = NULL"  # noqa: S608
    f" WHERE {_OF_POST} AND error_code IS NOT NULL"
)
_OF_POSTS = text(
    "SELECT post_id, id, url, kind, media_id, error_code, error_message FROM publisher.imports"
    " WHERE workspace_id = :workspace_id AND post_id = ANY(:post_ids)"
)


class PostgresImports:
    """ports.Imports over PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def claim(self, limit: int, lease_s: float) -> Sequence[ImportClaim]:
        """Up to `limit` that are due."""
        async with self._database.system_tx() as conn:
            found = (await conn.execute(_CLAIM, {"limit": limit, "lease_s": lease_s})).mappings().all()
        return [ImportClaim(**row) for row in found]

    async def done(self, claim: ImportClaim, facts: MediaFacts) -> bool:
        """The item takes the place of the URL, and is held as long as the post needs it."""
        values = {**_key(claim), "media_id": facts.media_id}
        async with self._database.tx(claim.workspace_id) as conn:
            if (await conn.execute(_DONE, values)).rowcount == 0:
                return False
            await conn.execute(_HOLD, {**values, "alt_text": facts.alt_text})
            await conn.execute(_WAKE, _key(claim))
        return True

    async def again(self, claim: ImportClaim, delay_s: float) -> None:
        """Due again after so many seconds."""
        await self._change(_AGAIN, claim, delay_s=delay_s)

    async def failed(self, claim: ImportClaim, error: TargetError) -> None:
        """Its targets look at it again."""
        async with self._database.tx(claim.workspace_id) as conn:
            bind = {**_key(claim), "error_code": error.code, "error_message": error.message}
            await conn.execute(_FAILED, bind)
            await conn.execute(_WAKE, _key(claim))

    async def _change(self, statement: TextClause, claim: ImportClaim, **values: object) -> None:
        async with self._database.tx(claim.workspace_id) as conn:
            await conn.execute(statement, {**_key(claim), **values})


async def keep(conn: AsyncConnection, workspace_id: str, post: Post, *, plan: str) -> None:
    """What the post still has to fetch, and nothing else, in the caller's transaction."""
    key = {"workspace_id": workspace_id, "post_id": post.post_id}
    wanted = post.imports()
    await conn.execute(_DROP, {**key, "ids": [ref.media_id for ref in wanted]})
    for ref in wanted:
        about = {"id": ref.media_id, "url": ref.url, "kind": ref.kind, "alt_text": ref.alt_text, "plan": plan}
        await conn.execute(_ADD, {**key, **about})


async def once_more(conn: AsyncConnection, workspace_id: str, post_id: str) -> None:
    """What could not be had is tried again, in the caller's transaction."""
    await conn.execute(_ONCE_MORE, {"workspace_id": workspace_id, "post_id": post_id})


async def of_posts(conn: AsyncConnection, workspace_id: str, post_ids: Sequence[str]) -> rows.Imports:
    """By id."""
    bind = {"workspace_id": workspace_id, "post_ids": list(post_ids)}
    return {row["id"]: rows.imported(row) for row in (await conn.execute(_OF_POSTS, bind)).mappings()}


def _key(claim: ImportClaim) -> dict[str, object]:
    return {
        "workspace_id": claim.workspace_id,
        "post_id": claim.post_id,
        "id": claim.import_id,
        "epoch": claim.epoch,
    }
