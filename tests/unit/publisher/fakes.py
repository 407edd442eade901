"""The publisher's world in memory, faithful enough to run its use cases."""

import asyncio
import json
from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from services.common.errors import Code, MediaError
from services.publisher.adapters.sealing import Sealed
from services.publisher.domain.account import Account, AccountFilter, AccountStatus
from services.publisher.domain.delivery import Again, Counters, Stop
from services.publisher.domain.plans import due_period, period
from services.publisher.domain.post import JSON, SETTLED, Post, PostStatus, Target, TargetError, TargetStatus
from services.publisher.ports import (
    Attempt,
    Caller,
    Chosen,
    Claim,
    ImportClaim,
    LeaseLostError,
    Leftover,
    MediaFacts,
    NewPost,
    Pending,
    Pin,
    Position,
    Published,
    Ready,
    Refused,
    Rendition,
    SealedBytes,
    Spent,
    Work,
)  # fmt: skip

START = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
ALICE = Caller("ws_a", live=False)


class Clock:
    """Time that passes when told to."""

    def __init__(self) -> None:
        self.time = START

    def __call__(self) -> datetime:
        return self.time

    def pass_s(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


class FakeAccounts:
    """ports.Accounts in a dict."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], tuple[Account, SealedBytes]] = {}
        self.being_renewed: set[tuple[str, str]] = set()
        self.unverified: list[tuple[Caller, str]] = []

    def connect(self, platform: str, account_id: str, caller: Caller = ALICE) -> Account:
        account = Account(
            account_id=account_id, platform=platform, live=caller.live, display_name=account_id, external_id=account_id,
            status=AccountStatus.ACTIVE, service_url=None, created_at=START + timedelta(seconds=len(self.rows)),
        )  # fmt: skip
        self.rows[caller.workspace_id, account_id] = (account, Sealed(1, b"{}"))
        return account

    async def put(self, caller: Caller, account: Account, sealed: SealedBytes) -> bool:
        known = self.rows.get((caller.workspace_id, account.account_id))
        if known is not None and (known[0].platform, known[0].live) != (account.platform, account.live):
            return False
        self.rows[caller.workspace_id, account.account_id] = (account, sealed)
        return True

    async def get(self, caller: Caller, account_id: str) -> Account | None:
        row = self.rows.get((caller.workspace_id, account_id))
        return row[0] if row is not None and row[0].live == caller.live else None

    async def page(
        self, caller: Caller, *, limit: int, after: Position | None, only: AccountFilter
    ) -> Sequence[Account]:
        mine = [
            account
            for (workspace_id, _), (account, _) in self.rows.items()
            if workspace_id == caller.workspace_id
            and account.live == caller.live
            and only.platform in (None, account.platform)
            and (after is None or (account.created_at, account.account_id) < (after.created_at, after.id))
        ]
        return sorted(mine, key=lambda it: (it.created_at, it.account_id), reverse=True)[:limit]

    async def same(self, caller: Caller, platform: str, external_id: str, service_url: str | None) -> Account | None:
        wanted = (caller.live, platform, external_id, service_url)
        mine = [account for (workspace_id, _), (account, _) in self.rows.items() if workspace_id == caller.workspace_id]
        found = [it for it in mine if (it.live, it.platform, it.external_id, it.service_url) == wanted]
        return max(found, key=lambda it: (it.created_at, it.account_id), default=None)

    async def delete(self, caller: Caller, account_id: str) -> bool:
        return self.rows.pop((caller.workspace_id, account_id), None) is not None

    async def sealed(self, caller: Caller, account_id: str) -> SealedBytes | None:
        row = self.rows.get((caller.workspace_id, account_id))
        return row and row[1]

    async def replace_credentials(
        self, caller: Caller, account_id: str, sealed: SealedBytes, *, instead_of: bytes
    ) -> None:
        account, kept = self.rows[caller.workspace_id, account_id]
        if kept.blob == instead_of:
            self.rows[caller.workspace_id, account_id] = (account, sealed)

    @asynccontextmanager
    async def renewing(self, caller: Caller, account_id: str, blob: bytes, lease_s: float) -> AsyncIterator[bool]:
        key = (caller.workspace_id, account_id)
        ours = key not in self.being_renewed and self.rows[key][1].blob == blob
        if ours:
            self.being_renewed.add(key)
        try:
            yield ours
        finally:
            if ours:
                self.being_renewed.discard(key)

    async def accept(self, caller: Caller, account_id: str, sealed: SealedBytes, *, instead_of: bytes) -> None:
        account, kept = self.rows[caller.workspace_id, account_id]
        if kept.blob == instead_of:
            self.rows[caller.workspace_id, account_id] = (replace(account, status=AccountStatus.ACTIVE), sealed)

    async def take_unverified(self, limit: int) -> Sequence[tuple[Caller, str]]:
        taken, self.unverified = self.unverified[:limit], self.unverified[limit:]
        return taken

    async def invalidate(self, caller: Caller, account_id: str, blob: bytes) -> bool:
        account, sealed = self.rows[caller.workspace_id, account_id]
        if sealed.blob != blob:
            return False
        self.rows[caller.workspace_id, account_id] = (replace(account, status=AccountStatus.INVALID), sealed)
        return True


class FakeVault:
    """A vault without a lock: the seal is the credentials' text."""

    async def seal(self, workspace_id: str, account_id: str, credentials: Mapping[str, str]) -> Sealed:
        return Sealed(1, repr(sorted(credentials.items())).encode())

    async def open(self, workspace_id: str, account_id: str, sealed: SealedBytes) -> Mapping[str, str]:
        return {"token": "secret"}

    async def seal_step(self, claim: Claim, step: str, state: Mapping[str, JSON]) -> Sealed:
        return Sealed(1, json.dumps([claim.post_id, claim.index, step, state]).encode())

    async def open_steps(self, claim: Claim, steps: Mapping[str, SealedBytes]) -> Mapping[str, Mapping[str, JSON]]:
        opened: dict[str, Mapping[str, JSON]] = {}
        for step, sealed in steps.items():
            *owner, opened[step] = json.loads(sealed.blob)
            assert owner == [claim.post_id, claim.index, step]
        return opened


class FakeMedia:
    """ports.MediaSource: items by id, and what was asked of them."""

    def __init__(self) -> None:
        self.items: dict[str, MediaFacts] = {}
        self.uploads: list[bytes] = []
        self.by_key: dict[tuple[str, bytes], str] = {}
        self.pins: set[tuple[str, str]] = set()
        self.elsewhere: dict[str, bytes | MediaError] = {}  # by URL, for imports
        self.imported: list[str] = []

    def add(self, media_id: str, status: str = "ready", **more: object) -> MediaFacts:
        facts = MediaFacts(
            media_id=media_id, kind="image", status=status, content_type="image/jpeg", size_bytes=1000, width=640,
            height=480,
        )  # fmt: skip
        self.items[media_id] = replace(facts, **more)  # type: ignore[arg-type]
        return self.items[media_id]

    async def get(self, media_id: str) -> MediaFacts:
        if media_id not in self.items:
            raise MediaError(Code.MEDIA_NOT_FOUND, media_id=media_id)
        return self.items[media_id]

    async def upload_image(self, data: bytes, alt_text: str | None, idempotency_key: str | None) -> MediaFacts:
        twin = self.by_key.get((idempotency_key, data)) if idempotency_key is not None else None
        if twin is not None:
            return self.items[twin]
        self.uploads.append(data)
        made = self.add(f"med_inline{len(self.uploads)}", alt_text=alt_text)
        if idempotency_key is not None:
            self.by_key[idempotency_key, data] = made.media_id
        return made

    async def import_url(self, url: str, kind: str, alt_text: str | None, idempotency_key: str) -> MediaFacts:
        self.imported.append(url)
        found = self.elsewhere[url]
        if isinstance(found, MediaError):
            raise found
        known = self.by_key.get((idempotency_key, found))
        made = self.items[known] if known else self.add(f"med_imported{len(self.imported)}", alt_text=alt_text)
        self.by_key[idempotency_key, found] = made.media_id
        return made

    async def pin(self, media_id: str, holder: str, until: datetime) -> MediaFacts:
        facts = await self.get(media_id)
        self.pins.add((media_id, holder))
        return facts

    async def unpin(self, media_id: str, holder: str) -> None:
        self.pins.discard((media_id, holder))


class FakeVariants:
    """ports.Variants: everything is ready unless told otherwise."""

    def __init__(self) -> None:
        self.answers: dict[str, Ready | Pending | Refused | MediaError] = {}
        self.presets: list[str] = []

    async def ensure(
        self, media_id: str, platform: str, preset: str = "", *, thumbnail_time: float | None = None
    ) -> Ready | Pending | Refused:
        self.presets.append(preset)
        answer = self.answers.get(media_id)
        if isinstance(answer, MediaError):
            raise answer
        if answer is not None:
            return answer
        rendition = Rendition(
            preset=f"{platform}.image", url=f"http://cdn/{media_id}", content_type="image/jpeg", size_bytes=10,
            width=640, height=480,
        )  # fmt: skip
        return Ready(rendition, None)


class FakeFiles:
    """Ten bytes, whatever the URL."""

    async def read(self, url: str, size_bytes: int) -> AsyncIterator[bytes]:
        yield b"0123456789"


class FakeMeter:
    """What was counted."""

    def __init__(self) -> None:
        self.ends: list[str] = []
        self.calls: list[str] = []

    def settled(self, platform: str, status: str) -> None:
        self.ends.append(status)

    def called(self, platform: str, outcome: str, elapsed_s: float) -> None:
        assert elapsed_s >= 0
        self.calls.append(outcome)


@dataclass
class State:
    """One target's row, mutable."""

    target: Target
    counters: Counters = field(default_factory=Counters)
    chosen: Chosen | None = None
    progress: dict[str, SealedBytes] = field(default_factory=dict)
    attempts: list[Attempt] = field(default_factory=list)
    epoch: int = 0
    claimed: bool = False
    next_at: datetime | None = START


class FakeStore:
    """ports.Posts, ports.Changes, ports.Deliveries and ports.Pins over one dict."""

    def __init__(self, now: Clock) -> None:
        self.now = now
        self.posts: dict[str, tuple[Caller, NewPost]] = {}
        self.states: dict[tuple[str, int], State] = {}
        self.usage: list[tuple[str, int]] = []
        self.let_go: list[Pin] = []
        self.leftovers: list[Leftover] = []
        self.dropped: list[Pin] = []
        self.settled = asyncio.Event()

    # Posts

    async def by_key(self, caller: Caller, idempotency_key: str) -> Post | None:
        for post_id, (owner, new) in self.posts.items():
            if owner == caller and new.idempotency_key == idempotency_key:
                return self._post(post_id)
        return None

    async def add(self, caller: Caller, new: NewPost) -> bool:
        if new.idempotency_key is not None and await self.by_key(caller, new.idempotency_key):
            return False
        self.posts[new.post.post_id] = (caller, new)
        for target in new.post.targets:
            due = new.post.scheduled_at or self.now()
            self.states[new.post.post_id, target.index] = State(target, next_at=due)
        return True

    async def get(self, caller: Caller, post_id: str) -> Post | None:
        owner = self.posts.get(post_id)
        return self._post(post_id) if owner is not None and owner[0] == caller else None

    async def page(
        self, caller: Caller, *, limit: int, after: Position | None, status: PostStatus | None
    ) -> Sequence[Post]:
        mine = [self._post(post_id) for post_id, (owner, _) in self.posts.items() if owner == caller]
        mine = [it for it in mine if status in (None, it.status)]
        mine = [it for it in mine if after is None or (it.created_at, it.post_id) < (after.created_at, after.id)]
        return sorted(mine, key=lambda it: (it.created_at, it.post_id), reverse=True)[:limit]

    @contextmanager
    def watch(self, post_id: str) -> Iterator[asyncio.Event]:
        yield self.settled

    async def spent(self, caller: Caller, period: str) -> Spent:
        months = {
            post_id: due_period(new.post.created_at, new.post.scheduled_at) for post_id, (_, new) in self.posts.items()
        }
        still_open = [it for it in self.states if self.states[it].next_at is not None and months[it[0]] == period]
        return Spent(sum(month == period for month, _ in self.usage), len(still_open))

    def _post(self, post_id: str) -> Post:
        _, new = self.posts[post_id]
        targets = tuple(replace(it.target, attempts=it.counters.tries) for it in self._states(post_id))
        return replace(new.post, targets=targets)

    # Changes

    async def hold(self, caller: Caller, post_id: str, media_ids: Collection[str]) -> None:
        self.let_go = [pin for pin in self.let_go if pin.post_id != post_id or pin.media_id not in media_ids]

    async def replace(self, caller: Caller, new: NewPost) -> bool:
        post_id, before = new.post.post_id, self._post(new.post.post_id)
        if before.version != new.post.version or before.status is not PostStatus.SCHEDULED:
            return False
        kept = {it.media_id for it in new.media}
        dropped = [it.media_id for it in self.posts[post_id][1].media if it.media_id not in kept]
        self.dropped += [Pin(caller.workspace_id, post_id, media_id) for media_id in dropped]
        self.posts[post_id] = (caller, replace(new, post=replace(new.post, version=before.version + 1)))
        self.states = {key: state for key, state in self.states.items() if key[0] != post_id}
        for target in new.post.targets:
            self.states[post_id, target.index] = State(target, next_at=new.post.scheduled_at or self.now())
        return True

    async def cancel(self, caller: Caller, post_id: str) -> bool:
        unsent = {TargetStatus.SCHEDULED, TargetStatus.WAITING_MEDIA, TargetStatus.QUEUED}
        found = [state for state in self._states(post_id) if state.target.status in unsent]
        for state in found:
            state.epoch += 1
            state.claimed, state.next_at = False, None
            state.target = replace(state.target, status=TargetStatus.CANCELED)
            self._put_aside(caller, post_id, state)
        return bool(found)

    async def requeue(self, caller: Caller, post_id: str, of: Collection[TargetStatus], *, plan: str) -> bool:
        found = [state for state in self._states(post_id) if state.target.status in of]
        for state in found:
            state.epoch += 1
            state.counters, state.chosen, state.progress, state.next_at = Counters(), None, {}, self.now()
            state.target = replace(state.target, status=TargetStatus.QUEUED, error=None)
        return bool(found)

    def _states(self, post_id: str) -> list[State]:
        return [state for (owner, _), state in self.states.items() if owner == post_id]

    # Leftovers

    async def take(self, limit: int) -> Sequence[Leftover]:
        taken, self.leftovers = self.leftovers[:limit], self.leftovers[limit:]
        return taken

    def _put_aside(self, caller: Caller, post_id: str, state: State) -> None:
        claim = Claim(workspace_id=caller.workspace_id, post_id=post_id, index=state.target.index, epoch=state.epoch)
        if state.progress:
            self.leftovers.append(
                Leftover(
                    claim=claim, live=caller.live, platform=state.target.platform,
                    account_id=state.target.account_id, progress={}, sealed=state.progress,
                )
            )  # fmt: skip
        state.progress = {}

    # Deliveries

    async def claim(self, limit: int, lease_s: float) -> Sequence[Claim]:
        claims: list[Claim] = []
        for (post_id, index), state in self.states.items():
            if state.next_at is not None and state.next_at <= self.now() and len(claims) < limit:
                state.epoch += 1
                state.claimed = True
                state.next_at = self.now() + timedelta(seconds=lease_s)
                if state.target.status is TargetStatus.SCHEDULED:
                    state.target = replace(state.target, status=TargetStatus.QUEUED)
                workspace_id = self.posts[post_id][0].workspace_id
                claims.append(Claim(workspace_id=workspace_id, post_id=post_id, index=index, epoch=state.epoch))
        return claims

    async def next_due_s(self, within_s: float) -> float | None:
        waits = [(it.next_at - self.now()).total_seconds() for it in self.states.values() if it.next_at is not None]
        return min((wait for wait in waits if 0 < wait <= within_s), default=None)

    async def extend(self, claim: Claim, lease_s: float) -> None:
        self._held(claim).next_at = self.now() + timedelta(seconds=lease_s)

    async def load(self, claim: Claim) -> Work:
        state = self._held(claim)
        caller, new = self.posts[claim.post_id]
        return Work(
            claim=claim, live=caller.live, request_id=new.request_id, post=new.post, target=state.target,
            counters=state.counters, chosen=state.chosen, progress={}, sealed=state.progress,
            last_attempt=state.attempts[-1] if state.attempts else None,
            media_alt={it.media_id: it.alt_text for it in new.media},
        )  # fmt: skip

    async def choose(self, claim: Claim, chosen: Chosen, counters: Counters) -> None:
        state = self._held(claim)
        state.chosen, state.counters = chosen, counters

    async def save_progress(self, claim: Claim, step: str, sealed: SealedBytes) -> None:
        self._held(claim).progress[step] = sealed

    async def intend(self, claim: Claim, handle: str, prepared: Mapping[str, JSON], counters: Counters) -> Attempt:
        state = self._held(claim)
        self._close(state, "absent")
        state.counters = counters
        state.target = replace(state.target, status=TargetStatus.PUBLISHING)
        attempt = Attempt(number=len(state.attempts) + 1, handle=handle, prepared=prepared, since=self.now())
        state.attempts.append(attempt)
        return attempt

    async def published(self, claim: Claim, number: int, published: Published) -> bool:
        state = self.states[claim.post_id, claim.index]
        others = {it.target.platform_post_id for it in self.states.values() if it is not state}
        if published.looked_up and published.platform_post_id in others:
            return False
        self._close(state, "published")
        if state.target.status is TargetStatus.PUBLISHED:
            return True
        self.usage.append((period(self.now()), claim.index))
        self.settled.set()
        state.epoch += 1
        state.claimed, state.next_at = False, None
        state.target = replace(
            state.target, status=TargetStatus.PUBLISHED, platform_post_id=published.platform_post_id, url=published.url
        )
        return True

    async def again(self, claim: Claim, again: Again, error: TargetError | None) -> None:
        state = self._held(claim)
        state.counters, state.claimed = again.counters, False
        state.target = replace(state.target, status=again.status, error=error)
        state.next_at = self.now() + timedelta(seconds=again.delay_s)
        if again.rebuild:
            state.chosen, state.progress = None, {}
        if error is not None:
            self._close(state, "not_sent")

    async def hand_back(self, claim: Claim) -> None:
        state = self._held(claim)
        state.claimed, state.next_at = False, self.now()

    async def stop(self, claim: Claim, stop: Stop) -> None:
        state = self._held(claim)
        state.claimed, state.next_at = False, None
        state.target = replace(state.target, status=stop.status, error=stop.error)
        self._put_aside(self.posts[claim.post_id][0], claim.post_id, state)
        self._close(state, "unconfirmed" if stop.status is TargetStatus.UNCONFIRMED else "not_sent")

    async def media_settled(self, workspace_id: str, media_id: str) -> None:
        for state in self.states.values():
            if state.target.status is TargetStatus.WAITING_MEDIA and not state.claimed:
                state.next_at = self.now()

    def _held(self, claim: Claim) -> State:
        state = self.states[claim.post_id, claim.index]
        if state.epoch != claim.epoch or not state.claimed:
            raise LeaseLostError
        return state

    def _close(self, state: State, outcome: str) -> None:
        if state.attempts and state.attempts[-1].outcome is None:
            state.attempts[-1] = replace(state.attempts[-1], outcome=outcome)

    # Pins

    async def ended(self, limit: int) -> Sequence[Pin]:
        pins = list(self.dropped)
        for post_id, (caller, new) in self.posts.items():
            if {it.status for it in self._post(post_id).targets} <= SETTLED:
                pins += [Pin(caller.workspace_id, post_id, it.media_id) for it in new.media]
        return [pin for pin in pins if pin not in self.let_go][:limit]

    @asynccontextmanager
    async def letting_go(self, pin: Pin) -> AsyncIterator[bool]:
        yield pin not in self.let_go
        self.let_go.append(pin)


class FakeImports:
    """ports.Imports: claims as a test lays them out, and what became of them."""

    def __init__(self) -> None:
        self.due: list[ImportClaim] = []
        self.ends: list[object] = []
        self.wanted = True

    async def claim(self, limit: int, lease_s: float) -> Sequence[ImportClaim]:
        found, self.due = self.due[:limit], self.due[limit:]
        return found

    async def done(self, claim: ImportClaim, facts: MediaFacts) -> bool:
        self.ends.append(facts.media_id)
        return self.wanted

    async def again(self, claim: ImportClaim, delay_s: float) -> None:
        self.ends.append(delay_s)

    async def failed(self, claim: ImportClaim, error: TargetError) -> None:
        self.ends.append(error.code)
