"""scanner: a verdict on one stored object.   python -m services.scanner"""

import uvloop
from mediaapi.v1.scanner_service_pb2_grpc import add_ScannerServiceServicer_to_server

from services.common import blobs, clock, log, settings
from services.common.runtime import Runtime
from services.scanner.adapters.clamd import Clamd
from services.scanner.adapters.metrics import Metrics
from services.scanner.app import Scanner
from services.scanner.rpc import ScannerRpc
from services.scanner.settings import Settings


async def main() -> None:
    """Wires the stage and serves until told to stop."""
    conf = settings.load(Settings, "MEDIA_SCANNER")
    log.setup("scanner", conf.log_level)
    places = {"listen": conf.listen, "metrics_listen": conf.metrics_listen, "otel_endpoint": conf.otel_endpoint}
    async with Runtime("scanner", **places, drain_s=conf.drain_s) as run:
        quarantine = await run.enter(
            blobs.connect(
                conf.s3_endpoint, conf.s3_region, conf.s3_access_key, conf.s3_secret_key, conf.quarantine_bucket
            )
        )
        scanner = Scanner(
            quarantine,
            Clamd(conf.clamd_address),
            Metrics(),
            now=clock.utc_now,
            max_scans=conf.max_scans,
            signatures_max_age_s=conf.signatures_max_age_s,
        )

        async def clamd() -> str:
            return scanner.state()

        add_ScannerServiceServicer_to_server(ScannerRpc(scanner), run.server)
        run.check("clamd", clamd)
        run.background(scanner.keep_testing, name="self-test")
        await run.serve()


if __name__ == "__main__":
    uvloop.run(main())
