"""transcoder: probes media and makes renditions.   python -m services.transcoder"""

import asyncio
from pathlib import Path

from mediaapi.v1.transcoder_service_pb2_grpc import add_TranscoderServiceServicer_to_server

from services.common import blobs, db, events, log, outbox, settings
from services.common.runtime import Runtime
from services.transcoder.adapters.engine import SandboxedEngine
from services.transcoder.adapters.metrics import Metrics
from services.transcoder.adapters.postgres.items import CHANGED_CHANNEL, SCHEMA
from services.transcoder.adapters.progress import NatsProgress
from services.transcoder.adapters.scratch import DiskScratch
from services.transcoder.assembly import Transcoder, World
from services.transcoder.events import MEDIA, WANTED, TranscoderEvents
from services.transcoder.rpc import TranscoderRpc
from services.transcoder.settings import Settings
from services.transcoder.view import View


async def main() -> None:
    """Wires the stage and serves until told to stop."""
    conf = settings.load(Settings, "MEDIA_TRANSCODER")
    log.setup("transcoder", conf.log_level)
    places = {"listen": conf.listen, "metrics_listen": conf.metrics_listen, "otel_endpoint": conf.otel_endpoint}
    async with Runtime("transcoder", **places, drain_s=conf.drain_s) as run:
        store = (conf.s3_endpoint, conf.s3_region, conf.s3_access_key, conf.s3_secret_key, conf.active_bucket)
        database = await run.enter(db.connect(conf.database_url, schema=SCHEMA))
        progress = NatsProgress(bus := await run.enter(events.connect(conf.nats_url, replicas=conf.nats_replicas)))
        engine = await run.enter(SandboxedEngine(spares=conf.workers))
        world = World(
            database=database,
            wakeups=await run.enter(database.wakeups(CHANGED_CHANNEL)),
            store=await run.enter(blobs.connect(*store)),
            engine=engine,
            scratch=DiskScratch(Path(conf.scratch_dir)),
            onlookers=progress,
            meter=Metrics(engine.layers),
            view=View(conf.cdn_url),
            workers=conf.workers, films_bytes=conf.films_bytes, segment_s=conf.segment_s,
        )  # fmt: skip
        transcoder = Transcoder.assemble(world)
        add_TranscoderServiceServicer_to_server(TranscoderRpc(transcoder.ensuring, world.view), run.server)
        handlers = TranscoderEvents(transcoder.receiving, wake=transcoder.dispatcher.wake)
        run.check("postgres", database.ping, vital=True)
        run.check("engine", engine.described)
        run.consume(bus, *MEDIA, handlers.media)
        run.consume(bus, *WANTED, handlers.wanted)
        run.background(outbox.Relay(database, bus, SCHEMA).run, name="relay")
        run.work(transcoder.dispatcher, name="jobs")
        run.background(progress.run, name="progress")
        for name, seconds, chore in transcoder.chores():
            run.every(seconds, chore, name=name)
        await run.serve()


if __name__ == "__main__":
    # Not uvloop: it forks to start a process, which wakes up handlers of gRPC's; asyncio does not.
    asyncio.run(main())
