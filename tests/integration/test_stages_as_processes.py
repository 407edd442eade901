"""Scanner and ingest as the processes they are, spoken to by RPC."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import pytest
from mediaapi.v1 import ingest_service_pb2 as pb
from mediaapi.v1 import ingest_service_pb2_grpc, media_pb2

from deploy.local.clamd import Clamd
from deploy.local.nats import Nats, http_status
from deploy.local.ports import HOST, Ports
from deploy.local.postgres import Postgres
from deploy.local.s3 import ACTIVE, QUARANTINE, S3
from deploy.local.stages import Stage, Wiring
from deploy.local.state import State
from services.common import context, rpc
from services.common.context import CallContext
from services.common.errors import Code, MediaError
from tests.media import infected_jpeg, jpeg


@dataclass(slots=True)
class Running:
    """Both stages, and the store behind them."""

    scanner: Stage
    ingest: Stage
    wiring: Wiring
    s3: S3

    def keys(self, bucket: str) -> list[str]:
        found = self.s3.client().list_objects_v2(Bucket=bucket).get("Contents", [])
        return [item["Key"] for item in found]


@pytest.fixture(scope="module")
def running(
    postgres: Postgres, ingest_url: str, nats: Nats, s3: S3, clamd: Clamd, local_state: State
) -> Iterator[Running]:
    """Started once; empty stores."""
    wiring = Wiring(state=local_state, ports=Ports.free(), postgres=postgres, nats=nats, s3=s3, clamd=clamd)
    scanner, ingest = Stage("scanner", wiring), Stage("ingest", wiring)
    try:
        scanner.start()
        ingest.start()
        yield Running(scanner, ingest, wiring, s3)
    finally:
        ingest.stop()
        scanner.stop()


async def frames(data: bytes) -> AsyncIterator[pb.UploadMediaRequest]:
    yield pb.UploadMediaRequest(header=pb.UploadHeader(filename="photo.jpg"))
    for at in range(0, len(data), 1 << 18):
        yield pb.UploadMediaRequest(chunk=data[at : at + (1 << 18)])
    yield pb.UploadMediaRequest(trailer=pb.UploadTrailer())


def caller(wait_s: float = 10.0) -> CallContext:
    return CallContext(f"ws_{uuid.uuid4().hex}", "req_1", plan="pro", wait_s=wait_s)


async def upload(running: Running, who: CallContext, data: bytes) -> media_pb2.Media:
    async with rpc.channel(f"{HOST}:{running.wiring.ports.ingest}") as channel:
        with context.use(who):
            answer: media_pb2.Media = await ingest_service_pb2_grpc.IngestServiceStub(channel).UploadMedia(frames(data))
    return answer


async def get(running: Running, who: CallContext, media_id: str) -> media_pb2.Media:
    async with rpc.channel(f"{HOST}:{running.wiring.ports.ingest}") as channel:
        stub = ingest_service_pb2_grpc.IngestServiceStub(channel)
        with context.use(who):
            answer: media_pb2.Media = await stub.GetMedia(pb.GetMediaRequest(id=media_id))
    return answer


async def test_a_clean_photo_is_scanned_and_promoted(running: Running) -> None:
    who = caller(wait_s=0.0)
    media = await upload(running, who, jpeg())
    async with asyncio.timeout(20):
        while (await get(running, who, media.id)).status != media_pb2.MEDIA_STATUS_PROCESSING:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    assert [key for key in running.keys(ACTIVE) if key.startswith(f"sources/{media.id}/")]


async def test_an_infected_photo_is_refused_with_its_threat_and_leaves_nothing(running: Running) -> None:
    before = set(running.keys(ACTIVE))
    with pytest.raises(MediaError) as caught:
        await upload(running, caller(), infected_jpeg())
    assert caught.value.code is Code.MEDIA_REJECTED_SECURITY
    assert "ClamAV-Test-File" in str(caught.value.details["threat"])
    assert set(running.keys(ACTIVE)) == before
    async with asyncio.timeout(20):
        while running.keys(QUARANTINE):  # noqa: ASYNC110  the store tells nobody
            await asyncio.sleep(0.1)


async def test_another_workspace_knows_nothing_of_it(running: Running) -> None:
    media = await upload(running, caller(wait_s=0.0), jpeg())
    with pytest.raises(MediaError) as caught:
        await get(running, caller(), media.id)
    assert caught.value.code is Code.MEDIA_NOT_FOUND


@pytest.mark.parametrize("victim", ["scanner", "ingest"])
async def test_a_stage_killed_after_the_answer_loses_nothing(running: Running, victim: str) -> None:
    who = caller(wait_s=0.0)
    media = await upload(running, who, jpeg())
    stage: Stage = getattr(running, victim)
    await asyncio.to_thread(stage.kill)
    await asyncio.to_thread(stage.start)
    async with asyncio.timeout(60):
        while (await get(running, who, media.id)).status != media_pb2.MEDIA_STATUS_PROCESSING:  # noqa: ASYNC110
            await asyncio.sleep(0.2)


def test_each_says_what_it_needs_and_stops_in_order(running: Running) -> None:
    metrics = f"http://{HOST}:{running.wiring.ports.scanner_metrics}"
    assert [http_status(f"{metrics}/{path}") for path in ("readyz", "healthz", "metrics", "x")] == [200, 200, 200, 404]
    child = running.scanner.child
    assert child is not None
    running.scanner.stop()
    assert child.exit_code() == 0
    running.scanner.start()
