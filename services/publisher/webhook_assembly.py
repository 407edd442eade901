"""Webhooks wired into the publisher's process."""

import random

from services.common import guarded_http, rpc
from services.common.db import Database
from services.common.events import Bus
from services.common.runtime import Runtime
from services.publisher.adapters.postgres.webhooks import rows
from services.publisher.adapters.postgres.webhooks.endpoints import PostgresDeliveries, PostgresEndpoints
from services.publisher.adapters.postgres.webhooks.events import PostgresOccasions
from services.publisher.adapters.postgres.webhooks.queue import PostgresQueue
from services.publisher.adapters.webhooks.http import MAX_ANSWER_BYTES, HttpSender
from services.publisher.adapters.webhooks.metrics import Metrics
from services.publisher.adapters.webhooks.resources import StageResources
from services.publisher.app.assembly import World
from services.publisher.app.webhooks.assembly import Webhooks, WebhookWorld
from services.publisher.app.webhooks.managing import Manage
from services.publisher.settings import Settings
from services.publisher.webhook_events import WebhookEvents

FORGET_EVERY_S = 600.0


async def start(run: Runtime, conf: Settings, database: Database, bus: Bus, world: World) -> Manage:
    """Consumers, workers and chores of webhooks; returns what the RPCs need."""
    trusted = conf.webhook_origins
    client = await run.enter(guarded_http.connect(trusted=trusted, max_answer_bytes=MAX_ANSWER_BYTES))
    ingest = await run.enter(rpc.channel(conf.ingest_target))
    wakeups = await run.enter(database.wakeups(rows.DUE_CHANNEL))
    webhooks = Webhooks(
        WebhookWorld(
            endpoints=PostgresEndpoints(database),
            deliveries=PostgresDeliveries(database, world.new_id),
            occasions=PostgresOccasions(database, world.new_id, world.now),
            queue=PostgresQueue(database),
            resources=StageResources(ingest, world.posts, world.accounts),
            sender=HttpSender(client, trusted=trusted),
            vault=world.vault,
            now=world.now,
            new_id=world.new_id,
            random_bytes=world.random_bytes,
            chance=random.random,
            meter=Metrics(),
        )
    )

    async def wake() -> None:
        with wakeups.watch("") as due:
            while True:
                await due.wait()
                due.clear()
                webhooks.rounds.wake()

    WebhookEvents(webhooks.tell).subscribe(run, bus)
    run.work(webhooks.rounds, name="webhooks")
    run.background(wake, name="webhook wake-ups")
    run.every(FORGET_EVERY_S, webhooks.forget_old, name="old webhooks")
    return webhooks.manage
