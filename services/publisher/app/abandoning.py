"""Ends upstream what was begun and nobody goes on with. Nothing depends on it: platforms do so too, later."""

import asyncio
import logging
from collections.abc import Mapping

import httpx

from services.common import context
from services.platforms import ports as platforms
from services.publisher.app.sessions import Sessions
from services.publisher.app.steps import Steps
from services.publisher.domain.post import JSON
from services.publisher.ports import Caller, Leftover, Leftovers

log = logging.getLogger("publisher.abandoning")

BATCH = 20
MAX_S = 30.0  # for one target


class Abandon:
    """Use case: a round over what targets left that failed or were canceled."""

    def __init__(
        self,
        leftovers: Leftovers,
        sessions: Sessions,
        steps: Steps,
        publishers: Mapping[str, platforms.Publisher],
        http: httpx.AsyncClient,
    ) -> None:
        self._leftovers = leftovers
        self._sessions = sessions
        self._steps = steps
        self._publishers = publishers
        self._http = http

    async def __call__(self) -> None:
        """One batch. What breaks off here is not tried again."""
        for left in await self._leftovers.take(BATCH):
            publisher = self._publishers.get(left.platform)
            if not isinstance(publisher, platforms.Abandons):
                continue
            claim = left.claim
            with context.use(context.CallContext(workspace_id=claim.workspace_id, request_id=claim.post_id)):
                await self._left(publisher, left)

    async def _left(self, publisher: platforms.Abandons, left: Leftover) -> None:
        caller = Caller(left.claim.workspace_id, left.live)
        try:
            session = await self._sessions.open(caller, left.account_id)
            progress = await self._steps.opened(left.claim, left.progress, left.sealed)
        except Exception as exc:
            log.warning("what was begun is left to the platform", exc_info=exc, extra={"platform": left.platform})
            return
        if session is not None:
            await abandon(publisher, self._http, session.account, progress)


async def abandon(
    publisher: platforms.Publisher | platforms.Abandons,
    http: httpx.AsyncClient,
    account: platforms.Account,
    progress: Mapping[str, Mapping[str, JSON]],
) -> None:
    """What was begun by this progress, if the platform has a call to end it; raises nothing."""
    if not isinstance(publisher, platforms.Abandons):
        return
    named = {"account_id": account.account_id}
    try:
        async with asyncio.timeout(MAX_S):
            ended = await publisher.abandon(http, account, progress)
    except Exception as exc:
        log.warning("what was begun is left to the platform", exc_info=exc, extra=named)
        return
    if ended:
        log.info("what was begun is ended", extra={**named, "what": ended})
