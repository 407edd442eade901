"""Writes down how far a target came, and does not give up at the first refusal of the database."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import TypeVar

from services.platforms import ports as platforms
from services.publisher.app.steps import Steps
from services.publisher.domain.delivery import Again, Counters, Decision, Stop
from services.publisher.domain.post import JSON, TargetError, TargetStatus
from services.publisher.ports import Attempt, Caller, Deliveries, LeaseLostError, Meter, Published, Work

log = logging.getLogger("publisher.recording")

T = TypeVar("T")

TRIES = 5  # of a result that the database did not take, PAUSE_S apart
PAUSE_S = 2.0
PREPARED = "prepared"  # the step that holds what is secret of what was prepared


class Recorder:
    """Results of one target. What settles it returns the seconds until it is due again, None if never."""

    def __init__(self, deliveries: Deliveries, steps: Steps, meter: Meter) -> None:
        self._deliveries = deliveries
        self._steps = steps
        self._meter = meter

    async def intend(self, work: Work, handle: str, prepared: Mapping[str, JSON], counters: Counters) -> Attempt:
        """Commits the next intent. What is secret in `prepared` is sealed before that, and put back by told()."""
        if platforms.SECRET in prepared:
            await self._steps.save(work.claim, PREPARED, {platforms.SECRET: prepared[platforms.SECRET]})
        plain = {name: value for name, value in prepared.items() if name != platforms.SECRET}
        return replace(await self._deliveries.intend(work.claim, handle, plain, counters), prepared=prepared)

    async def published(self, work: Work, attempt: Attempt, receipt: platforms.Receipt) -> bool:
        """It is live. False, and nothing is recorded: what was looked up is another target's post."""
        published = Published(receipt.platform_post_id, receipt.url, receipt.looked_up)
        if not await self._record(lambda: self._deliveries.published(work.claim, attempt.number, published)):
            log.info("another target's", extra={**names(work), "platform_post_id": receipt.platform_post_id})
            return False
        self._meter.settled(work.target.platform, TargetStatus.PUBLISHED)
        log.info("published", extra={**names(work), "attempt": attempt.number})
        return True

    async def under_way(self, work: Work, attempt: Attempt, found: Mapping[str, JSON]) -> None:
        """What the platform told of a post it is at work on; see told()."""
        if found:
            await self._record(lambda: self._steps.save(work.claim, _step(attempt), found))

    async def settle(self, work: Work, decision: Decision, error: TargetError | None = None) -> float | None:
        """Puts the target back, or ends it. With an error the open attempt, if any, is known not to be sent."""
        if isinstance(decision, Again):
            await self._record(lambda: self._deliveries.again(work.claim, decision, error))
            return decision.delay_s
        await self._record(lambda: self._deliveries.stop(work.claim, decision))
        self._meter.settled(work.target.platform, decision.status)
        log.info("settled", extra={**names(work), "status": decision.status.value, "code": decision.error.code})
        return None

    async def stop(self, work: Work, code: str, message: str) -> float | None:
        """It failed for good."""
        return await self.settle(work, Stop(TargetStatus.FAILED, TargetError(code, message)))

    async def give_up(self, work: Work, code: str, message: str) -> float | None:
        """Nobody can ask the platform any more: what was sent stays in doubt for good."""
        if work.open_attempt is None:
            return await self.stop(work, code, message)
        error = TargetError("publish_unconfirmed", f"It was sent, and cannot be confirmed any more. {message}")
        return await self.settle(work, Stop(TargetStatus.UNCONFIRMED, error))

    async def _record(self, write: Callable[[], Awaitable[T]]) -> T:
        """A result the database cannot take would leave a doubt on the platform, so it is offered more than once."""
        for _ in range(TRIES - 1):
            try:
                return await write()
            except LeaseLostError:
                raise
            except Exception:
                log.exception("the result was not recorded; once more")
            await asyncio.sleep(PAUSE_S)
        return await write()


def told(work: Work, attempt: Attempt) -> Mapping[str, JSON]:
    """What was prepared for the attempt, and what the platform told when it took the post."""
    return {**attempt.prepared, **work.progress.get(PREPARED, {}), **work.progress.get(_step(attempt), {})}


def _step(attempt: Attempt) -> str:
    """One attempt's alone: what an earlier one was told is no evidence of a later one."""
    return f"attempt{attempt.number}"


def caller(work: Work) -> Caller:
    """On whose behalf."""
    return Caller(work.claim.workspace_id, work.live)


def names(work: Work) -> dict[str, object]:
    """For the log."""
    return {
        "workspace_id": work.claim.workspace_id,
        "post_id": work.claim.post_id,
        "target": work.claim.index,
        "platform": work.target.platform,
    }
