"""The stage as the process it is, with its real engine: spoken to by events and RPC, killed, stopped in order."""

import asyncio
import io
import os
import re
import signal
import urllib.request
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from mediaapi.v1 import events_pb2, media_pb2, transcoder_service_pb2_grpc
from mediaapi.v1 import transcoder_service_pb2 as pb
from PIL import Image

from deploy.local.clamd import Clamd
from deploy.local.nats import Nats, http_status
from deploy.local.ports import HOST, Ports
from deploy.local.postgres import Postgres
from deploy.local.s3 import ACTIVE, S3
from deploy.local.stages import Stage as Process
from deploy.local.stages import Wiring
from deploy.local.state import State
from services.common import context, events, rpc
from services.common.context import CallContext
from services.common.errors import Code, MediaError
from services.platforms import catalog
from services.platforms.catalog import Kind
from services.transcoder.domain.item import EARLY_WORD_FROM_BYTES
from services.transcoder.ports import Ref
from tests.integration.transcoder.conftest import Ears, eventually, promotion, ref_of
from tests.media import film, jpeg, padded
from tests.processes import descendants, runs


@dataclass(slots=True)
class Running:
    """The process, and what a test sees of it."""

    process: Process
    wiring: Wiring
    s3: S3
    workspace_id: str
    ears: Ears

    async def promoted(self, data: bytes, kind: Kind = "image") -> Ref:
        event = promotion(self.s3.client(), self.workspace_id, kind, data)
        await self.ears.say(event)
        return ref_of(event)

    async def ensure(self, ref: Ref, platform: str, *, workspace_id: str = "") -> pb.EnsureVariantResponse:
        request = pb.EnsureVariantRequest(media_id=ref.media_id, platform=platform)
        async with rpc.channel(f"{HOST}:{self.wiring.ports.transcoder}") as channel:
            with context.use(CallContext(workspace_id or self.workspace_id, "req_2", wait_s=20.0)):
                stub = transcoder_service_pb2_grpc.TranscoderServiceStub(channel)
                answer: pb.EnsureVariantResponse = await stub.EnsureVariant(request)
        return answer

    def row(self, ref: Ref) -> tuple[bool, int]:
        """Whether somebody holds the item, and how often that was tried in vain."""
        with psycopg.connect(self.wiring.postgres.url()) as conn:
            found = conn.execute(
                "SELECT lease_until > now(), tries FROM transcoder.items WHERE id = %s", (ref.media_id,)
            ).fetchone()
        return (bool(found[0]), found[1]) if found else (False, 0)

    def object(self, url: str) -> bytes:
        """The bytes behind a URL, which the edge would serve."""
        key = "cdn/" + url.removeprefix(f"{self.wiring.public_url}/cdn/")
        return self.s3.client().get_object(Bucket=ACTIVE, Key=key)["Body"].read()


@pytest.fixture(scope="module")
def process(
    postgres: Postgres, nats: Nats, s3: S3, local_state: State, transcoder_url: str
) -> Iterator[tuple[Process, Wiring]]:
    """Started once."""
    wiring = Wiring(
        state=local_state, ports=Ports.free(), postgres=postgres, nats=nats, s3=s3, clamd=Clamd(local_state)
    )
    stage = Process("transcoder", wiring)
    try:
        stage.start()
        yield stage, wiring
    finally:
        stage.stop()


@pytest.fixture
async def running(process: tuple[Process, Wiring], nats: Nats, s3: S3) -> AsyncIterator[Running]:
    """A workspace of its own."""
    workspace_id = f"ws_{uuid.uuid4().hex}"
    async with events.connect(nats.url()) as bus:
        ears = Ears(workspace_id)
        ears.bus = bus
        consumer = bus.consumer(f"test_{uuid.uuid4().hex}", ("media.v1.media_rendered",), ears.hear)
        task = asyncio.create_task(consumer.run())
        yield Running(*process, s3, workspace_id, ears)
        await consumer.stop(1.0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_photo_becomes_what_every_platform_takes(running: Running) -> None:
    ref = await running.promoted(jpeg())
    said = (await running.ears.settled(ref)).media_rendered
    assert (said.width, said.height, said.HasField("error")) == (320, 240, False)
    assert len(said.thumbhash) > 10
    made = {one.preset: one for one in said.variants}
    assert set(made) == {preset.id for preset in catalog.presets("image").values() if preset.eager}
    for preset, variant in made.items():
        assert variant.status == media_pb2.VARIANT_STATUS_READY, variant
        data = running.object(variant.url)
        assert len(data) == variant.size_bytes <= catalog.presets("image")[preset].limits.max_bytes
        with Image.open(io.BytesIO(data)) as image:
            assert image.size == (variant.width, variant.height)


@pytest.mark.timeout(240)
async def test_a_film_is_made_with_its_pictures_first(running: Running) -> None:
    clip = film(640, 360, seconds=4, fps=25, audio=True)
    ref = await running.promoted(padded(clip, EARLY_WORD_FROM_BYTES), "video")
    said = (await running.ears.settled(ref, within_s=200)).media_rendered
    words = [event.media_rendered for event in running.ears.heard if event.subject_id == ref.media_id]
    assert [word.HasField("poster_url") for word in words] == [False, True, True]
    assert (said.HasField("url"), said.has_audio) == (True, True)
    assert abs(said.duration_seconds - 4) < 0.2
    answer = await running.ensure(ref, "pinterest")
    assert answer.cover.status == media_pb2.VARIANT_STATUS_READY
    assert Image.open(io.BytesIO(running.object(answer.cover.url))).format == "JPEG"


async def test_a_file_that_is_none_is_refused(running: Running) -> None:
    ref = await running.promoted(jpeg()[:400])
    said = (await running.ears.settled(ref)).media_rendered
    assert said.error.code == "media_corrupt"
    with pytest.raises(MediaError) as caught:
        await running.ensure(ref, "x")
    assert caught.value.code is Code.MEDIA_REJECTED


async def test_another_workspace_knows_nothing_of_it(running: Running) -> None:
    ref = await running.promoted(jpeg())
    await running.ears.settled(ref)
    assert (await running.ensure(ref, "x")).variant.status == media_pb2.VARIANT_STATUS_READY
    with pytest.raises(MediaError) as caught:
        await running.ensure(ref, "x", workspace_id="ws_other")
    assert caught.value.code is Code.MEDIA_NOT_READY


@pytest.mark.timeout(240)
async def test_killed_in_the_middle_it_goes_on_and_leaves_no_scratch(running: Running) -> None:
    refs = [await running.promoted(jpeg(1600, 1200)) for _ in range(4)]
    refs.append(await running.promoted(film(640, 360, seconds=3, fps=25), "video"))
    await asyncio.sleep(0.5)
    assert running.process.child is not None
    decoders = descendants(running.process.child.pid)
    await asyncio.to_thread(running.process.kill)
    # A film's decoder would have gone on for seconds, and nobody for it.
    await eventually(lambda: not any(map(runs, decoders)), within_s=20)
    await asyncio.to_thread(running.process.start)
    for ref in refs:
        said = (await running.ears.settled(ref, within_s=120)).media_rendered
        assert {one.status for one in said.variants} <= {
            media_pb2.VARIANT_STATUS_READY,
            media_pb2.VARIANT_STATUS_REJECTED,
        }
    settled = [event for event in running.ears.heard if event.media_rendered.settled]
    assert len({(event.subject_id, event.version) for event in settled}) == len(refs)
    assert list(running.wiring.state.folder("transcoder").iterdir()) == []


@pytest.mark.timeout(240)
async def test_stopped_in_the_middle_it_hands_its_job_back_at_once(running: Running) -> None:
    # MPEG-4 part 2 is no platform's: every rendition has to be encoded.
    clip = film(1280, 720, seconds=12, fps=25, codec="mpeg4", options={})
    ref = await running.promoted(clip, "video")
    child = running.process.child
    await eventually(lambda: running.row(ref)[0], within_s=30)
    await asyncio.to_thread(running.process.stop)
    assert child is not None
    assert child.exit_code() == 0, child.last_lines(80)
    assert running.row(ref) == (False, 0)
    assert list(running.wiring.state.folder("transcoder").iterdir()) == []
    await asyncio.to_thread(running.process.start)
    assert (await running.ears.settled(ref, within_s=200)).media_rendered.HasField("url")


@pytest.mark.timeout(240)
@pytest.mark.parametrize("expired", [False, True], ids=["deleted", "expired"])
async def test_a_deletion_kills_the_decoder_and_nothing_of_the_job_is_left(running: Running, expired: bool) -> None:
    ref = await running.promoted(film(1280, 720, seconds=6, fps=25, codec="mpeg4", options={}), "video")
    met: set[int] = set()

    def at_work() -> bool:
        met.update(decoders_at_work(running))
        return bool(met)

    await eventually(at_work, within_s=60)
    [decoder] = met
    # From here on it would never come to an end by itself.
    os.kill(decoder, signal.SIGSTOP)
    lost = jobs(running, "lost")
    gone = events_pb2.MediaDeleted(expired=expired)
    await running.ears.say(events.event(gone, workspace_id=ref.workspace_id, subject_id=ref.media_id, version=9))
    await eventually(lambda: not runs(decoder), within_s=60)
    await eventually(lambda: jobs(running, "lost") == lost + 1, within_s=60)
    assert list(running.wiring.state.folder("transcoder").iterdir()) == []
    await eventually(lambda: not running.row(ref)[0], within_s=60)
    assert running.s3.client().list_objects_v2(Bucket=ACTIVE, Prefix=f"cdn/{ref.media_id}/")["KeyCount"] == 0
    # The next item is told of, and nothing more was of this one.
    other = await running.promoted(jpeg())
    await running.ears.settled(other, within_s=60)
    told = [event.media_rendered for event in running.ears.heard if event.subject_id == ref.media_id]
    assert [(word.settled, word.HasField("url")) for word in told] == [(False, False)]
    with psycopg.connect(running.wiring.postgres.url()) as conn:
        query = "SELECT gone, fault, (SELECT count(*) FROM transcoder.variants WHERE media_id = i.id)"
        found = conn.execute(f"{query} FROM transcoder.items i WHERE id = %s", (ref.media_id,)).fetchone()
    assert found == (True, None, 0)


def decoders_at_work(running: Running) -> Iterator[int]:
    """The processes that write into the scratch folder."""
    assert running.process.child is not None
    pid, scratch = running.process.child.pid, running.wiring.state.folder("transcoder")
    for child in descendants(pid):
        with suppress(FileNotFoundError):
            if any(file.readlink().is_relative_to(scratch) for file in Path(f"/proc/{child}/fd").iterdir()):
                yield child


def jobs(running: Running, outcome: str) -> float:
    """Of videos, that ended like that."""
    with urllib.request.urlopen(f"http://{HOST}:{running.wiring.ports.transcoder_metrics}/metrics") as answer:
        series = answer.read().decode()
    found = re.search(rf'^transcoder_jobs_total\{{kind="video",outcome="{outcome}"\}} (\S+)$', series, re.MULTILINE)
    return float(found[1]) if found else 0.0


def test_it_says_what_it_needs_and_stops_in_order(process: tuple[Process, Wiring]) -> None:
    stage, wiring = process
    metrics = f"http://{HOST}:{wiring.ports.transcoder_metrics}"
    assert [http_status(f"{metrics}/{path}") for path in ("readyz", "healthz", "metrics")] == [200, 200, 200]
    with urllib.request.urlopen(f"{metrics}/metrics") as answer:  # noqa: S310  our own loopback URL
        series = answer.read().decode()
    assert "# TYPE transcoder_jobs_total counter" in series
    assert 'transcoder_isolation_layer{layer="seccomp"} 1.0' in series
    child = stage.child
    assert child is not None
    stage.stop()
    assert child.exit_code() == 0, child.last_lines(80)
    stage.start()
