"""ingest: takes the bytes in, once.   python -m services.ingest"""

import uvloop
from mediaapi.v1.ingest_service_pb2_grpc import add_IngestServiceServicer_to_server

from services.common import blobs, clock, db, events, ids, log, outbox, rpc, settings
from services.common.runtime import Runtime
from services.ingest.adapters import remote
from services.ingest.adapters.libmagic import Libmagic
from services.ingest.adapters.metrics import Metrics
from services.ingest.adapters.postgres.media import CHANGED_CHANNEL, SCHEMA
from services.ingest.adapters.scanner import ScannerStage
from services.ingest.assembly import Ingest, World
from services.ingest.events import RENDERED_CONSUMER, RENDERED_SUBJECTS, SCAN_CONSUMER, SCAN_SUBJECTS, IngestEvents
from services.ingest.rpc import IngestRpc
from services.ingest.settings import Settings


async def main() -> None:
    """Wires the stage and serves until told to stop."""
    conf = settings.load(Settings, "MEDIA_INGEST")
    log.setup("ingest", conf.log_level)
    places = {"listen": conf.listen, "metrics_listen": conf.metrics_listen, "otel_endpoint": conf.otel_endpoint}
    async with Runtime("ingest", **places, drain_s=conf.drain_s) as run:
        store = (conf.s3_endpoint, conf.s3_region, conf.s3_access_key, conf.s3_secret_key)
        database = await run.enter(db.connect(conf.database_url, schema=SCHEMA))
        bus = await run.enter(events.connect(conf.nats_url, replicas=conf.nats_replicas))
        world = World(
            database=database,
            wakeups=await run.enter(database.wakeups(CHANGED_CHANNEL)),
            quarantine=await run.enter(blobs.connect(*store, conf.quarantine_bucket)),
            active=await run.enter(blobs.connect(*store, conf.active_bucket)),
            quarantine_bucket=conf.quarantine_bucket,
            scanner=ScannerStage(await run.enter(rpc.channel(conf.scanner_target))),
            opinion=Libmagic(),
            remote=await run.enter(remote.connect(conf.import_origins)),
            meter=Metrics(),
            now=clock.utc_now,
            new_id=ids.new,
        )
        ingest = Ingest.assemble(world, conf.upload_limits(), prompt_verdicts=conf.scans_at_once)
        add_IngestServiceServicer_to_server(IngestRpc(ingest), run.server)
        handlers = IngestEvents(ingest.judging, ingest.rendering, ingest.reading.following)
        run.check("postgres", database.ping, vital=True)
        run.consume(bus, SCAN_CONSUMER, SCAN_SUBJECTS, handlers.sealed, concurrency=conf.scans_at_once)
        run.work(ingest.prompt, name="prompt verdicts")
        run.consume(bus, RENDERED_CONSUMER, RENDERED_SUBJECTS, handlers.rendered)
        run.background(lambda: bus.listen(events.PROGRESS, handlers.progress), name="progress")
        run.background(outbox.Relay(database, bus, SCHEMA).run, name="relay")
        for name, seconds, chore in ingest.chores():
            run.every(seconds, chore, name=name)
        await run.serve()


if __name__ == "__main__":
    uvloop.run(main())
