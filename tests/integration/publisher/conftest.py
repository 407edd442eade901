"""The publisher's use cases on the real PostgreSQL, before a platform that is a real server."""

import asyncio
import os
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace

import psycopg
import pytest
from mediaapi.v1 import events_pb2
from prometheus_client import CollectorRegistry

from deploy.local.postgres import Postgres
from deploy.local.state import State
from services.common import clock, db, guarded_http, ids
from services.common.db import Database
from services.publisher.adapters import vault
from services.publisher.adapters.metrics import Metrics
from services.publisher.adapters.postgres import accounts, changes, deliveries, imports, keys, leftovers, pins, posts
from services.publisher.adapters.sealing import MasterKeys, parse_keks
from services.publisher.app.assembly import Application, World
from services.publisher.app.connecting import AccountInput
from services.publisher.app.delivering import FaultPoint
from services.publisher.domain.account import Account
from services.publisher.domain.delivery import Policy
from services.publisher.domain.post import Post, Target
from services.publisher.domain.request import MediaInput, PostChange, PostInput, TargetInput
from services.publisher.ports import Caller, Claim
from tests.integration.publisher.upstream import Gazette, Upstream, serving
from tests.unit.publisher.bench import CrashError
from tests.unit.publisher.fakes import FakeFiles, FakeMedia, FakeVariants

TOKEN = "canary-token"
# Real pauses, made short; a lease is longer than a machine with much else to do keeps anybody waiting.
POLICY = Policy(
    transient_s=(0.05,) * 4, quota_s=(0.05,) * 2, wait_s=(0.05,), reconcile_s=(0.05,) * 4, rebuild_s=(0.05,) * 2,
    lease_s=2.0,
)  # fmt: skip


@pytest.fixture(scope="session")
def masters(local_state: State) -> MasterKeys:
    """What every publisher of this session holds, processes too."""
    return MasterKeys(parse_keks(local_state.secret("kek", size_bytes=32)))


@dataclass(slots=True)
class Stage:
    """The publisher, and everything a test wants to see of it."""

    world: World
    app: Application
    upstream: Upstream
    gazette: Gazette
    media: FakeMedia
    variants: FakeVariants
    database: Database
    superuser_url: str
    caller: Caller = field(default_factory=lambda: Caller(f"ws_{uuid.uuid4().hex}", live=True))

    def rebuilt(self, **changed: object) -> "Stage":
        """Another process on the same tables, with some of the outside replaced."""
        world = replace(self.world, **changed)  # type: ignore[arg-type]
        return replace(self, world=world, app=Application(world))

    def crashing_at(self, point: str) -> "Stage":
        """A process that ends at this fault point."""

        async def crash(reached: str) -> None:
            if reached == point:
                raise CrashError(point)

        fault_point: FaultPoint = crash
        return self.rebuilt(fault_point=fault_point)

    async def connect(self, token: str = TOKEN, account_id: str | None = None) -> Account:
        wanted = AccountInput(
            platform="gazette", display_name="", credentials={"token": token}, service_url=self.upstream.url
        )
        return await self.app.connect.create(self.caller, wanted, account_id)

    async def post(
        self,
        text: str = "hi",
        *,
        targets: Sequence[TargetInput] = (TargetInput(platform="gazette"),),
        media: Sequence[MediaInput] = (),
        key: str | None = None,
        **more: object,
    ) -> Post:
        wanted = PostInput(text=text, targets=targets, media=media, **more)  # type: ignore[arg-type]
        return await self.app.create_post(self.caller, wanted, plan="pro", idempotency_key=key, request_id="req_1")

    async def update(self, post: Post, **given: object) -> Post:
        change = PostChange(wanted=PostInput(**given), given=frozenset(given))  # type: ignore[arg-type]
        return await self.app.change_posts.update(self.caller, post.post_id, change, plan="pro", request_id="req_2")

    async def claim(self) -> list[Claim]:
        return list(await self.world.deliveries.claim(100, self.world.policy.lease_s))

    async def work(self) -> list[float | None]:
        """Delivers what is due now, each once."""
        return [await self.app.engine.deliver(claim) for claim in await self.claim()]

    async def settled(self, post: Post, within_s: float = 20.0) -> Post:
        """Delivers until nothing of the post is due any more."""
        async with asyncio.timeout(within_s):
            while not (found := await self.read(post)).settled:
                await self.work()
                await asyncio.sleep(0.02)
        return found

    async def read(self, post: Post) -> Post:
        return await self.app.read_posts.get(self.caller, post.post_id)

    async def target(self, post: Post) -> Target:
        return (await self.read(post)).targets[0]

    def sql(self, statement: str, *values: object) -> list[tuple[object, ...]]:
        """As the superuser, whom no policy binds."""
        with psycopg.connect(self.superuser_url, autocommit=True) as conn:
            cursor = conn.execute(statement.encode(), values)
            return cursor.fetchall() if cursor.description else []

    def outcomes(self, post: Post) -> list[object]:
        """How the intents of a post ended, oldest first."""
        found = self.sql("SELECT outcome FROM publisher.attempts WHERE post_id = %s ORDER BY number", post.post_id)
        return [outcome for (outcome,) in found]

    def metered(self) -> int:
        [(count,)] = self.sql("SELECT count(*) FROM publisher.usage WHERE workspace_id = %s", self.caller.workspace_id)
        assert isinstance(count, int)
        return count

    def told(self, post: Post) -> list[str | None]:
        """What was committed to be told of a post, oldest first."""
        return self.told_of(post.post_id)

    def told_of(self, subject_id: str) -> list[str | None]:
        """What was committed to be told of a post or account, oldest first."""
        rows = self.sql("SELECT body FROM publisher.outbox ORDER BY n")
        heard = [events_pb2.Event.FromString(bytes(body)) for (body,) in rows]  # type: ignore[call-overload]
        return [event.WhichOneof("payload") for event in heard if event.subject_id == subject_id]


@pytest.fixture
async def stage(postgres: Postgres, publisher_url: str, masters: MasterKeys) -> AsyncIterator[Stage]:
    """Empty tables, and the publisher on them."""
    with psycopg.connect(postgres.url(), autocommit=True) as conn:
        conn.execute(
            "TRUNCATE publisher.posts, publisher.targets, publisher.attempts, publisher.accounts, publisher.usage,"
            " publisher.post_media, publisher.imports, publisher.workspace_keys, publisher.leftovers,"
            " publisher.outbox, publisher.inbox"
        )
    async with AsyncExitStack() as closing:
        upstream = await closing.enter_async_context(serving())
        database = await closing.enter_async_context(db.connect(publisher_url, schema=posts.SCHEMA))
        gazette, media, variants = Gazette(), FakeMedia(), FakeVariants()
        world = World(
            posts=posts.PostgresPosts(
                database, await closing.enter_async_context(database.wakeups(posts.SETTLED_CHANNEL))
            ),
            changes=changes.PostgresChanges(database),
            accounts=accounts.PostgresAccounts(database),
            deliveries=deliveries.PostgresDeliveries(database),
            leftovers=leftovers.PostgresLeftovers(database),
            imports=imports.PostgresImports(database),
            pins=pins.PostgresPins(database),
            vault=vault.Vault(masters, keys.PostgresKeys(database)),
            media=media,
            variants=variants,
            files=FakeFiles(),
            publishers={gazette.id: gazette},
            aliases={},
            http=await closing.enter_async_context(guarded_http.connect(trusted=[upstream.url])),
            sandbox_url="http://127.0.0.1:9",
            now=clock.utc_now,
            new_id=ids.new,
            random_bytes=os.urandom,
            meter=Metrics(CollectorRegistry()),
            policy=POLICY,
        )
        yield Stage(world, Application(world), upstream, gazette, media, variants, database, postgres.url())
