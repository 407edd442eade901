"""Idempotency-Key around one request: claim, run, keep the first answer."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable

from services.common.errors import MediaError
from services.gateway.domain import replays
from services.gateway.domain.replays import Prior, Scope, StoredAnswer
from services.gateway.ports import Replays

LEASE_S = 30.0
RETRY_AFTER_S = 2

log = logging.getLogger(__name__)


class Claim:
    """One request's hold on its Idempotency-Key, or what an earlier request left there (`prior`)."""

    def __init__(self, table: Replays, scope: Scope, token: str, prior: Prior | None) -> None:
        self.prior = prior
        self._table = table
        self._scope = scope
        self._token = token
        self._over = prior is not None

    def replay(self, fingerprint: bytes) -> StoredAnswer:
        """The first answer again. Raises: MediaError IDEMPOTENCY_CONFLICT or IDEMPOTENCY_IN_PROGRESS."""
        if self.prior is None:
            raise ValueError("nothing to replay: this request is the first")
        return replays.replay(self.prior, fingerprint, RETRY_AFTER_S)

    async def settle(self, fingerprint: bytes, answer: StoredAnswer) -> None:
        """Keep the answer for 24 hours, where it is worth keeping."""
        if self._over or not replays.worth_keeping(answer.status):
            return
        self._over = True
        await self._table.settle(self._scope, token=self._token, fingerprint=fingerprint, answer=answer)

    async def heartbeat(self) -> None:
        """Hold on for as long as the request runs."""
        while not self._over:
            await asyncio.sleep(LEASE_S / 3)
            try:
                await self._table.extend(self._scope, token=self._token, lease_s=LEASE_S)
            except MediaError as exc:  # The lease outlives a short absence of the database.
                log.warning("claim not extended", extra={"code": str(exc.code)})

    async def close(self) -> None:
        """Let go, unless an answer was kept."""
        if not self._over:
            self._over = True
            await self._table.release(self._scope, token=self._token)


class Idempotency:
    """Makes POSTs safe to repeat."""

    def __init__(self, table: Replays, *, new_token: Callable[[], str]) -> None:
        self._table = table
        self._new_token = new_token

    @contextlib.asynccontextmanager
    async def claim(self, scope: Scope, fingerprint: bytes | None) -> AsyncIterator[Claim]:
        """Hold `scope` for the request inside; `fingerprint` is None where the content is known only at its end.

        Raises:
            MediaError: IDEMPOTENCY_IN_PROGRESS at once where the first request still runs, so that an upload is not
                sent in vain; IDEMPOTENCY_CONFLICT where the content is known to be another.
        """
        token = self._new_token()
        prior = await self._table.claim(scope, token=token, fingerprint=fingerprint, lease_s=LEASE_S)
        if prior is not None and (prior.answer is None or fingerprint is not None):
            replays.replay(prior, fingerprint or prior.fingerprint or b"", RETRY_AFTER_S)
        held = Claim(self._table, scope, token, prior)
        pulse = asyncio.create_task(held.heartbeat())
        try:
            yield held
        finally:
            pulse.cancel()
            await held.close()
