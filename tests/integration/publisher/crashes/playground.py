"""Every platform's sandbox, media on a CDN for them, and what was published there."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import httpx
import psycopg

from services.common.guarded_http import MAX_ANSWER_BYTES, GuardedTransport, connect, origin_of, system_resolver
from services.platforms import catalog, registry
from services.platforms.ports import Asset, Draft
from services.publisher.adapters.files import CdnFiles
from services.publisher.app.assembly import World
from services.publisher.domain.delivery import Policy
from services.publisher.ports import Ready, Rendition
from tests import media
from tests.contract.platforms import cdn, playing, samples
from tests.contract.platforms.playing import Sandboxes
from tests.integration.publisher.conftest import Stage
from tests.integration.publisher.crashes.processes import Plan
from tests.integration.publisher.crashes.runs import Clockwork, Ending, Run, Sample

# Those a platform's own rules have nothing against are played there.
SAMPLES = (
    Sample("text"),
    Sample("picture", ("med_a",)),
    Sample("pictures", ("med_a", "med_b")),
    Sample("animation", ("med_gif",)),
    Sample("film", ("med_film",)),
    Sample("mixed", ("med_a", "med_film")),
    Sample("reel", ("med_film",), {"mediaType": "reel"}),
    Sample("story", ("med_a",), {"mediaType": "story"}, has_text=False),
)


@dataclass
class Playground:
    """Publishers, and the platforms they publish to. media: by id; cover: the films'."""

    world: World
    clockwork: Clockwork
    sandboxes: Sandboxes
    transport: httpx.AsyncBaseTransport
    media: dict[str, Asset]
    cover: Asset

    def samples(self, platform: str) -> list[Sample]:
        """The kinds of post the platform takes."""
        return [sample for sample in SAMPLES if self._takes(platform, sample)]

    async def run(self, platform: str, seed: int, sample: Sample, plan: Plan) -> Ending:
        """One run, under a name of its own."""
        run = Run(self.world, self.clockwork, self.transport, platform=platform, name=f"{platform}{seed}{sample.name}")
        return await run.until_settled(seed, sample, plan)

    async def there(self, platform: str) -> Counter[str]:
        """How often each text is on the platform; of posts without one, the account."""
        url = f"{self.sandboxes.url}/{platform}/_sandbox/posts"
        answer = await self.sandboxes.http.get(url, params={"limit": "1000000"})
        return Counter(post["text"] or post["account"] for post in answer.json()["posts"])

    def _takes(self, platform: str, sample: Sample) -> bool:
        spec, assets = catalog.load()[platform], tuple(self.media[it] for it in sample.media_ids)
        if any((spec.video if it.is_video else spec.image) is None for it in assets):
            return False
        text = "crash run" if sample.has_text else ""
        draft: Draft = samples.draft(text, *assets, cover=self.cover, options=dict(sample.options))
        return not self.world.publishers[platform].check(draft)


@asynccontextmanager
async def opened(stage: Stage, folder: Path) -> AsyncIterator[Playground]:
    """Over the stage's tables, with the pauses of every day."""
    async with (
        cdn.serving() as files,
        playing.serving(folder, (files.url,)) as sandboxes,
        connect(trusted=[files.url]) as reader,
        await psycopg.AsyncConnection.connect(stage.superuser_url, autocommit=True) as conn,
    ):
        held, cover = _media(files), files.asset(media.jpeg(540, 960))
        for media_id, asset in held.items():
            stage.media.add(
                media_id, kind="video" if asset.is_video else "image", content_type=asset.content_type,
                width=asset.width, height=asset.height, duration_s=asset.duration_s,
            )  # fmt: skip
            stage.variants.answers[media_id] = Ready(_rendition(asset), _rendition(cover) if asset.is_video else None)
        world = stage.rebuilt(
            publishers=registry.publishers(),
            aliases=registry.aliases(),
            files=CdnFiles(reader, files.url),
            sandbox_url=sandboxes.url,
            policy=Policy(),
        ).world
        transport = GuardedTransport(frozenset({origin_of(sandboxes.url)}), MAX_ANSWER_BYTES, system_resolver)
        yield Playground(world, Clockwork(world, conn), sandboxes, transport, held, cover)
        await transport.aclose()


@cache
def _film() -> bytes:
    return media.film(540, 960, seconds=5, fps=24, audio=True, options={"preset": "ultrafast", "crf": "40"})


def _media(files: cdn.Cdn) -> dict[str, Asset]:
    return {
        "med_a": files.asset(media.jpeg(400, 400), "the first"),
        "med_b": files.asset(media.jpeg(420, 400)),
        "med_gif": files.asset(samples.gif(frames=6)),
        "med_film": files.asset(_film()),
    }


def _rendition(asset: Asset) -> Rendition:
    return Rendition(
        preset=asset.preset, url=asset.url, content_type=asset.content_type, size_bytes=asset.size_bytes,
        width=asset.width, height=asset.height, duration_s=asset.duration_s, alt_text=asset.alt_text,
    )  # fmt: skip
