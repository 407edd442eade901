"""Bombs and torsos on real stores, over the real wire between the two stages: rejected with their code, and gone."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import grpc
import pytest
from mediaapi.v1.scanner_service_pb2_grpc import add_ScannerServiceServicer_to_server
from prometheus_client import CollectorRegistry

from deploy.local.clamd import NEEDLE, Clamd
from deploy.local.s3 import ACTIVE, QUARANTINE
from services.common import context, rpc
from services.common.blobs import Blobs
from services.common.errors import Code
from services.ingest.adapters.scanner import ScannerStage
from services.ingest.domain.media import State
from services.ingest.ports import Outcome
from services.scanner.adapters.clamd import Clamd as Engine
from services.scanner.adapters.metrics import Metrics
from services.scanner.app import Scanner
from services.scanner.rpc import ScannerRpc
from tests.integration.ingest.conftest import CALLER, Stage, error_of
from tests.media import chunks, film, jpeg, padded
from tests.unit.scanner.structure.boxes import index_bomb, movie, plain_tables, rows, trak
from tests.unit.scanner.structure.walks import gif_frame, gif_of, jpeg_of, png_of, segment


@pytest.fixture
async def wired(stage: Stage, clamd: Clamd) -> AsyncIterator[Stage]:
    """Ingest that asks a scanner by RPC."""
    assert isinstance(stage.world.quarantine, Blobs)
    scanner = Scanner(
        stage.world.quarantine,
        Engine(str(clamd.socket)),
        Metrics(CollectorRegistry()),
        now=lambda: datetime.now(UTC),
        max_scans=4,
        signatures_max_age_s=0,
    )
    server = grpc.aio.server(interceptors=[rpc.ServerInterceptor()])
    add_ScannerServiceServicer_to_server(ScannerRpc(scanner), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with rpc.channel(f"127.0.0.1:{port}") as channel:
        with context.use(CALLER):
            yield stage.rebuilt(scanner=ScannerStage(channel))
    await server.stop(None)


FAR_APART = trak(rows(b"stts", (1, 864_000_000), (1, 40)), *plain_tables(2)[1:])

BOMBS = {
    "B1-png-side": (png_of(50_000, 50_000), Code.MEDIA_DIMENSIONS_EXCEEDED),
    "B1-png-pixels": (png_of(16_000, 16_000), Code.MEDIA_PIXELS_EXCEEDED),
    "B2-gif-frames": (gif_of(9, 9, [gif_frame()] * 10_000), Code.MEDIA_FRAMES_EXCEEDED),
    "B3-jpeg-metadata": (jpeg_of(8, 8, [segment(0xE1, bytes(65_000))] * 100), Code.MEDIA_METADATA_TOO_LARGE),
    "B4-jpeg-scans": (jpeg_of(640, 480, scans=20_000), Code.MEDIA_TOO_COMPLEX),
    "F6-index": (movie(index_bomb()), Code.MEDIA_CORRUPT),
    "F7-gap": (movie(FAR_APART), Code.MEDIA_DURATION_EXCEEDED),
    "A9-half-a-photo": (jpeg()[:4000], Code.MEDIA_CORRUPT),
    "A9-most-of-a-film": (padded(film(), 12_000_000)[:-1], Code.MEDIA_CORRUPT),
}


@pytest.mark.parametrize("name", BOMBS)
async def test_what_no_decoder_may_see_is_rejected_with_its_code(wired: Stage, name: str) -> None:
    data, code = BOMBS[name]
    ref = await wired.promoted(*chunks(data))
    assert (await error_of(wired.ingest.reading.settled(ref, 5))).code is code
    media = await wired.media(ref)
    assert media.state is State.REJECTED
    assert media.fault is not None
    assert (media.fault.code, media.fault.threat) == (code, None)
    assert (wired.objects(QUARANTINE), wired.objects(ACTIVE)) == ({}, {})
    assert wired.told(ref)[-1].WhichOneof("payload") == "media_settled"


@pytest.mark.parametrize(
    "data",
    [jpeg(gps=True) + film(seconds=0.3), jpeg() + b"PK\x03\x04" + bytes(500), padded(film(audio=True), 12_000_000)],
    ids=["motion-photo", "trailer", "film"],
)
async def test_what_phones_write_goes_on_to_the_decoders(wired: Stage, data: bytes) -> None:
    ref = await wired.promoted(*chunks(data))
    assert (await wired.media(ref)).state is State.PROCESSING


async def test_malware_in_a_torso_is_told_as_malware(wired: Stage) -> None:
    ref = await wired.promoted(*chunks(jpeg()[:4000] + NEEDLE))
    assert (await error_of(wired.ingest.reading.settled(ref, 5))).code is Code.MEDIA_REJECTED_SECURITY
    verdict = wired.sql("SELECT outcome FROM ingest.verdicts WHERE media_id = %s", ref.media_id)
    assert verdict == [(Outcome.INFECTED.value,)]
