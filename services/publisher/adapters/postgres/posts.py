"""Posts, as callers see them."""

import asyncio
from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import timedelta

from mediaapi.v1 import events_pb2
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.common import events, outbox, telemetry
from services.common.db import Database, Wakeups
from services.publisher.adapters.postgres import imports, rows
from services.publisher.domain import plans
from services.publisher.domain.post import Post, PostStatus, Target
from services.publisher.ports import Caller, NewPost, Position, Spent

SCHEMA = "publisher"
SETTLED_CHANNEL = "publisher_post_settled"
KEY_LIFE = timedelta(hours=24)  # how long an idempotency key is remembered: api.md of the public contract

# New posts of a workspace come one after the other, so that many at once cannot pass the plan's number together.
ONE_BY_ONE = text("SELECT pg_advisory_xact_lock(hashtextextended(:workspace_id, 0))")
_INSERT_POST = text(
    "INSERT INTO publisher.posts"
    " (workspace_id, id, live, text, media, status, idempotency_key, request_id, traceparent, scheduled_at, created_at)"
    " VALUES (:workspace_id, :id, :live, :text, CAST(:media AS jsonb), :status, :idempotency_key, :request_id,"
    " :traceparent, :scheduled_at, :created_at)"
    " ON CONFLICT (workspace_id, live, idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING"
)
INSERT_TARGET = text(
    "INSERT INTO publisher.targets"
    " (workspace_id, post_id, index, platform, account_id, text, media, options, status, next_at)"
    " VALUES (:workspace_id, :post_id, :index, :platform, :account_id, :text, CAST(:media AS jsonb),"
    " CAST(:options AS jsonb), :status, coalesce(:scheduled_at, now()))"
)
_INSERT_MEDIA = text(
    "INSERT INTO publisher.post_media (workspace_id, post_id, media_id, alt_text)"
    " VALUES (:workspace_id, :post_id, :media_id, :alt_text)"
)
_FORGET_KEY = text(
    "UPDATE publisher.posts SET idempotency_key = NULL WHERE workspace_id = :workspace_id AND live = :live"
    " AND idempotency_key = :idempotency_key AND created_at < now() - CAST(:life AS interval)"
)
_BY_KEY = text(
    f"SELECT {rows.POST_COLUMNS} FROM publisher.posts WHERE workspace_id = :workspace_id AND live = :live"  # noqa: S608
    " AND idempotency_key = :idempotency_key AND created_at >= now() - CAST(:life AS interval)"
)
_BY_ID = text(
    f"SELECT {rows.POST_COLUMNS} FROM publisher.posts"  # noqa: S608  column names of ours
    " WHERE workspace_id = :workspace_id AND live = :live AND id = :id"
)
_PAGE = text(
    f"SELECT {rows.POST_COLUMNS} FROM publisher.posts"  # noqa: S608
    " WHERE workspace_id = :workspace_id AND live = :live"
    " AND (CAST(:status AS text) IS NULL OR status = :status)"
    " AND (CAST(:after_time AS timestamptz) IS NULL OR (created_at, id) < (:after_time, :after_id))"
    " ORDER BY created_at DESC, id DESC LIMIT :limit"
)
_TARGETS = text(
    f"SELECT {rows.TARGET_COLUMNS} FROM publisher.targets"  # noqa: S608
    " WHERE workspace_id = :workspace_id AND post_id = ANY(:post_ids) ORDER BY index"
)
_SPENT = text(
    "SELECT (SELECT count(*) FROM publisher.usage WHERE workspace_id = :workspace_id AND live = :live"
    " AND period = :period) AS used,"
    " (SELECT count(*) FROM publisher.targets t JOIN publisher.posts p ON p.workspace_id = t.workspace_id"
    " AND p.id = t.post_id WHERE t.workspace_id = :workspace_id AND p.live = :live AND t.next_at IS NOT NULL"
    " AND to_char(greatest(p.created_at, p.scheduled_at) AT TIME ZONE 'UTC', 'YYYY-MM') = :period) AS open_targets"
)


class PostgresPosts:
    """ports.Posts over PostgreSQL."""

    def __init__(self, database: Database, settled: Wakeups) -> None:
        self._database = database
        self._settled = settled

    async def by_key(self, caller: Caller, idempotency_key: str) -> Post | None:
        """The post this key made in the last 24 h."""
        bind = {**_scope(caller), "idempotency_key": idempotency_key, "life": KEY_LIFE}
        async with self._database.tx(caller.workspace_id) as conn:
            found = (await conn.execute(_BY_KEY, bind)).mappings().all()
            posts = await _with_targets(conn, caller, found)
        return posts[0] if posts else None

    async def add(self, caller: Caller, new: NewPost) -> bool:
        """Keeps the post, its targets and media, and queues what is due; False if the key was used meanwhile."""
        async with self._database.tx(caller.workspace_id) as conn:
            await conn.execute(ONE_BY_ONE, {"workspace_id": caller.workspace_id})
            if new.idempotency_key is not None:
                bind = {**_scope(caller), "idempotency_key": new.idempotency_key, "life": KEY_LIFE}
                await conn.execute(_FORGET_KEY, bind)
            inserted = await conn.execute(_INSERT_POST, _post_values(caller, new))
            if inserted.rowcount == 0:
                return False
            await check_quota(conn, caller, new)
            await conn.execute(INSERT_TARGET, [target_values(caller, new.post, it) for it in new.post.targets])
            await imports.keep(conn, caller.workspace_id, new.post, plan=new.plan)
            if new.media:
                await conn.execute(
                    _INSERT_MEDIA,
                    [
                        {
                            "workspace_id": caller.workspace_id,
                            "post_id": new.post.post_id,
                            "media_id": facts.media_id,
                            "alt_text": facts.alt_text,
                        }
                        for facts in new.media
                    ],
                )
            if new.post.status is PostStatus.SCHEDULED:
                await outbox.emit(conn, SCHEMA, scheduled(caller, new.post.post_id, version=1))
                return True
            for target in new.post.targets:
                await outbox.emit(conn, SCHEMA, queued(caller, new.post.post_id, target.index))
        return True

    async def get(self, caller: Caller, post_id: str) -> Post | None:
        """One post of the caller's."""
        async with self._database.tx(caller.workspace_id) as conn:
            found = (await conn.execute(_BY_ID, {**_scope(caller), "id": post_id})).mappings().all()
            posts = await _with_targets(conn, caller, found)
        return posts[0] if posts else None

    async def page(
        self, caller: Caller, *, limit: int, after: Position | None, status: PostStatus | None
    ) -> Sequence[Post]:
        """Up to `limit` posts, newest first."""
        bind = {**_scope(caller), **position(after), "limit": limit, "status": status and status.value}
        async with self._database.tx(caller.workspace_id) as conn:
            found = (await conn.execute(_PAGE, bind)).mappings().all()
            return await _with_targets(conn, caller, found)

    def watch(self, post_id: str) -> AbstractContextManager[asyncio.Event]:
        """Set when the post is settled while inside."""
        return self._settled.watch(post_id)

    async def spent(self, caller: Caller, period: str) -> Spent:
        """Targets published in `period`, and targets due in it and not settled yet."""
        async with self._database.tx(caller.workspace_id) as conn:
            return await spent_in(conn, caller, period)


async def check_quota(conn: AsyncConnection, caller: Caller, new: NewPost) -> None:
    """What others have used by now counts too. Raises QUOTA_EXCEEDED."""
    month = plans.due_period(new.post.created_at, new.post.scheduled_at)
    spent = await spent_in(conn, caller, month)
    plans.check(
        new.plan,
        month,
        now=new.post.created_at,
        used=spent.used,
        open_targets=spent.open_targets,
        wanted=len(new.post.targets),
    )


async def spent_in(conn: AsyncConnection, caller: Caller, period: str) -> Spent:
    """Targets published in `period`, and targets due in it and not settled yet."""
    row = (await conn.execute(_SPENT, {**_scope(caller), "period": period})).mappings().one()
    return Spent(row["used"], row["open_targets"])


def position(after: Position | None) -> dict[str, object]:
    """The parameters that continue a newest-first list."""
    return {"after_time": after and after.created_at, "after_id": after and after.id}


def _scope(caller: Caller) -> dict[str, object]:
    return {"workspace_id": caller.workspace_id, "live": caller.live}


def _post_values(caller: Caller, new: NewPost) -> dict[str, object]:
    post = new.post
    return {
        **_scope(caller),
        "id": post.post_id,
        "text": post.text,
        "media": rows.dump(rows.media_json(post.media)),
        "status": post.status.value,
        "idempotency_key": new.idempotency_key,
        "request_id": new.request_id,
        "traceparent": telemetry.traceparent(),
        "scheduled_at": post.scheduled_at,
        "created_at": post.created_at,
    }


def target_values(caller: Caller, post: Post, target: Target) -> dict[str, object]:
    """For INSERT_TARGET."""
    return {
        "workspace_id": caller.workspace_id,
        "post_id": post.post_id,
        "index": target.index,
        "platform": target.platform,
        "account_id": target.account_id,
        "text": target.text,
        "media": None if target.media is None else rows.dump(rows.media_json(target.media)),
        "options": rows.dump(target.options),
        "status": target.status.value,
        "scheduled_at": post.scheduled_at,
    }


def queued(caller: Caller, post_id: str, index: int) -> events_pb2.Event:
    """A target is due."""
    payload = events_pb2.PostQueued(target_index=index)
    return events.event(payload, workspace_id=caller.workspace_id, subject_id=post_id, version=1)


def scheduled(caller: Caller, post_id: str, *, version: int) -> events_pb2.Event:
    """It is held until its time."""
    payload = events_pb2.PostScheduled()
    return events.event(payload, workspace_id=caller.workspace_id, subject_id=post_id, version=version)


async def _with_targets(conn: AsyncConnection, caller: Caller, found: Sequence[rows.Row]) -> list[Post]:
    if not found:
        return []
    post_ids = [row["id"] for row in found]
    bind = {"workspace_id": caller.workspace_id, "post_ids": post_ids}
    targets = (await conn.execute(_TARGETS, bind)).mappings().all()
    fetched = await imports.of_posts(conn, caller.workspace_id, post_ids)
    return [rows.post(row, [it for it in targets if it["post_id"] == row["id"]], fetched) for row in found]
