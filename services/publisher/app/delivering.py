"""The engine: takes one claimed target as far as it goes now. At most once is its whole point.

    renditions chosen → prepared (repeatable) → INTENT committed → published (once) → result committed

An intent without a result, whoever left it, is looked up on the platform and never sent again blindly.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import httpx

from services.common import context
from services.platforms import ports as platforms
from services.publisher.app.choosing import Chooser
from services.publisher.app.sessions import Session, Sessions
from services.publisher.domain import delivery
from services.publisher.domain.delivery import Again, Counters, Decision, Policy, Stop
from services.publisher.domain.post import JSON, TargetError, TargetStatus
from services.publisher.ports import (
    Attempt,
    Caller,
    Chosen,
    Claim,
    Deliveries,
    Files,
    LeaseLostError,
    Pending,
    Published,
    Refused,
    Rendition,
    Work,
)  # fmt: skip

log = logging.getLogger("publisher.delivering")

FaultPoint = Callable[[str], Awaitable[None]]
RECORD_TRIES = 5  # of a result that the database did not take, RECORD_PAUSE_S apart
RECORD_PAUSE_S = 2.0


async def no_fault(point: str) -> None:
    """The fault point of every day: nothing happens there."""


@dataclass(frozen=True, slots=True)
class Job:
    """A target with everything its platform module is called with."""

    work: Work
    publisher: platforms.Publisher
    session: Session
    draft: platforms.Draft


@dataclass(frozen=True, slots=True)
class Progress:
    """platforms.Progress kept in the target's row."""

    deliveries: Deliveries
    claim: Claim
    steps: dict[str, Mapping[str, JSON]]

    def load(self, step: str) -> Mapping[str, JSON] | None:
        """What was saved for this step, by whichever worker."""
        return self.steps.get(step)

    async def save(self, step: str, state: Mapping[str, JSON]) -> None:
        """Commits the state of this step."""
        await self.deliveries.save_progress(self.claim, step, state)
        self.steps[step] = state


class Engine:
    """Use case: deliver one claimed target."""

    def __init__(
        self,
        *,
        deliveries: Deliveries,
        sessions: Sessions,
        chooser: Chooser,
        files: Files,
        publishers: Mapping[str, platforms.Publisher],
        http: httpx.AsyncClient,
        now: Callable[[], datetime],
        random_bytes: Callable[[int], bytes],
        policy: Policy,
        fault_point: FaultPoint = no_fault,
    ) -> None:
        self._deliveries = deliveries
        self._sessions = sessions
        self._chooser = chooser
        self._files = files
        self._publishers = publishers
        self._http = http
        self._now = now
        self._random_bytes = random_bytes
        self._policy = policy
        self._fault_point = fault_point
        self._sending: dict[Claim, asyncio.Task[float | None]] = {}

    async def deliver(self, claim: Claim) -> float | None:
        """Works until the target is settled or put back. Returns the seconds until it is due again, None if never.

        Raises LeaseLostError when another worker has it.
        """
        work = await self._deliveries.load(claim)
        ctx = context.CallContext(workspace_id=claim.workspace_id, request_id=work.request_id, live=work.live)
        with context.use(ctx):
            return await self._deliver(work)

    async def finish_sending(self, claim: Claim) -> None:
        """Waits for a mutation under way, whose result must not be lost because its worker stops."""
        sending = self._sending.get(claim)
        if sending is not None:
            await asyncio.wait({sending})

    async def _deliver(self, work: Work) -> float | None:
        publisher = self._publishers.get(work.target.platform)
        if publisher is None:
            return await self._stop(work, "platform_unknown", f"Nothing publishes to {work.target.platform} here.")
        try:
            session = await self._sessions.open(_caller(work), work.target.account_id)
        except Exception as exc:  # a seal that does not open is ours to repair: the target outlives a wrong key file
            log.exception("credentials do not open", extra=_names(work))
            return await self._fail(work, platforms.Fault.TRANSIENT, "credentials_unreadable", str(exc), None)
        if session is None:
            return await self._account_gone(work)
        chosen = work.chosen or await self._chooser.choose(work)
        if isinstance(chosen, Pending):
            waiting = delivery.waiting_for_media(self._policy, work.counters, self._now())
            return await self._settle(work, waiting)
        if isinstance(chosen, Refused):
            return await self._stop(work, chosen.error.code, chosen.error.message)
        if work.chosen is None:
            await self._deliveries.choose(work.claim, chosen, delivery.arrived(work.counters))
        job = Job(work, publisher, session, self._draft(work, chosen))
        if work.open_attempt is not None:
            return await self._look_up(job, work.open_attempt)
        return await self._prepare_and_send(job)

    async def _prepare_and_send(self, job: Job) -> float | None:
        work = job.work
        if problems := job.publisher.check(job.draft):
            return await self._stop(work, "post_invalid", " ".join(problem.message for problem in problems))
        progress = Progress(self._deliveries, work.claim, dict(work.progress))
        try:
            async with asyncio.timeout(self._policy.prepare_max_s):
                prepared = await job.publisher.prepare(self._http, job.session.account, job.draft, progress)
        except platforms.PlatformError as exc:
            counters = delivery.failed_before_intent(work.counters, exc.fault)
            return await self._fail(work, exc.fault, exc.code, exc.message, exc.retry_after_s, counters, job.session)
        except LeaseLostError:
            raise
        except Exception as exc:  # preparing may be repeated, so whatever went wrong is worth another try
            log.warning("preparing broke off", exc_info=exc, extra=_names(work))
            counters = delivery.failed_before_intent(work.counters, platforms.Fault.TRANSIENT)
            message = "The platform could not be reached, or answered in an unknown way."
            return await self._fail(work, platforms.Fault.TRANSIENT, "upstream_unreachable", message, None, counters)
        # The first handle is kept for good: a platform that knows it refuses a second post under it.
        last = work.last_attempt
        handle = last.handle if last is not None else self._new_handle(job)
        return await self._send(job, handle, prepared)

    def _new_handle(self, job: Job) -> str:
        return job.publisher.new_handle(job.draft, job.session.account, self._now(), self._random_bytes)

    async def _send(self, job: Job, handle: str, prepared: Mapping[str, JSON]) -> float | None:
        """Intent, the one mutation, result. Once the intent is committed, cancelling the worker does not stop it."""
        claim = job.work.claim
        counters = delivery.begun(job.work.counters)
        await self._fault_point("before_intent")
        attempt = await self._deliveries.intend(claim, handle, prepared, counters)
        await self._fault_point("after_intent")
        sending = asyncio.create_task(self._publish(job, attempt, counters))
        self._sending[claim] = sending
        sending.add_done_callback(lambda _: self._sending.pop(claim, None))
        return await asyncio.shield(sending)

    async def _publish(self, job: Job, attempt: Attempt, counters: Counters) -> float | None:
        work = job.work
        try:
            async with asyncio.timeout(self._policy.call_max_s):
                receipt = await job.publisher.publish(
                    self._http, job.session.account, job.draft, attempt.prepared, attempt.handle
                )
        except platforms.PlatformError as exc:
            await self._fault_point("after_refusal")
            return await self._fail(work, exc.fault, exc.code, exc.message, exc.retry_after_s, counters, job.session)
        except Exception as exc:  # no answer says nothing about what the platform did
            log.warning("outcome unknown", exc_info=exc, extra=_names(work))
            await self._fault_point("after_unknown")
            return await self._settle(work, delivery.in_doubt(self._policy, counters))
        await self._fault_point("after_publish")
        return await self._published(work, attempt, receipt)

    async def _look_up(self, job: Job, attempt: Attempt) -> float | None:
        """Finds out what became of an intent without a result."""
        work = job.work
        found: platforms.Receipt | platforms.Absent | platforms.CannotTell
        try:
            async with asyncio.timeout(self._policy.call_max_s):
                found = await job.publisher.reconcile(
                    self._http, job.session.account, job.draft, attempt.prepared, attempt.handle, attempt.since
                )
        except Exception as exc:  # a look-up changes nothing upstream: one that fails is asked again
            log.warning("looking up broke off", exc_info=exc, extra=_names(work))
            found = platforms.CannotTell()
        log.info("looked up", extra={**_names(work), "found": type(found).__name__})
        if isinstance(found, platforms.Receipt):
            return await self._published(work, attempt, found)
        if isinstance(found, platforms.Absent) and found.safe_to_send:
            stop = delivery.may_send_again(self._policy, work.counters)
            return await (
                self._send(job, attempt.handle, attempt.prepared) if stop is None else self._settle(work, stop)
            )
        return await self._settle(work, delivery.still_in_doubt(self._policy, work.counters))

    async def _published(self, work: Work, attempt: Attempt, receipt: platforms.Receipt) -> float | None:
        published = Published(receipt.platform_post_id, receipt.url)
        await self._record(lambda: self._deliveries.published(work.claim, attempt.number, published))
        log.info("published", extra={**_names(work), "attempt": attempt.number})
        return None

    async def _fail(
        self,
        work: Work,
        fault: platforms.Fault,
        code: str,
        message: str,
        retry_after_s: float | None,
        counters: Counters | None = None,
        session: Session | None = None,
    ) -> float | None:
        if fault is platforms.Fault.ACCOUNT and session is not None:
            invalid = await self._sessions.refused(_caller(work), work.target.account_id, session)
            fault = fault if invalid else platforms.Fault.TRANSIENT
        counted = counters or delivery.failed_before_intent(work.counters, fault)
        error = TargetError(code, message)
        decision = delivery.after_failure(self._policy, counted, fault, error, retry_after_s, self._now())
        log.info("not published", extra={**_names(work), "code": code, "fault": fault.value})
        return await self._settle(work, decision, error)

    async def _account_gone(self, work: Work) -> float | None:
        if work.open_attempt is None:
            return await self._stop(work, "account_not_found", "The account was disconnected.")
        error = TargetError(
            "publish_unconfirmed", "It was sent, and the account was disconnected before it was confirmed."
        )
        return await self._settle(work, Stop(TargetStatus.UNCONFIRMED, error))

    async def _stop(self, work: Work, code: str, message: str) -> float | None:
        return await self._settle(work, Stop(TargetStatus.FAILED, TargetError(code, message)))

    async def _settle(self, work: Work, decision: Decision, error: TargetError | None = None) -> float | None:
        if isinstance(decision, Again):
            await self._record(lambda: self._deliveries.again(work.claim, decision, error))
            return decision.delay_s
        await self._record(lambda: self._deliveries.stop(work.claim, decision))
        log.info("settled", extra={**_names(work), "status": decision.status.value, "code": decision.error.code})
        return None

    async def _record(self, write: Callable[[], Awaitable[None]]) -> None:
        """A result the database cannot take would leave a doubt on the platform, so it is offered more than once."""
        for left in reversed(range(RECORD_TRIES)):
            try:
                await write()
            except LeaseLostError:
                raise
            except Exception:
                if not left:
                    raise
                log.exception("the result was not recorded; once more")
            else:
                return
            await asyncio.sleep(RECORD_PAUSE_S)

    def _draft(self, work: Work, chosen: Chosen) -> platforms.Draft:
        return platforms.Draft(
            text=work.post.text_for(work.target),
            assets=tuple(self._asset(it) for it in chosen.assets),
            cover=self._asset(chosen.cover) if chosen.cover else None,
            options=work.target.options,
            # The same at every try, since a platform's fingerprint of the post may contain it.
            created_at=work.post.scheduled_at or work.post.created_at,
        )

    def _asset(self, rendition: Rendition) -> platforms.Asset:
        return platforms.Asset(
            preset=rendition.preset,
            content_type=rendition.content_type,
            size_bytes=rendition.size_bytes,
            width=rendition.width,
            height=rendition.height,
            duration_s=rendition.duration_s,
            alt_text=rendition.alt_text,
            url=rendition.url,
            read=partial(self._files.read, rendition.url, rendition.size_bytes),
        )


def _caller(work: Work) -> Caller:
    return Caller(work.claim.workspace_id, work.live)


def _names(work: Work) -> dict[str, object]:
    return {
        "workspace_id": work.claim.workspace_id,
        "post_id": work.claim.post_id,
        "target": work.claim.index,
        "platform": work.target.platform,
    }
