"""What follows from a target's new state: the post's state, its event, its waiters, and which media it still holds."""

from mediaapi.v1 import events_pb2, post_pb2
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.common import db, events, outbox
from services.publisher.adapters.postgres.posts import SCHEMA, SETTLED_CHANNEL
from services.publisher.domain.post import SETTLED_POSTS, TargetStatus, post_status

_LOCK = text("SELECT status FROM publisher.posts WHERE workspace_id = :workspace_id AND id = :post_id FOR UPDATE")
_STATES = text("SELECT status FROM publisher.targets WHERE workspace_id = :workspace_id AND post_id = :post_id")
_UPDATE = text(
    "UPDATE publisher.posts SET status = :status, version = version + 1"
    " WHERE workspace_id = :workspace_id AND id = :post_id RETURNING version"
)
_LET_GO = text(
    "UPDATE publisher.post_media SET needed = false WHERE workspace_id = :workspace_id AND post_id = :post_id"
)


async def refresh_post(conn: AsyncConnection, workspace_id: str, post_id: str) -> None:
    """Brings the post's state in line with its targets', in the caller's transaction.

    The post's row is locked first, so that of two targets settling at once the later one sees both.
    """
    bind = {"workspace_id": workspace_id, "post_id": post_id}
    before = (await conn.execute(_LOCK, bind)).scalar_one()
    status = post_status([TargetStatus(it) for it in (await conn.execute(_STATES, bind)).scalars()])
    if status.value == before:
        return
    version = (await conn.execute(_UPDATE, {**bind, "status": status.value})).scalar_one()
    if status not in SETTLED_POSTS:
        return
    await conn.execute(_LET_GO, bind)
    payload = events_pb2.PostSettled(status=post_pb2.PostStatus.Value(f"POST_STATUS_{status.name}"))
    event = events.event(payload, workspace_id=workspace_id, subject_id=post_id, version=version)
    await outbox.emit(conn, SCHEMA, event)
    await db.notify(conn, SETTLED_CHANNEL, post_id)
