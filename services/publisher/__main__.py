"""publisher: everything that leaves the house.   python -m services.publisher"""

import os

import uvloop
from mediaapi.v1.publisher_service_pb2_grpc import add_PublisherServiceServicer_to_server

from services.common import clock, db, events, guarded_http, ids, log, outbox, rpc, settings
from services.common.runtime import Runtime
from services.platforms import registry
from services.publisher import webhook_assembly
from services.publisher.adapters import files, metrics, sealing, stages, vault
from services.publisher.adapters.postgres import accounts, changes, deliveries, imports, keys, pins, posts, waiting
from services.publisher.adapters.postgres.leftovers import PostgresLeftovers
from services.publisher.app.assembly import Application, World
from services.publisher.events import PublisherEvents
from services.publisher.rpc import PublisherRpc
from services.publisher.settings import Settings


async def main() -> None:
    """Wires the stage and serves until told to stop."""
    conf = settings.load(Settings, "MEDIA_PUBLISHER")
    log.setup("publisher", conf.log_level)
    async with Runtime("publisher", **conf.places(), drain_s=conf.drain_s) as run:
        database = await run.enter(db.connect(conf.database_url, schema=posts.SCHEMA))
        bus = await run.enter(events.connect(conf.nats_url, replicas=conf.nats_replicas))
        sealed = vault.Vault(sealing.MasterKeys(conf.kek), keys.PostgresKeys(database))
        world = World(
            posts=posts.PostgresPosts(database, await run.enter(database.wakeups(posts.SETTLED_CHANNEL))),
            changes=changes.PostgresChanges(database), accounts=accounts.PostgresAccounts(database),
            deliveries=deliveries.PostgresDeliveries(database), imports=imports.PostgresImports(database),
            pins=pins.PostgresPins(database), leftovers=PostgresLeftovers(database),
            vault=sealed,
            media=stages.IngestMedia(await run.enter(rpc.channel(conf.ingest_target))),
            variants=stages.TranscoderVariants(await run.enter(rpc.channel(conf.transcoder_target))),
            files=await run.enter(files.connect(conf.cdn_url)),
            publishers=registry.publishers(), aliases=registry.aliases(),
            http=await run.enter(guarded_http.connect(trusted=[conf.sandbox_url, *conf.trusted_origins])),
            sandbox_url=conf.sandbox_url, meter=metrics.Metrics(),
            now=clock.utc_now, new_id=ids.new, random_bytes=os.urandom,
        )  # fmt: skip
        app = Application(world)
        webhooks = await webhook_assembly.start(run, conf, database, bus, world)
        add_PublisherServiceServicer_to_server(PublisherRpc(app, webhooks), run.server)
        PublisherEvents(app.dispatcher, world.deliveries).subscribe(run, bus)
        run.check("postgres", database.ping, vital=True)
        run.check("sealing keys", sealed.ready)
        run.work(app.dispatcher, name="dispatcher")
        run.work(app.importer, name="importer")
        run.background(outbox.Relay(database, bus, posts.SCHEMA).run, name="relay")
        run.every(5.0, app.release_pins, name="pins")
        run.every(5.0, app.abandon, name="abandoned uploads")
        run.every(60.0, app.verify_account.due, name="unverified accounts")
        run.every(15.0, waiting.steps(database).look, name="waiting")
        await run.serve()


if __name__ == "__main__":
    uvloop.run(main())
