"""Posts, changed by their owners.

Whoever needs both locks a post's targets first and the post after them, as whoever settles a target does.
"""

from collections.abc import Collection, Iterable
from datetime import UTC, datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.common import outbox
from services.common.db import Database
from services.publisher.adapters.postgres import imports, posts, rows
from services.publisher.adapters.postgres.leftovers import ending
from services.publisher.adapters.postgres.settling import refresh_post
from services.publisher.domain import plans
from services.publisher.domain.post import Post, PostStatus, TargetStatus
from services.publisher.ports import Caller, NewPost

_OF_POST = "workspace_id = :workspace_id AND post_id = :post_id"
_HOLD = text(
    "INSERT INTO publisher.post_media (workspace_id, post_id, media_id) VALUES (:workspace_id, :post_id, :media_id)"
    " ON CONFLICT (workspace_id, post_id, media_id) DO UPDATE SET needed = true, released_at = NULL"
)
_LOCK_TARGETS = text(f"SELECT status, claimed FROM publisher.targets WHERE {_OF_POST} FOR UPDATE")  # noqa: S608
_UPDATE_POST = text(
    "UPDATE publisher.posts SET text = :text, media = CAST(:media AS jsonb), status = :status, version = version + 1,"
    " scheduled_at = :scheduled_at, request_id = :request_id"
    " WHERE workspace_id = :workspace_id AND id = :post_id AND version = :version"
)
_DELETE_TARGETS = text(f"DELETE FROM publisher.targets WHERE {_OF_POST}")  # noqa: S608
_ALT_TEXT = text(
    f"UPDATE publisher.post_media SET alt_text = :alt_text WHERE {_OF_POST} AND media_id = :media_id"  # noqa: S608
)
_LET_GO = text(
    f"UPDATE publisher.post_media SET needed = false WHERE {_OF_POST} AND media_id <> ALL(:media_ids)"  # noqa: S608
    # What was fetched since the change was made of the post.
    f" AND media_id NOT IN (SELECT media_id FROM publisher.imports WHERE {_OF_POST} AND media_id IS NOT NULL)"
)
_CANCEL = ending(
    f"{_OF_POST} AND status IN ('scheduled', 'waiting_media', 'queued')",
    "status = 'canceled', claimed = false, next_at = NULL, epoch = t.epoch + 1",
)
# The attempts stay, and with them the handle every further one is made under.
_REQUEUE = text(
    "UPDATE publisher.targets SET status = 'queued', claimed = false, next_at = now(), epoch = epoch + 1, tries = 0,"  # noqa: S608
    " checks = 0, waits = 0, waiting_since = NULL, chosen = NULL, progress = '{}', error_code = NULL,"
    f" error_message = NULL WHERE {_OF_POST} AND status = ANY(:of) RETURNING index"
)


class PostgresChanges:
    """ports.Changes over PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def hold(self, caller: Caller, post_id: str, media_ids: Collection[str]) -> None:
        """From now on the post needs these items; waits for whoever lets one of them go."""
        values = [{**_key(caller, post_id), "media_id": media_id} for media_id in sorted(media_ids)]
        if values:
            async with self._database.tx(caller.workspace_id) as conn:
                await conn.execute(_HOLD, values)

    async def replace(self, caller: Caller, new: NewPost) -> bool:
        """Everything of the post anew, unless it changed or became due."""
        post = new.post
        async with self._database.tx(caller.workspace_id) as conn:
            await conn.execute(posts.ONE_BY_ONE, {"workspace_id": caller.workspace_id})
            before = (await conn.execute(_LOCK_TARGETS, _key(caller, post.post_id))).mappings().all()
            if any(row["status"] != TargetStatus.SCHEDULED or row["claimed"] for row in before):
                return False
            if (await conn.execute(_UPDATE_POST, _values(caller, new))).rowcount == 0:
                return False
            await conn.execute(_DELETE_TARGETS, _key(caller, post.post_id))
            await posts.check_quota(conn, caller, new)
            await conn.execute(posts.INSERT_TARGET, [posts.target_values(caller, post, it) for it in post.targets])
            for facts in new.media:
                bind = {**_key(caller, post.post_id), "media_id": facts.media_id, "alt_text": facts.alt_text}
                await conn.execute(_ALT_TEXT, bind)
            kept = [facts.media_id for facts in new.media]
            await imports.keep(conn, caller.workspace_id, post, plan=new.plan)
            await conn.execute(_LET_GO, {**_key(caller, post.post_id), "media_ids": kept})
            if post.status is PostStatus.SCHEDULED:
                told = posts.scheduled(caller, post.post_id, version=post.version + 1)
                await outbox.emit(conn, posts.SCHEMA, told)
            else:
                await _announce(conn, caller, post.post_id, (it.index for it in post.targets))
        return True

    async def cancel(self, caller: Caller, post_id: str) -> bool:
        """Ends what nothing was sent of: a target that an intent was committed for is `publishing`."""
        async with self._database.tx(caller.workspace_id) as conn:
            if (await conn.execute(_CANCEL, _key(caller, post_id))).rowcount == 0:
                return False
            await refresh_post(conn, caller.workspace_id, post_id)
        return True

    async def requeue(self, caller: Caller, post_id: str, of: Collection[TargetStatus], *, plan: str) -> bool:
        """Makes targets due that had come to their end."""
        now = datetime.now(UTC)
        month = plans.period(now)
        async with self._database.tx(caller.workspace_id) as conn:
            await conn.execute(posts.ONE_BY_ONE, {"workspace_id": caller.workspace_id})
            spent = await posts.spent_in(conn, caller, month)
            bind = {**_key(caller, post_id), "of": [it.value for it in of]}
            found = list((await conn.execute(_REQUEUE, bind)).scalars())
            if not found:
                return False
            await imports.once_more(conn, caller.workspace_id, post_id)
            plans.check(plan, month, now=now, used=spent.used, open_targets=spent.open_targets, wanted=len(found))
            await refresh_post(conn, caller.workspace_id, post_id)
            await _announce(conn, caller, post_id, found)
        return True


async def _announce(conn: AsyncConnection, caller: Caller, post_id: str, due: Iterable[int]) -> None:
    for index in due:
        await outbox.emit(conn, posts.SCHEMA, posts.queued(caller, post_id, index))


def _key(caller: Caller, post_id: str) -> dict[str, object]:
    return {"workspace_id": caller.workspace_id, "post_id": post_id}


def _values(caller: Caller, new: NewPost) -> dict[str, object]:
    post: Post = new.post
    return {
        **_key(caller, post.post_id),
        "text": post.text,
        "media": rows.dump(rows.media_json(post.media)),
        "status": post.status.value,
        "scheduled_at": post.scheduled_at,
        "request_id": new.request_id,
        "version": post.version,
    }
