"""The publisher's use cases on a world in memory, with a platform that ends its calls as a test says."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import httpx

from services.platforms.ports import (
    JSON,
    Absent,
    Account,
    CannotTell,
    Draft,
    Problem,
    Progress,
    Receipt,
    VerifiedAccount,
)  # fmt: skip
from services.publisher.app.assembly import Application, World
from services.publisher.domain.delivery import Policy
from services.publisher.domain.post import Post
from services.publisher.domain.request import MediaInput, PostInput, TargetInput
from services.publisher.ports import Caller
from tests.unit.publisher.fakes import (
    ALICE,
    Clock,
    FakeAccounts,
    FakeFiles,
    FakeImports,
    FakeMedia,
    FakeMeter,
    FakeStore,
    FakeVariants,
    FakeVault,
    State,
)  # fmt: skip

ACCOUNT_ID = "acc_1"
RECEIPT = Receipt("paper-1", "https://paper.example/1")


class CrashError(Exception):
    """The process ends here."""


@dataclass
class Paper:
    """A platform. Each list holds how its next calls end; when it is empty they end well."""

    id: str = "paper"
    aliases: Sequence[str] = ("newsprint",)
    problems: Callable[[Draft], Sequence[Problem]] = lambda draft: ()
    verifying: list[Exception] = field(default_factory=list)
    preparing: list[Exception | Callable[[Progress], Awaitable[None]]] = field(default_factory=list)
    publishing: list[Receipt | Exception] = field(default_factory=list)
    looking_up: list[Receipt | Absent | CannotTell | Exception] = field(default_factory=list)
    prepared: list[Draft] = field(default_factory=list)
    published: list[tuple[str, Mapping[str, JSON]]] = field(default_factory=list)
    looked_up: list[tuple[str, datetime]] = field(default_factory=list)
    looked_up_by: list[Mapping[str, JSON]] = field(default_factory=list)
    accounts: list[Account] = field(default_factory=list)
    handles: int = 0
    abandoning: list[Exception] = field(default_factory=list)
    abandoned: list[Mapping[str, Mapping[str, JSON]]] = field(default_factory=list)

    def check(self, draft: Draft) -> Sequence[Problem]:
        return self.problems(draft)

    async def verify(self, http: httpx.AsyncClient, account: Account) -> VerifiedAccount:
        self.accounts.append(account)
        if self.verifying:
            raise self.verifying.pop(0)
        return VerifiedAccount("Paper of record", "ext_1", account.credentials)

    def new_handle(self, draft: Draft, account: Account, now: datetime, random_bytes: Callable[[int], bytes]) -> str:
        self.handles += 1
        return f"handle-{self.handles}"

    async def prepare(
        self, http: httpx.AsyncClient, account: Account, draft: Draft, progress: Progress
    ) -> Mapping[str, JSON]:
        self.prepared.append(draft)
        self.accounts.append(account)
        step = self.preparing.pop(0) if self.preparing else None
        if isinstance(step, Exception):
            raise step
        if step is not None:
            await step(progress)
        return {"blobs": len(draft.assets)}

    async def publish(
        self, http: httpx.AsyncClient, account: Account, draft: Draft, prepared: Mapping[str, JSON], handle: str
    ) -> Receipt:
        self.published.append((handle, prepared))
        step = self.publishing.pop(0) if self.publishing else RECEIPT
        if isinstance(step, Exception):
            raise step
        return step

    async def reconcile(
        self,
        http: httpx.AsyncClient,
        account: Account,
        draft: Draft,
        prepared: Mapping[str, JSON],
        handle: str,
        since: datetime,
    ) -> Receipt | Absent | CannotTell:
        self.looked_up.append((handle, since))
        self.looked_up_by.append(prepared)
        step = self.looking_up.pop(0) if self.looking_up else RECEIPT
        if isinstance(step, Exception):
            raise step
        return step

    async def abandon(
        self, http: httpx.AsyncClient, account: Account, progress: Mapping[str, Mapping[str, JSON]]
    ) -> str:
        self.abandoned.append(dict(progress))
        if self.abandoning:
            raise self.abandoning.pop(0)
        return "an upload"


class Bench:
    """The application, and everything a test wants to see of its world."""

    def __init__(self, policy: Policy | None = None, paper: Paper | None = None) -> None:
        self.now = Clock()
        self.store = FakeStore(self.now)
        self.accounts = FakeAccounts()
        self.media = FakeMedia()
        self.variants = FakeVariants()
        self.vault = FakeVault()
        self.meter = FakeMeter()
        self.paper = paper or Paper()
        self.crash_at = ""
        self._ids = 0
        self.world = World(
            posts=self.store,
            changes=self.store,
            accounts=self.accounts,
            deliveries=self.store,
            leftovers=self.store,
            imports=FakeImports(),
            pins=self.store,
            vault=self.vault,
            media=self.media,
            variants=self.variants,
            files=FakeFiles(),
            publishers={self.paper.id: self.paper},
            aliases=dict.fromkeys(self.paper.aliases, self.paper.id),
            http=httpx.AsyncClient(transport=httpx.MockTransport(lambda _: httpx.Response(500))),
            sandbox_url="http://sandbox/",
            now=self.now,
            new_id=self._new_id,
            random_bytes=bytes,
            meter=self.meter,
            policy=policy or Policy(),
            fault_point=self._fault_point,
        )
        self.app = Application(self.world)
        self.accounts.connect(self.paper.id, ACCOUNT_ID)

    async def post(
        self,
        text: str = "hi",
        *,
        media: Sequence[MediaInput] = (),
        targets: Sequence[TargetInput] = (TargetInput(account_id=ACCOUNT_ID),),
        scheduled_at: datetime | None = None,
        key: str | None = None,
        plan: str = "pro",
        caller: Caller = ALICE,
    ) -> Post:
        wanted = PostInput(text=text, targets=targets, media=media, scheduled_at=scheduled_at)
        return await self.app.create_post(caller, wanted, plan=plan, idempotency_key=key, request_id="req_1")

    async def work(self) -> list[float | None]:
        """Delivers what is due now, each once."""
        claims = await self.store.claim(100, self.world.policy.lease_s)
        return [await self.app.engine.deliver(claim) for claim in claims]

    async def work_until_settled(self, post: Post, rounds: int = 200) -> State:
        """Lets time pass and delivers until nothing is due any more."""
        state = self.state(post)
        for _ in range(rounds):
            if state.next_at is None:
                return state
            self.now.time = max(self.now.time, state.next_at)
            await self.work()
        raise AssertionError(f"not settled: {state}")

    async def crash(self, at: str) -> None:
        """Delivers, and the process ends at this point; its lease runs out."""
        self.crash_at = at
        try:
            await self.work()
        except CrashError:
            self.crash_at = ""
            self.now.pass_s(self.world.policy.lease_s)
            return
        raise AssertionError(f"nothing passed {at}")

    def state(self, post: Post, index: int = 0) -> State:
        return self.store.states[post.post_id, index]

    def without_platform(self) -> None:
        """A deployment that no longer has the platform."""
        self.world = replace(self.world, publishers={})
        self.app = Application(self.world)

    async def _fault_point(self, point: str) -> None:
        if point == self.crash_at:
            raise CrashError(point)

    def _new_id(self, prefix: str) -> str:
        self._ids += 1
        return f"{prefix}_{self._ids:04}"
