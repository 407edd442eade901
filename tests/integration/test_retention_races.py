"""Posts scheduled around the end of their media, while ingest removes it: both stages on real stores."""

import asyncio
import os
import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import httpx
import pytest

from deploy.local.s3 import ACTIVE
from services.common import clock
from services.common.context import CallContext
from services.common.errors import Code, MediaError
from services.ingest.ports import Ref
from services.platforms.ports import JSON, Account, Draft, Receipt
from services.publisher.domain.post import Post
from services.publisher.domain.request import MediaInput, PostInput, TargetInput
from services.publisher.ports import MediaFacts
from tests import media
from tests.integration.ingest.conftest import Stage as Ingest
from tests.integration.ingest.conftest import stage as ingest  # noqa: F401  a fixture
from tests.integration.ingest.test_reconciling_for_real import Walker
from tests.integration.publisher.conftest import Stage as Publisher
from tests.integration.publisher.conftest import masters  # noqa: F401  a fixture
from tests.integration.publisher.conftest import stage as publisher  # noqa: F401  a fixture
from tests.integration.publisher.upstream import Gazette

POSTS = int(os.environ.get("RETENTION_POSTS", "150"))
POSTS_PER_ITEM = 5
WINDOW_S = 4.0 + POSTS / 25  # items end within it
AROUND_S = 2.0
GC_EVERY_S = 0.1
OWNERS_DELETE = 0.1


class IngestInProcess:
    """The publisher's ports.MediaSource, without the wire between the two stages."""

    def __init__(self, stage: Ingest, workspace_id: str) -> None:
        self._ingest = stage.ingest
        self._workspace_id = workspace_id

    async def get(self, media_id: str) -> MediaFacts:
        await self._ingest.reading.get(self._ref(media_id))
        return _facts(media_id)

    async def upload_image(self, data: bytes, alt_text: str | None, idempotency_key: str | None) -> MediaFacts:
        raise MediaError(Code.INVALID_REQUEST, why="these posts name their media")

    async def pin(self, media_id: str, holder: str, until: datetime) -> MediaFacts:
        await self._ingest.removing.pin(self._ref(media_id), holder, until)
        return _facts(media_id)

    async def unpin(self, media_id: str, holder: str) -> None:
        await self._ingest.removing.unpin(self._ref(media_id), holder)

    def _ref(self, media_id: str) -> Ref:
        return Ref(self._workspace_id, media_id)


def _facts(media_id: str) -> MediaFacts:
    return MediaFacts(
        media_id=media_id, kind="image", status="ready", content_type="image/jpeg", size_bytes=1000, width=64, height=64
    )


@dataclass
class Attentive(Gazette):
    """Looks, before and after it prints a post, for the bytes of the item that the post's text names."""

    keys: dict[str, str] = field(default_factory=dict)
    ingest: Ingest | None = None
    printed: int = 0
    lost: list[str] = field(default_factory=list)

    async def publish(
        self, http: httpx.AsyncClient, account: Account, draft: Draft, prepared: Mapping[str, JSON], handle: str
    ) -> Receipt:
        await self._look(draft.text)
        receipt = await super().publish(http, account, draft, prepared, handle)
        await self._look(draft.text)
        self.printed += 1
        return receipt

    async def _look(self, media_id: str) -> None:
        assert self.ingest is not None
        if await self.ingest.world.active.head(self.keys[media_id]) is None:
            self.lost.append(media_id)


@dataclass(frozen=True, slots=True)
class Item:
    """A picture and when it ends."""

    ref: Ref
    ends_at: datetime


class Races:
    """The two stages, their chores, and what went wrong."""

    def __init__(self, stage: Ingest, publishing: Publisher) -> None:
        workspace_id = publishing.caller.workspace_id
        self.ingest = stage
        self.gazette = Attentive(ingest=stage)
        source = IngestInProcess(stage, workspace_id)
        # Nobody dies here: a lease as short as the fixture's would only be lost to a slow machine.
        policy = replace(publishing.world.policy, lease_s=60.0)
        self.publisher = publishing.rebuilt(media=source, publishers={self.gazette.id: self.gazette}, policy=policy)
        self.caller = CallContext(workspace_id=workspace_id, request_id="req_1", plan="business")
        self.walker = Walker(stage, page=100)
        self.refused = 0
        self.wrong: list[str] = []

    async def item(self) -> Ref:
        ref = await self.ingest.upload(media.jpeg(64, 64), caller=self.caller)
        await self.ingest.ingest.judging.judge(ref)
        self.gazette.keys[ref.media_id] = (await self.ingest.media(ref)).active_key
        return ref

    async def collect(self) -> None:
        """One round of everything that removes bytes."""
        await self.ingest.ingest.sweeping.expiries()
        await self.ingest.ingest.sweeping.litter()
        await asyncio.to_thread(self.walker.due)
        await self.walker.reconciling.round()
        await self.publisher.app.release_pins()

    async def watch(self) -> None:
        """What is pinned before and after the look has its bytes, and has not expired."""
        before = await asyncio.to_thread(self._pinned)
        there = [await self.ingest.world.active.head(self.gazette.keys[media_id]) for media_id, _ in before]
        after = await asyncio.to_thread(self._pinned)
        self.wrong += [
            f"{media_id} is {state}, bytes {info}"
            for (media_id, state), info in zip(before, there, strict=True)
            if (media_id, state) in after and (info is None or state == "expired")
        ]

    def _pinned(self) -> list[tuple[str, str]]:
        rows = self.ingest.sql(
            "SELECT DISTINCT m.id, m.state FROM ingest.media m JOIN ingest.pins p ON p.media_id = m.id"
            " AND p.workspace_id = m.workspace_id WHERE p.until > now()"
        )
        return [(str(media_id), str(state)) for media_id, state in rows]

    async def post(self, item: Item, at: datetime) -> Post | None:
        media_id = item.ref.media_id
        wanted = PostInput(
            text=media_id,
            targets=[TargetInput(platform="gazette")],
            media=[MediaInput(media_id=media_id)],
            scheduled_at=at if at > clock.utc_now() + timedelta(seconds=0.2) else None,
        )
        try:
            return await self.publisher.app.create_post(
                self.publisher.caller, wanted, plan="business", idempotency_key=None, request_id="req_1"
            )
        except MediaError as exc:
            if exc.code is not Code.MEDIA_NOT_FOUND:
                raise
            self.refused += 1
            return None


@pytest.mark.timeout(180 + POSTS)
async def test_no_post_goes_out_without_its_media_and_nothing_pinned_is_deleted(
    ingest: Ingest,  # noqa: F811
    publisher: Publisher,  # noqa: F811
) -> None:
    dice = random.Random(5)  # noqa: S311  a seed, so that a failure can be had again
    races = Races(ingest, publisher)
    await races.publisher.connect()

    def around(item: Item) -> datetime:
        return item.ends_at + timedelta(seconds=dice.uniform(-AROUND_S, AROUND_S))

    refs = [await races.item() for _ in range(POSTS // POSTS_PER_ITEM)]
    items, posts = [], []
    for ref in refs:
        item = Item(ref, clock.utc_now() + timedelta(seconds=dice.uniform(1, WINDOW_S)))
        items.append(item)
        posts.append(await races.post(item, around(item)))
        ingest.sql(
            "UPDATE ingest.media SET state = 'ready', expires_at = %s WHERE id = %s", item.ends_at, item.ref.media_id
        )
    done = asyncio.Event()

    async def again(*chores: str) -> None:
        while not done.is_set():
            for chore in chores:
                await getattr(races, chore)()
            await asyncio.sleep(GC_EVERY_S)

    async def deliver() -> None:
        while not done.is_set():
            await races.publisher.work()
            await asyncio.sleep(0.02)

    async def owner() -> None:
        for item in dice.sample(items, int(len(items) * OWNERS_DELETE)):
            await asyncio.sleep(WINDOW_S * OWNERS_DELETE)
            try:
                await ingest.ingest.removing.delete(item.ref)
            except MediaError as exc:
                if exc.code is not Code.MEDIA_NOT_FOUND:  # it ended by itself
                    raise

    async with asyncio.TaskGroup() as tasks:
        for work in (again("collect"), again("watch"), deliver()):
            tasks.create_task(work)
        owning = tasks.create_task(owner())
        try:
            for turn in range(POSTS - len(items)):
                item = items[turn % len(items)]
                posts.append(await races.post(item, around(item)))
                await asyncio.sleep(WINDOW_S / POSTS / 2)
            await owning
            settled = [await races.publisher.settled(post, within_s=60) for post in posts if post is not None]
        finally:
            done.set()

    assert races.gazette.lost == []
    assert races.wrong == []
    assert {str(post.targets[0].status) for post in settled} == {"published"}
    assert races.gazette.printed == len(settled) >= len(items)
    assert races.refused + len(settled) == POSTS
    await _everything_goes(races, items)


async def _everything_goes(races: Races, items: list[Item]) -> None:
    """Once no post needs them and their time is over."""
    await asyncio.sleep(max(0.0, (max(item.ends_at for item in items) - clock.utc_now()).total_seconds()))
    async with asyncio.timeout(60):
        while races.ingest.objects(ACTIVE):
            await races.collect()
            await asyncio.sleep(GC_EVERY_S)
