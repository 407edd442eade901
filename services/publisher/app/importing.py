"""Has the files fetched that posts name by URL, each once, while their targets wait.

Ingest does the fetching, behind its guard.
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime

from services.common import context
from services.common.errors import MediaError
from services.publisher.app.composing import PIN_LIFE
from services.publisher.app.due import DueWork
from services.publisher.domain.post import TargetError
from services.publisher.ports import ImportClaim, Imports, MediaFacts, MediaSource

log = logging.getLogger("publisher.importing")

SLOTS = 8  # fetched at once: a slow server holds one of them for 45 s
LEASE_S = 90.0  # longer than a fetch may take
RETRY_S = (2.0, 10.0)  # after what may pass: a server that is away, a scanner, a store


class Importer(DueWork):
    """The one loop that starts imports."""

    def __init__(self, imports: Imports, media: MediaSource, *, now: Callable[[], datetime]) -> None:
        super().__init__()
        self._imports = imports
        self._media = media
        self._now = now

    async def _start_due(self) -> None:
        free = SLOTS - len(self._running)
        if free <= 0:
            return
        try:
            claims = await self._imports.claim(free, LEASE_S)
        except MediaError as exc:  # the database is away: asked again at the next poll
            log.warning("nothing could be claimed", extra={"why": exc.why})
            return
        for claim in claims:
            self._begin(self.fetch(claim), f"import-{claim.import_id}")

    async def fetch(self, claim: ImportClaim) -> None:
        """One file: it is there afterwards, or put back, or cannot be had."""
        caller = context.CallContext(claim.workspace_id, claim.request_id, plan=claim.plan, live=claim.live)
        with context.use(caller):
            if not claim.wanted:
                await self._imports.failed(claim, TargetError("post_settled", "The post needed it no more."))
                return
            try:
                await self._take(claim)
            except MediaError as exc:
                await self._refused(claim, exc)
            except asyncio.CancelledError:
                await self._imports.again(claim, 0.0)
                raise

    async def _take(self, claim: ImportClaim) -> None:
        # A process may end between the fetch and the word of it: the next one gets what this one stored.
        key = f"{claim.post_id}/{claim.import_id}"
        facts: MediaFacts = await self._media.import_url(claim.url, claim.kind, claim.alt_text, key)
        await self._media.pin(facts.media_id, claim.post_id, max(claim.due_at, self._now()) + PIN_LIFE)
        if await self._imports.done(claim, facts):
            log.info("imported", extra={"post_id": claim.post_id, "media_id": facts.media_id})
            return
        await self._media.unpin(facts.media_id, claim.post_id)

    async def _refused(self, claim: ImportClaim, exc: MediaError) -> None:
        log.info("not imported", extra={"post_id": claim.post_id, "code": exc.code.value, "tries": claim.tries})
        if exc.row.retryable and claim.tries < len(RETRY_S):
            await self._imports.again(claim, RETRY_S[claim.tries])
        else:
            await self._imports.failed(claim, TargetError(exc.code.value, exc.message))
