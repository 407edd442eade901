"""Targets, as the engine sees them: claims, attempts and results.

`next_at` says when a target is next anybody's: the time of a retry while nobody works on it, the end of the lease while
somebody does. `epoch` fences: it grows with every claim, and a write that names an older one changes nothing.
"""

from collections.abc import Mapping, Sequence

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.common.db import Database
from services.publisher.adapters.postgres import imports, rows
from services.publisher.adapters.postgres.leftovers import ending
from services.publisher.adapters.postgres.settling import refresh_post
from services.publisher.domain.delivery import Again, Counters, Stop
from services.publisher.domain.plans import period
from services.publisher.domain.post import JSON, TargetError, TargetStatus
from services.publisher.ports import Attempt, Chosen, Claim, LeaseLostError, Published, SealedBytes, Work

_SAME = "workspace_id = :workspace_id AND post_id = :post_id AND index = :index"
_HELD = f"{_SAME} AND epoch = :epoch AND claimed"
_COUNTERS = "tries = :tries, checks = :checks, waits = :waits, waiting_since = :waiting_since"

_CLAIM = text(
    "WITH due AS (SELECT workspace_id, post_id, index, status FROM publisher.targets WHERE next_at <= now()"
    " ORDER BY next_at LIMIT :limit FOR UPDATE SKIP LOCKED)"
    " UPDATE publisher.targets t SET epoch = t.epoch + 1, claimed = true, next_at = now() + :lease_s * interval '1 s',"
    " status = CASE t.status WHEN 'scheduled' THEN 'queued' ELSE t.status END FROM due"
    " WHERE t.workspace_id = due.workspace_id AND t.post_id = due.post_id AND t.index = due.index"
    " RETURNING t.workspace_id, t.post_id, t.index, t.epoch, due.status AS was"
)
_NEXT_DUE = text(
    "SELECT extract(epoch FROM min(next_at) - now())::float8 FROM publisher.targets"
    " WHERE next_at > now() AND next_at <= now() + :within_s * interval '1 s'"
)
_EXTEND = text(f"UPDATE publisher.targets SET next_at = now() + :lease_s * interval '1 s' WHERE {_HELD}")  # noqa: S608
_LOAD_TARGET = text(
    f"SELECT {rows.TARGET_COLUMNS}, checks, waits, waiting_since, chosen, progress FROM publisher.targets WHERE {_HELD}"  # noqa: S608
)
_LOAD_POST = text(
    f"SELECT {rows.POST_COLUMNS}, request_id, traceparent FROM publisher.posts"  # noqa: S608
    " WHERE workspace_id = :workspace_id AND id = :post_id"
)
_LOAD_ATTEMPT = text(
    "SELECT number, handle, prepared, since, outcome FROM publisher.attempts WHERE workspace_id = :workspace_id"
    " AND post_id = :post_id AND target_index = :index ORDER BY number DESC LIMIT 1"
)
_LOAD_MEDIA = text(
    "SELECT media_id, alt_text FROM publisher.post_media WHERE workspace_id = :workspace_id AND post_id = :post_id"
)
_CHOOSE = text(
    f"UPDATE publisher.targets SET chosen = CAST(:chosen AS jsonb), preset = :preset, {_COUNTERS} WHERE {_HELD}"  # noqa: S608
)
_PROGRESS = text(
    "UPDATE publisher.targets SET"  # noqa: S608
    " progress = progress - CAST(:step AS text) || jsonb_build_object(CAST(:name AS text), CAST(:state AS jsonb))"
    f" WHERE {_HELD}"
)
_INTEND = text(
    f"UPDATE publisher.targets SET status = 'publishing', {_COUNTERS} WHERE {_HELD} AND next_at > now()"  # noqa: S608
)
_CLOSE_OPEN = text(
    "UPDATE publisher.attempts SET outcome = :outcome, ended_at = now(), error_code = :error_code,"
    " error_message = :error_message WHERE workspace_id = :workspace_id AND post_id = :post_id"
    " AND target_index = :index AND outcome IS NULL"
)
_OPEN = text(
    "INSERT INTO publisher.attempts (workspace_id, post_id, target_index, number, handle, prepared)"
    " SELECT :workspace_id, :post_id, :index, coalesce(max(number), 0) + 1, :handle, CAST(:prepared AS jsonb)"
    " FROM publisher.attempts WHERE workspace_id = :workspace_id AND post_id = :post_id AND target_index = :index"
    " RETURNING number, handle, prepared, since, outcome"
)
_AGAIN = text(
    f"UPDATE publisher.targets SET status = :status, {_COUNTERS}, claimed = false,"  # noqa: S608
    " next_at = now() + :delay_s * interval '1 s', error_code = :error_code, error_message = :error_message,"
    " chosen = CASE WHEN :rebuild THEN NULL ELSE chosen END,"
    f" progress = CASE WHEN :rebuild THEN '{{}}' ELSE progress END WHERE {_HELD}"
)
_HAND_BACK = text(f"UPDATE publisher.targets SET claimed = false, next_at = now() WHERE {_HELD}")  # noqa: S608
_STOP = ending(
    _HELD,
    "status = :status, claimed = false, next_at = NULL, error_code = :error_code, error_message = :error_message",
)
_PUBLISHED = text(
    "UPDATE publisher.targets SET status = 'published', claimed = false, next_at = NULL, epoch = epoch + 1,"  # noqa: S608
    " error_code = NULL, error_message = NULL, platform_post_id = :platform_post_id, url = :url, published_at = now(),"
    f" progress = '{{}}' WHERE {_SAME} AND status <> 'published' RETURNING platform, published_at"
)
_ONE_BY_ONE = text("SELECT pg_advisory_xact_lock(hashtextextended(:platform_post_id, 0))")
_ANOTHERS = text(
    "SELECT 1 FROM publisher.targets mine JOIN publisher.targets another USING (workspace_id, account_id)"
    " WHERE mine.workspace_id = :workspace_id AND mine.post_id = :post_id AND mine.index = :index"
    " AND another.platform_post_id = :platform_post_id"
    " AND (another.post_id, another.index) <> (mine.post_id, mine.index) LIMIT 1"
)
_CLOSE_PUBLISHED = text(
    "UPDATE publisher.attempts SET outcome = 'published', ended_at = now() WHERE workspace_id = :workspace_id"
    " AND post_id = :post_id AND target_index = :index AND number = :number"
)
_METER = text(
    "INSERT INTO publisher.usage (workspace_id, post_id, target_index, platform, live, period)"
    " SELECT :workspace_id, :post_id, :index, :platform, live, :period FROM publisher.posts"
    " WHERE workspace_id = :workspace_id AND id = :post_id ON CONFLICT DO NOTHING"
)
_WAKE = text(
    "UPDATE publisher.targets t SET next_at = now() FROM publisher.post_media m"
    " WHERE m.workspace_id = :workspace_id AND m.media_id = :media_id AND m.released_at IS NULL"
    " AND t.workspace_id = m.workspace_id AND t.post_id = m.post_id AND t.status = 'waiting_media' AND NOT t.claimed"
)


class PostgresDeliveries:
    """ports.Deliveries over PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def claim(self, limit: int, lease_s: float) -> Sequence[Claim]:
        """Up to `limit` targets that are due and that nobody works on, longest due first."""
        async with self._database.system_tx() as conn:
            found = (await conn.execute(_CLAIM, {"limit": limit, "lease_s": lease_s})).mappings().all()
            started = {(row["workspace_id"], row["post_id"]) for row in found if row["was"] == TargetStatus.SCHEDULED}
            for workspace_id, post_id in sorted(started):
                await refresh_post(conn, workspace_id, post_id)
        return [
            Claim(workspace_id=row["workspace_id"], post_id=row["post_id"], index=row["index"], epoch=row["epoch"])
            for row in found
        ]

    async def next_due_s(self, within_s: float) -> float | None:
        """Seconds until a target becomes due; None if none does within that time."""
        async with self._database.system_tx() as conn:
            return (await conn.execute(_NEXT_DUE, {"within_s": within_s})).scalar_one()  # type: ignore[no-any-return]

    async def extend(self, claim: Claim, lease_s: float) -> None:
        """Moves the end of the lease to lease_s from now."""
        async with self._database.tx(claim.workspace_id) as conn:
            await _fenced(conn, _EXTEND, claim, lease_s=lease_s)

    async def load(self, claim: Claim) -> Work:
        """All that is known of the target."""
        bind = _key(claim)
        async with self._database.tx(claim.workspace_id) as conn:
            target = (await conn.execute(_LOAD_TARGET, bind)).mappings().one_or_none()
            if target is None:
                raise LeaseLostError
            post = (await conn.execute(_LOAD_POST, bind)).mappings().one()
            attempt = (await conn.execute(_LOAD_ATTEMPT, bind)).mappings().one_or_none()
            media = (await conn.execute(_LOAD_MEDIA, bind)).mappings().all()
            fetched = await imports.of_posts(conn, claim.workspace_id, [claim.post_id])
        whole, steps = rows.post(post, [target], fetched), rows.steps(target["progress"])
        return Work(
            claim=claim,
            live=whole.live,
            request_id=post["request_id"],
            traceparent=post["traceparent"],
            post=whole,
            target=whole.targets[0],
            counters=rows.counters(target),
            chosen=rows.chosen(target["chosen"]),
            progress=steps.plain,
            sealed=steps.sealed,
            last_attempt=None if attempt is None else rows.attempt(attempt),
            media_alt={row["media_id"]: row["alt_text"] for row in media},
            import_errors={name: it.error for name, it in fetched.items() if it.error is not None},
        )

    async def choose(self, claim: Claim, chosen: Chosen, counters: Counters) -> None:
        """Keeps which renditions the target publishes."""
        preset = chosen.assets[0].preset if chosen.assets else None
        document = rows.dump(rows.chosen_json(chosen))
        async with self._database.tx(claim.workspace_id) as conn:
            await _fenced(conn, _CHOOSE, claim, chosen=document, preset=preset, **_counters(counters))

    async def save_progress(self, claim: Claim, step: str, sealed: SealedBytes) -> None:
        """Keeps the state of one step of the preparation."""
        name, state = rows.step_sealed(step, sealed)
        async with self._database.tx(claim.workspace_id) as conn:
            await _fenced(conn, _PROGRESS, claim, step=step, name=name, state=rows.dump(state))

    async def intend(self, claim: Claim, handle: str, prepared: Mapping[str, JSON], counters: Counters) -> Attempt:
        """Commits the next intent; an open one before it was found absent and is closed as that."""
        async with self._database.tx(claim.workspace_id) as conn:
            await _fenced(conn, _INTEND, claim, **_counters(counters))
            await _close_open(conn, claim, "absent", None)
            bind = {**_key(claim), "handle": handle, "prepared": rows.dump(prepared)}
            row = (await conn.execute(_OPEN, bind)).mappings().one()
        return rows.attempt(row)

    async def published(self, claim: Claim, number: int, published: Published) -> bool:
        """Result, usage and state in one transaction; whoever holds the lease. False: it is another target's."""
        bind = {**_key(claim), "platform_post_id": published.platform_post_id, "url": published.url}
        async with self._database.tx(claim.workspace_id) as conn:
            # Two that say the same may be looked up at once.
            await conn.execute(_ONE_BY_ONE, bind)
            if published.looked_up and (await conn.execute(_ANOTHERS, bind)).first() is not None:
                return False
            await conn.execute(_CLOSE_PUBLISHED, {**_key(claim), "number": number})
            row = (await conn.execute(_PUBLISHED, bind)).mappings().one_or_none()
            if row is None:
                return True
            await conn.execute(
                _METER, {**_key(claim), "platform": row["platform"], "period": period(row["published_at"])}
            )
            await refresh_post(conn, claim.workspace_id, claim.post_id)
        return True

    async def again(self, claim: Claim, again: Again, error: TargetError | None) -> None:
        """Puts the target back. With an error, an open intent is closed as not sent; else it stays open."""
        async with self._database.tx(claim.workspace_id) as conn:
            await _fenced(
                conn,
                _AGAIN,
                claim,
                status=again.status.value,
                delay_s=again.delay_s,
                rebuild=again.rebuild,
                **_error(error),
                **_counters(again.counters),
            )
            if error is not None:
                await _close_open(conn, claim, "not_sent", error)

    async def hand_back(self, claim: Claim) -> None:
        """Makes the target due at once, as it is: its worker stops."""
        async with self._database.tx(claim.workspace_id) as conn:
            await _fenced(conn, _HAND_BACK, claim)

    async def stop(self, claim: Claim, stop: Stop) -> None:
        """Settles the target without success."""
        outcome = "unconfirmed" if stop.status is TargetStatus.UNCONFIRMED else "not_sent"
        async with self._database.tx(claim.workspace_id) as conn:
            await _fenced(conn, _STOP, claim, status=stop.status.value, **_error(stop.error))
            await _close_open(conn, claim, outcome, stop.error)
            await refresh_post(conn, claim.workspace_id, claim.post_id)

    async def media_settled(self, workspace_id: str, media_id: str) -> None:
        """Makes the targets that wait for this item due."""
        async with self._database.tx(workspace_id) as conn:
            await conn.execute(_WAKE, {"workspace_id": workspace_id, "media_id": media_id})


async def _fenced(conn: AsyncConnection, statement: TextClause, claim: Claim, **values: object) -> None:
    if (await conn.execute(statement, {**_key(claim), **values})).rowcount != 1:
        raise LeaseLostError


async def _close_open(conn: AsyncConnection, claim: Claim, outcome: str, error: TargetError | None) -> None:
    await conn.execute(_CLOSE_OPEN, {**_key(claim), "outcome": outcome, **_error(error)})


def _key(claim: Claim) -> dict[str, object]:
    return {
        "workspace_id": claim.workspace_id,
        "post_id": claim.post_id,
        "index": claim.index,
        "epoch": claim.epoch,
    }


def _counters(counters: Counters) -> dict[str, object]:
    return {
        "tries": counters.tries,
        "checks": counters.checks,
        "waits": counters.waits,
        "waiting_since": counters.waiting_since,
    }


def _error(error: TargetError | None) -> dict[str, object]:
    return {"error_code": error and error.code, "error_message": error and error.message}
