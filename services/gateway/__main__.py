"""gateway: the public HTTP API, and the keys that open it.   python -m services.gateway"""

import uvloop
from mediaapi.v1.gateway_service_pb2_grpc import add_KeyServiceServicer_to_server

from services.common import db, log, rpc, settings
from services.common.runtime import Runtime
from services.gateway.assembly import Gateway
from services.gateway.rpc import KeyRpc
from services.gateway.settings import Settings
from services.gateway.web.server import serving

OLD_EVERY_S = 600.0


async def main() -> None:
    """Wires the stage and serves until told to stop."""
    conf = settings.load(Settings, "MEDIA_GATEWAY")
    log.setup("gateway", conf.log_level)
    places = {"listen": conf.listen, "metrics_listen": conf.metrics_listen, "otel_endpoint": conf.otel_endpoint}
    async with Runtime("gateway", **places, drain_s=conf.drain_s) as run:
        database = await run.enter(db.connect(conf.database_url, schema="gateway"))
        targets = {
            "gateway": f"127.0.0.1:{run.port}",
            "ingest": conf.ingest_target,
            "scanner": conf.scanner_target,
            "transcoder": conf.transcoder_target,
            "publisher": conf.publisher_target,
        }
        channels = {stage: await run.enter(rpc.channel(target)) for stage, target in targets.items()}
        gateway = Gateway.assemble(
            database,
            channels,
            pepper=conf.key_pepper,
            public_url=conf.public_url,
            plans_file=conf.plans_file,
            pace=conf.pace(),
            takes_calls=lambda: run.takes_calls,
        )
        add_KeyServiceServicer_to_server(KeyRpc(gateway.ring), run.server)
        run.check("postgres", database.ping, vital=True)
        run.every(OLD_EVERY_S, gateway.replays.forget_old, name="old answers")
        run.every(OLD_EVERY_S, gateway.buckets.forget_old, name="old buckets")
        server = serving(gateway.http, conf.http_listen, drain_s=conf.drain_s, stop=gateway.http.stop)
        run.front(server, leave_s=conf.leave_s)
        await run.serve()


if __name__ == "__main__":
    uvloop.run(main())
