"""A long film's segments, on real stores and with real decoders: shared by two, and not lost with a killed process."""

import asyncio
import io
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path

import av
import pytest
from prometheus_client import CollectorRegistry

from deploy.local.clamd import Clamd
from deploy.local.nats import Nats
from deploy.local.ports import Ports
from deploy.local.postgres import Postgres
from deploy.local.s3 import ACTIVE, S3
from deploy.local.stages import Stage as Process
from deploy.local.stages import Wiring
from deploy.local.state import State
from services.transcoder.adapters.engine import SandboxedEngine
from services.transcoder.adapters.metrics import Metrics
from services.transcoder.adapters.scratch import DiskScratch
from services.transcoder.assembly import Transcoder
from services.transcoder.domain.item import EARLY_WORD_FROM_BYTES
from services.transcoder.ports import Ref
from tests import media
from tests.integration.transcoder.conftest import Stage, eventually

SECONDS, FPS = 46, 25
SEGMENT_S = 1  # of full HD: 22 s of this


@cache
def clip() -> bytes:
    """MPEG-4 part 2, which is no platform's; a key frame every 12, as its encoder has them."""
    film = media.film(426, 240, seconds=SECONDS, fps=FPS, codec="mpeg4", options={}, audio=True)
    return media.padded(film, EARLY_WORD_FROM_BYTES)


@asynccontextmanager
async def another(stage: Stage, scratch: Path) -> AsyncIterator[tuple[Transcoder, CollectorRegistry]]:
    """A transcoder with decoders and a scratch folder of its own."""
    registry = CollectorRegistry()
    async with SandboxedEngine(spares=1) as engine:
        world = replace(
            stage.world,
            engine=engine,
            scratch=DiskScratch(scratch),
            meter=Metrics((), registry),
            segment_s=SEGMENT_S,
        )
        transcoder = Transcoder.assemble(world)
        running = asyncio.create_task(transcoder.dispatcher.run())
        try:
            yield transcoder, registry
        finally:
            await transcoder.dispatcher.stop(1.0)
            await running


def segments(registry: CollectorRegistry) -> Mapping[str, float | None]:
    return {by: registry.get_sample_value("transcoder_segments_total", {"by": by}) for by in ("holder", "helper")}


async def whole(stage: Stage, ref: Ref) -> None:
    """The renditions are there, and show and sound to the end."""
    item = await stage.item(ref)
    keys = {one.key for one in item.variants.values() if one.eager and one.content_type == "video/mp4" and one.key}
    assert keys
    for key in keys:
        data = stage.client.get_object(Bucket=ACTIVE, Key=key)["Body"].read()
        with av.open(io.BytesIO(data), "r", format="mp4") as film:
            shown = [frame.pts for frame in film.decode(video=0)]
        with av.open(io.BytesIO(data), "r", format="mp4") as film:
            heard = sum(frame.samples for frame in film.decode(audio=0))
        assert len(shown) == len(set(shown)) == SECONDS * FPS
        assert abs(heard / 48_000 - SECONDS) < 0.1


@pytest.mark.timeout(240)
async def test_two_transcoders_share_a_film(stage: Stage, tmp_path: Path) -> None:
    ref = await stage.promoted("video", clip())
    async with AsyncExitStack() as closing:
        both = [await closing.enter_async_context(another(stage, tmp_path / name)) for name in ("one", "other")]
        await eventually(lambda: stage.sql("SELECT 1 FROM transcoder.items WHERE due_at IS NULL") != [], within_s=200)
        made = [segments(registry) for _, registry in both]
        # One holds the item; each has encoded one of the two segments.
        assert sorted(made, key=str) == [{"holder": 1.0, "helper": None}, {"holder": None, "helper": 1.0}]
        await whole(stage, ref)
        prefix = (await stage.item(ref)).segments_prefix
        assert any(key.startswith(prefix) for key in stage.served(ref))
        await both[0][0].segmenting.litter()
        assert not any(key.startswith(prefix) for key in stage.served(ref))
        assert stage.sql("SELECT 1 FROM transcoder.segments") == []


class Cutting(Process):
    """Of which short segments are made."""

    def env(self) -> Mapping[str, str]:
        return {**super().env(), "MEDIA_TRANSCODER_SEGMENT_S": str(SEGMENT_S)}


@pytest.mark.timeout(240)
async def test_a_process_killed_late_in_a_film_costs_one_segment(
    stage: Stage, postgres: Postgres, nats: Nats, s3: S3, local_state: State
) -> None:
    wiring = Wiring(
        state=local_state, ports=Ports.free(), postgres=postgres, nats=nats, s3=s3, clamd=Clamd(local_state)
    )
    ref = await stage.promoted("video", clip())
    process = Cutting("transcoder", wiring)
    try:
        await asyncio.to_thread(process.start)
        made = "SELECT n, epoch FROM transcoder.segments WHERE digests IS NOT NULL"
        await eventually(lambda: stage.sql(made) == [(0, 1)], within_s=200)
        await asyncio.to_thread(process.kill)
        taken = stage.sql("SELECT epoch FROM transcoder.segments WHERE n = 1")
        stage.time_passes()
        stage.sql("UPDATE transcoder.segments SET lease_until = now() - interval '1 second' WHERE digests IS NULL")
        await asyncio.to_thread(process.start)
        await eventually(lambda: len(stage.sql(made)) == 2, within_s=200)
        assert stage.sql(f"{made} ORDER BY n") == [(0, 1), (1, taken[0][0] + 1)]  # type: ignore[operator]
        await eventually(lambda: stage.sql("SELECT 1 FROM transcoder.items WHERE due_at IS NULL") != [], within_s=200)
    finally:
        await asyncio.to_thread(process.stop)
    await whole(stage, ref)
