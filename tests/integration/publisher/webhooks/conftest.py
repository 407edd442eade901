"""Webhooks on the real PostgreSQL, towards a customer's real server."""

import asyncio
import os
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from prometheus_client import CollectorRegistry

from deploy.local.postgres import Postgres
from services.common import clock, db, guarded_http, ids
from services.common.db import Database, Wakeups
from services.publisher.adapters import vault
from services.publisher.adapters.postgres import keys
from services.publisher.adapters.postgres.posts import SCHEMA
from services.publisher.adapters.postgres.webhooks import rows
from services.publisher.adapters.postgres.webhooks.endpoints import PostgresDeliveries, PostgresEndpoints
from services.publisher.adapters.postgres.webhooks.events import PostgresOccasions
from services.publisher.adapters.postgres.webhooks.queue import PostgresQueue
from services.publisher.adapters.sealing import MasterKeys
from services.publisher.adapters.webhooks.http import MAX_ANSWER_BYTES, HttpSender
from services.publisher.adapters.webhooks.metrics import Metrics
from services.publisher.app.webhooks.assembly import Webhooks, WebhookWorld
from services.publisher.app.webhooks.ports import AccountResource, Parcel, PostResource, Receipt, Room
from services.publisher.domain.post import JSON
from services.publisher.domain.webhooks.delivery import Delivery, Schedule
from services.publisher.domain.webhooks.endpoint import Endpoint
from services.publisher.domain.webhooks.events import EventType, News
from services.publisher.ports import Caller
from tests.receiver import Receiver, receiving

ROOM = Room(parcels=96, failing=48, per_endpoint=8, per_failing=2)


@dataclass
class Clock:
    """Stands still unless moved; real time where it was never set."""

    moment: datetime | None = None

    def __call__(self) -> datetime:
        return self.moment or clock.utc_now()

    def set(self, moment: datetime = datetime(2026, 11, 25, 9, tzinfo=UTC)) -> None:
        self.moment = moment

    def move(self, seconds: float) -> None:
        self.moment = self() + timedelta(seconds=seconds)


@dataclass
class FakeResources:
    """Media and posts of other tables."""

    items: dict[str, Mapping[str, JSON]] = field(default_factory=dict)
    posts: dict[str, PostResource] = field(default_factory=dict)
    accounts: dict[str, AccountResource] = field(default_factory=dict)

    async def media(self, media_id: str) -> Mapping[str, JSON] | None:
        return self.items.get(media_id)

    async def post(self, workspace_id: str, post_id: str) -> PostResource | None:
        return self.posts.get(post_id)

    async def account(self, workspace_id: str, account_id: str) -> AccountResource | None:
        return self.accounts.get(account_id)


@dataclass
class Hooks:
    """The use cases, and everything a test wants to see of them."""

    world: WebhookWorld
    webhooks: Webhooks
    receiver: Receiver
    resources: FakeResources
    clock: Clock
    database: Database
    wakeups: Wakeups
    superuser_url: str
    caller: Caller = field(default_factory=lambda: Caller(f"ws_{uuid.uuid4().hex}", live=True))

    def rebuilt(self, **changed: object) -> "Hooks":
        """Another process on the same tables, with some of the outside replaced."""
        world = replace(self.world, **changed)  # type: ignore[arg-type]
        return replace(self, world=world, webhooks=Webhooks(world))

    async def register(
        self, path: str = "/ok", events: Sequence[str] = (EventType.MEDIA_READY,), *, live: bool = True
    ) -> tuple[Endpoint, str]:
        caller = replace(self.caller, live=live)
        return await self.webhooks.manage.create(caller, self.receiver.url + path, events, "")

    async def happen(self, count: int = 1, **changed: object) -> None:
        """Events of items that are ready, each in a transaction of its own."""
        for _ in range(count):
            media_id = ids.new("med")
            news = News(
                cause=f"{media_id} {EventType.MEDIA_READY}",
                type=EventType.MEDIA_READY,
                live=None,
                happened_at=self.clock(),
                data={"id": media_id, "status": "ready"},
            )
            receipt = Receipt("test", ids.new("evt"))
            await self.world.occasions.tell(self.caller.workspace_id, receipt, [replace(news, **changed)])  # type: ignore[arg-type]

    async def claim(self, room: Room = ROOM) -> Sequence[Parcel]:
        return await self.world.queue.claim(room, self.clock(), self.world.schedule.lease_s)

    async def attempt(self) -> int:
        """Everything that is due now, once; how much that was."""
        parcels = await self.claim()
        await asyncio.gather(*(self.webhooks.courier.deliver(parcel) for parcel in parcels))
        return len(parcels)

    async def deliveries(self, endpoint: Endpoint) -> Sequence[Delivery]:
        found, _ = await self.webhooks.manage.deliveries(
            self.caller, endpoint.endpoint_id, limit=100, after=None, status=None
        )
        return found

    async def delivery(self, endpoint: Endpoint) -> Delivery:
        [found] = await self.deliveries(endpoint)
        return found

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The loop as in the process, woken up by the database."""

        async def wake() -> None:
            with self.wakeups.watch("") as due:
                while True:
                    await due.wait()
                    due.clear()
                    self.webhooks.rounds.wake()

        tasks = [asyncio.create_task(it()) for it in (self.webhooks.rounds.run, wake)]
        try:
            yield
        finally:
            await self.webhooks.rounds.stop(5.0)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def sql(self, statement: str, *values: object) -> list[tuple[object, ...]]:
        """As the superuser, whom no policy binds."""
        with psycopg.connect(self.superuser_url, autocommit=True) as conn:
            cursor = conn.execute(statement.encode(), values)
            return cursor.fetchall() if cursor.description else []


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as found:
        yield found


@pytest.fixture
async def hooks(
    postgres: Postgres, publisher_url: str, receiver: Receiver, masters: MasterKeys
) -> AsyncIterator[Hooks]:
    """Empty tables, and webhooks on them."""
    with psycopg.connect(postgres.url(), autocommit=True) as conn:
        conn.execute(
            "TRUNCATE publisher.webhook_endpoints, publisher.webhook_events, publisher.webhook_deliveries,"
            " publisher.workspace_keys, publisher.inbox"
        )
    async with AsyncExitStack() as closing:
        database = await closing.enter_async_context(db.connect(publisher_url, schema=SCHEMA))
        wakeups = await closing.enter_async_context(database.wakeups(rows.DUE_CHANNEL))
        client = await closing.enter_async_context(
            guarded_http.connect(trusted=[receiver.url], max_answer_bytes=MAX_ANSWER_BYTES)
        )
        time, resources = Clock(), FakeResources()
        world = WebhookWorld(
            endpoints=PostgresEndpoints(database),
            deliveries=PostgresDeliveries(database, ids.new),
            occasions=PostgresOccasions(database, ids.new, time),
            queue=PostgresQueue(database),
            resources=resources,
            sender=HttpSender(client, trusted=[receiver.url]),
            vault=vault.Vault(masters, keys.PostgresKeys(database)),
            now=time,
            new_id=ids.new,
            random_bytes=os.urandom,
            chance=lambda: 0.5,
            meter=Metrics(CollectorRegistry()),
            schedule=Schedule(),
        )
        yield Hooks(world, Webhooks(world), receiver, resources, time, database, wakeups, postgres.url())
