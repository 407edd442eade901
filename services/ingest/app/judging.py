"""From sealed to promoted or rejected. Nothing moves without a verdict about exactly the sealed bytes."""

import hashlib
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import timedelta
from functools import partial

from services.common.claims import ClaimLostError, hold
from services.common.errors import Code, MediaError
from services.ingest.app.cleaning import Cleaning
from services.ingest.domain.media import GONE, Fault, Media, State, backoff_s, malformed, tampered, unsafe
from services.ingest.ports import Announcement, Change, MediaTable, Outcome, Ref, Row, Scanner, Store, Verdict

log = logging.getLogger(__name__)

LEASE_S = 10.0  # what a killed process delays a verdict by, at most
PROMOTED_GRACE_S = 30.0  # without a word from the transcoder for so long, it is told again


class Judging:
    """The use case behind media_sealed, and of the sweeper that stands in for it.

    Args:
        quarantine_bucket: Where the active store copies from.
    """

    def __init__(
        self, table: MediaTable, scanner: Scanner, active: Store, cleaning: Cleaning, *, quarantine_bucket: str
    ) -> None:
        self._table = table
        self._scanner = scanner
        self._active = active
        self._cleaning = cleaning
        self._bucket = quarantine_bucket

    async def judge(self, ref: Ref) -> None:
        """Takes an item one step on, or notes when to try again. Does nothing to an item that needs nothing."""
        row = await self._table.claim(ref, State.SCANNING, lease_s=LEASE_S)
        if row is not None:
            await self.judge_claimed(row.media, row.verdict)

    async def judge_claimed(self, media: Media, verdict: Verdict | None = None) -> None:
        """The same of an item that the caller has claimed for LEASE_S. verdict: one that was given before."""
        try:
            renew = partial(self._table.renew, media, lease_s=LEASE_S)
            judged = await hold(self._decide(media, verdict), renew, lease_s=LEASE_S, name=media.media_id)
        except ClaimLostError:
            await self._withdraw(media)
        except MediaError as exc:
            if exc.code is Code.OBJECT_CHANGED:
                await self._alarm(media)
            else:
                await self._postpone(media, exc)
        else:
            log.info("judged", extra={"media_id": media.media_id, "state": judged.state, "version": judged.version})
            await self._cleaning.clean(judged)

    async def _decide(self, media: Media, given: Verdict | None) -> Media:
        """Scan, copy, told: each step may be the last before a crash; the next try finds it done, or does it again."""
        verdict = given or await self._scanner.scan(media.sealed, media.content_type)
        if verdict.about != media.sealed:
            raise MediaError(Code.OBJECT_CHANGED, why="the verdict is about other bytes than the sealed ones")
        if verdict.outcome is not Outcome.CLEAN:
            return await self._write(media, lambda row: _rejected(row, verdict))
        try:
            etag = await self._copy(media)
        except MediaError:
            # Whoever tries again need not scan again.
            await self._write(media, lambda row: Change(media=row.media, verdict=verdict, release=False))
            raise
        return await self._write(media, lambda row: _promoted(row, verdict, etag))

    async def _write(self, media: Media, make: Callable[[Row], Change]) -> Media:
        """Changes the item, which others may have touched since it was claimed, if the claim still holds."""

        def fenced(row: Row) -> Change | None:
            held = row.media.state is State.SCANNING and row.media.epoch == media.epoch
            return make(row) if held else None

        done = await self._table.change(Ref(media.workspace_id, media.media_id), fenced)
        if done is None:
            raise ClaimLostError(media.media_id)
        return done

    async def _copy(self, media: Media) -> str:
        """Copies the sealed object out of quarantine and reads the copy back. Returns the copy's etag.

        Raises:
            MediaError: OBJECT_CHANGED, source or copy are not the scanned bytes.
        """
        try:
            etag = await self._active.copy(
                self._bucket, media.quarantine_key, media.active_key, if_match=media.quarantine_etag
            )
        except MediaError as exc:
            if exc.code not in (Code.OBJECT_CHANGED, Code.NOT_FOUND):
                raise
            # The source is another object now, or none, or an earlier try got as far as the copy: the copy tells.
            copy = await self._active.head(media.active_key)
            if copy is None:
                raise MediaError(Code.OBJECT_CHANGED, why="the sealed object was replaced or removed") from exc
            etag = copy.etag
        if await digest(self._active.read(media.active_key, if_match=etag)) != media.sha256:
            await self._active.delete(media.active_key)
            raise MediaError(Code.OBJECT_CHANGED, why="the copy is not what was scanned")
        return etag

    async def _postpone(self, media: Media, exc: MediaError) -> None:
        """Whatever went wrong, it was not the bytes: they wait."""
        log.warning("verdict postponed", extra={"media_id": media.media_id, "code": exc.code, "why": str(exc)})

        with suppress(ClaimLostError):
            await self._write(media, _postponed)

    async def _alarm(self, media: Media) -> None:
        """Somebody or something changed what was sealed. It will never be right again, so it ends here."""
        log.error("sealed bytes changed", extra={"media_id": media.media_id, "key": media.quarantine_key})
        with suppress(ClaimLostError):
            await self._cleaning.clean(await self._write(media, _failed))

    async def _withdraw(self, media: Media) -> None:
        """A copy made for an item that was deleted meanwhile must not stay."""
        log.info("claim lost", extra={"media_id": media.media_id})
        known = await self._table.find(Ref(media.workspace_id, media.media_id))
        if known is None or known.state in GONE:
            await self._active.delete(media.active_key)


def _rejected(row: Row, verdict: Verdict) -> Change:
    # Kept is what the virus scanner said; what else is wrong with the bytes stands in the item itself.
    kept = verdict if verdict.code is None else None
    return Change(media=row.media.fail(_fault(verdict)), verdict=kept, announce=(Announcement.SETTLED,))


def _fault(verdict: Verdict) -> Fault:
    return malformed(verdict.code) if verdict.code else unsafe(verdict.threat, verdict.outcome)


def _promoted(row: Row, verdict: Verdict, etag: str) -> Change:
    due_at = row.now + timedelta(seconds=PROMOTED_GRACE_S)
    promoted = row.media.promote(etag)
    return Change(media=promoted, verdict=verdict, announce=(Announcement.PROMOTED,), due_at=due_at)


def _postponed(row: Row) -> Change:
    tries = row.media.tries + 1
    return Change(media=row.media.tried(tries), due_at=row.now + timedelta(seconds=backoff_s(tries)))


def _failed(row: Row) -> Change:
    return Change(media=row.media.fail(tampered()), announce=(Announcement.SETTLED,))


async def digest(chunks: AsyncIterator[bytes]) -> str:
    """Lower-case hex SHA-256 of everything that comes."""
    sha256 = hashlib.sha256()
    async for chunk in chunks:
        sha256.update(chunk)
    return sha256.hexdigest()
