"""The engine: takes one claimed target as far as it goes now. At most once is its whole point.

    renditions chosen → prepared (repeatable) → INTENT committed → published (once) → result committed

An intent without a result, whoever left it, is looked up on the platform and never sent again blindly.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

import httpx

from services.common import context, telemetry
from services.platforms import ports as platforms
from services.publisher.app.abandoning import abandon
from services.publisher.app.choosing import Chooser
from services.publisher.app.drafting import Drafts, Progress
from services.publisher.app.recording import Recorder, caller, names, told
from services.publisher.app.sessions import Session, Sessions
from services.publisher.app.steps import Steps
from services.publisher.domain import delivery
from services.publisher.domain.delivery import Again, Counters, Policy
from services.publisher.domain.post import JSON, TargetError
from services.publisher.ports import (
    Attempt,
    Claim,
    Deliveries,
    LeaseLostError,
    Meter,
    Pending,
    Refused,
    RenditionGoneError,
    Work,
)  # fmt: skip

log = logging.getLogger("publisher.delivering")

FaultPoint = Callable[[str], Awaitable[None]]

UNREADABLE = "The account's credentials could not be opened."
DUPLICATE = platforms.PlatformError(
    platforms.Fault.PERMANENT, platforms.DUPLICATE_POST, "The account has another post that says the same."
)
UNREACHABLE = "The platform could not be reached, or answered in an unknown way."


async def no_fault(point: str) -> None:
    """The fault point of every day: nothing happens there."""


@dataclass(frozen=True, slots=True)
class Job:
    """A target with everything its platform module is called with."""

    work: Work
    publisher: platforms.Publisher
    session: Session
    draft: platforms.Draft


class Engine:
    """Use case: deliver one claimed target."""

    def __init__(
        self,
        *,
        deliveries: Deliveries,
        sessions: Sessions,
        steps: Steps,
        chooser: Chooser,
        drafts: Drafts,
        publishers: Mapping[str, platforms.Publisher],
        http: httpx.AsyncClient,
        now: Callable[[], datetime],
        random_bytes: Callable[[int], bytes],
        policy: Policy,
        meter: Meter,
        fault_point: FaultPoint = no_fault,
    ) -> None:
        self._deliveries = deliveries
        self._steps = steps
        self._recorder = Recorder(deliveries, steps, meter)
        self._meter = meter
        self._sessions = sessions
        self._chooser = chooser
        self._drafts = drafts
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
        with context.use(ctx), telemetry.span("publisher_delivery", work.traceparent):
            return await self._deliver(work)

    async def finish_sending(self, claim: Claim, within_s: float) -> None:
        """Waits for a mutation under way, since its worker stops. One without an answer by then stays in doubt."""
        sending = self._sending.get(claim)
        if sending is not None:
            await asyncio.wait({sending}, timeout=within_s)
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)

    async def _deliver(self, work: Work) -> float | None:
        platform = work.target.platform
        publisher = self._publishers.get(platform)
        if publisher is None:
            return await self._recorder.give_up(work, "platform_unknown", f"Nothing publishes to {platform} here.")
        try:
            session = await self._sessions.open(caller(work), work.target.account_id)
            work = replace(work, progress=await self._steps.opened(work.claim, work.progress, work.sealed))
        except Exception:
            log.exception("credentials or progress do not open", extra=names(work))
            return await self._unreadable(work)
        if session is None:
            return await self._recorder.give_up(work, "account_not_found", "The account was disconnected.")
        chosen = work.chosen or await self._chooser.choose(work)
        if isinstance(chosen, Pending):
            waiting = delivery.waiting_for_media(self._policy, work.counters, self._now())
            return await self._recorder.settle(work, waiting)
        if isinstance(chosen, Refused):
            return await self._recorder.stop(work, chosen.error.code, chosen.error.message)
        if work.chosen is None:
            work = replace(work, chosen=chosen, counters=delivery.arrived(work.counters))
            await self._deliveries.choose(work.claim, chosen, work.counters)
        job = Job(work, publisher, session, self._drafts.draft(work, chosen))
        if work.open_attempt is not None:
            return await self._look_up(job, work.open_attempt)
        return await self._prepare_and_send(job)

    async def _unreadable(self, work: Work) -> float | None:
        """A seal that does not open is ours to repair: the target outlives a wrong key file for a while."""
        if work.open_attempt is not None:
            return await self._recorder.settle(work, delivery.still_in_doubt(self._policy, work.counters))
        locked = platforms.PlatformError(platforms.Fault.TRANSIENT, "credentials_unreadable", UNREADABLE)
        return await self._fail(work, locked)

    async def _prepare_and_send(self, job: Job) -> float | None:
        work = job.work
        if problems := job.publisher.check(job.draft):
            return await self._recorder.stop(work, "post_invalid", " ".join(problem.message for problem in problems))
        steps = dict(work.progress)
        progress, work = Progress(self._steps, work.claim, steps), replace(work, progress=steps)
        try:
            async with asyncio.timeout(self._policy.prepare_max_s):
                prepared = await job.publisher.prepare(self._http, job.session.account, job.draft, progress)
        except platforms.PlatformError as exc:
            return await self._fail(work, exc, session=job.session)
        except LeaseLostError:
            raise
        except RenditionGoneError as exc:
            gone = platforms.PlatformError(platforms.Fault.REBUILD, "rendition_gone", str(exc))
            return await self._fail(work, gone, session=job.session)
        except Exception as exc:  # preparing may be repeated, so whatever went wrong is worth another try
            log.warning("preparing broke off", exc_info=exc, extra=names(work))
            unreachable = platforms.PlatformError(platforms.Fault.TRANSIENT, "upstream_unreachable", UNREACHABLE)
            return await self._fail(work, unreachable)
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
        attempt = await self._recorder.intend(job.work, handle, prepared, counters)
        await self._fault_point("after_intent")
        sending = asyncio.create_task(self._publish(job, attempt, counters))
        self._sending[claim] = sending
        sending.add_done_callback(lambda _: self._sending.pop(claim, None))
        return await asyncio.shield(sending)

    async def _publish(self, job: Job, attempt: Attempt, counters: Counters) -> float | None:
        work, began = job.work, self._now()
        try:
            with telemetry.span("publisher_call"):
                async with asyncio.timeout(self._policy.call_max_s):
                    receipt = await job.publisher.publish(
                        self._http, job.session.account, job.draft, attempt.prepared, attempt.handle
                    )
        except platforms.PlatformError as exc:
            self._called(work, exc.fault, began)
            await self._fault_point("after_refusal")
            return await self._fail(work, exc, counted=counters, session=job.session)
        except platforms.Underway as exc:
            self._called(work, "underway", began)
            await self._fault_point("after_underway")
            await self._recorder.under_way(work, attempt, exc.found)
            return await self._recorder.settle(work, delivery.in_doubt(self._policy, counters))
        except Exception as exc:  # no answer says nothing about what the platform did
            self._called(work, "unknown", began)
            log.warning("outcome unknown", exc_info=exc, extra=names(work))
            await self._fault_point("after_unknown")
            return await self._recorder.settle(work, delivery.in_doubt(self._policy, counters))
        self._called(work, "published", began)
        await self._fault_point("after_publish")
        if await self._recorder.published(work, attempt, receipt):
            return None
        return await self._fail(work, DUPLICATE, counted=counters, session=job.session)

    def _called(self, work: Work, outcome: str, began: datetime) -> None:
        self._meter.called(work.target.platform, outcome, (self._now() - began).total_seconds())

    async def _look_up(self, job: Job, attempt: Attempt) -> float | None:
        """Finds out what became of an intent without a result."""
        work, prepared = job.work, told(job.work, attempt)
        found: platforms.Receipt | platforms.Absent | platforms.CannotTell
        try:
            async with asyncio.timeout(self._policy.call_max_s):
                found = await job.publisher.reconcile(
                    self._http, job.session.account, job.draft, prepared, attempt.handle, attempt.since
                )
        except platforms.Underway as exc:
            waiting = delivery.under_way(self._policy, work.counters, exc.retry_after_s, self._now())
            return await self._recorder.settle(work, waiting)
        except Exception as exc:  # a look-up changes nothing upstream: one that fails is asked again
            log.warning("looking up broke off", exc_info=exc, extra=names(work))
            found = platforms.CannotTell()
        log.info("looked up", extra={**names(work), "found": type(found).__name__})
        if isinstance(found, platforms.Receipt):
            if await self._recorder.published(work, attempt, found):
                return None
            found = platforms.Absent(safe_to_send=False)
        if isinstance(found, platforms.Absent) and not found.safe_to_send:
            decision = delivery.not_shown(self._policy, work.counters, attempt.since, self._now())
            return await self._recorder.settle(work, decision)
        if isinstance(found, platforms.Absent):
            stop = delivery.may_send_again(self._policy, work.counters)
            if stop is not None:
                return await self._recorder.settle(work, stop)
            return await self._send(job, attempt.handle, prepared)
        if found.for_good:
            return await self._recorder.settle(work, delivery.UNCONFIRMED)
        return await self._recorder.settle(work, delivery.still_in_doubt(self._policy, work.counters))

    async def _fail(
        self,
        work: Work,
        refusal: platforms.PlatformError,
        *,
        counted: Counters | None = None,
        session: Session | None = None,
    ) -> float | None:
        """Nothing was published. counted: with this delivery, where it had an intent; session: whose it was."""
        fault = refusal.fault
        if fault is platforms.Fault.ACCOUNT and session is not None:
            invalid = await self._sessions.refused(caller(work), work.target.account_id, session)
            fault = fault if invalid else platforms.Fault.TRANSIENT
        counters = counted or delivery.failed_before_intent(work.counters, fault)
        error = TargetError(refusal.code, refusal.message)
        decision = delivery.after_failure(self._policy, counters, fault, error, refusal.retry_after_s, self._now())
        log.info("not published", extra={**names(work), "code": refusal.code, "fault": fault.value})
        if session is not None and isinstance(decision, Again) and decision.rebuild:
            await abandon(self._publishers[work.target.platform], self._http, session.account, work.progress)
        return await self._recorder.settle(work, decision, error)
