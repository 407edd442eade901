"""Changes of posts on the real PostgreSQL, beside workers that want the same rows."""

import asyncio
import itertools
from collections.abc import Awaitable
from contextlib import suppress
from datetime import timedelta

import pytest

from services.common import clock
from services.common.errors import Code, MediaError
from services.publisher.domain.post import Post, PostStatus, TargetStatus
from services.publisher.domain.request import MediaInput, TargetInput
from services.publisher.ports import LeaseLostError
from tests.integration.publisher.conftest import Stage

SOON = timedelta(seconds=1)
LATER = timedelta(hours=1)


async def unless_late(changing: Awaitable[Post]) -> Post | None:
    """None: the post was due already."""
    try:
        return await changing
    except MediaError as exc:
        if exc.code not in (Code.POST_STATE_CONFLICT, Code.PRECONDITION_FAILED):
            raise
        return None


class TestUpdating:
    async def test_everything_survives_until_it_is_due(self, stage: Stage) -> None:
        await stage.connect()
        for media_id in ("med_1", "med_2"):
            stage.media.add(media_id, alt_text=f"of {media_id}")
        post = await stage.post(media=[MediaInput(media_id="med_1")], scheduled_at=clock.utc_now() + LATER)
        due = clock.utc_now() + SOON
        target = TargetInput(platform="gazette", text="own", options={"board": "1"})
        await stage.update(post, scheduled_at=due, targets=[target], media=[MediaInput(media_id="med_2", alt_text="a")])
        read = await stage.read(post)
        assert (read.status, read.scheduled_at, read.version) == (PostStatus.SCHEDULED, due, 2)
        assert [(it.text, it.options) for it in read.targets] == [("own", {"board": "1"})]
        assert [(it.media_id, it.alt_text) for it in read.media] == [("med_2", "a")]
        assert await stage.work() == []
        await stage.app.release_pins()
        assert stage.media.pins == {("med_2", post.post_id)}
        settled = await stage.settled(post)
        assert settled.targets[0].published_at
        assert settled.targets[0].published_at - due < timedelta(seconds=1)
        assert stage.upstream.posts == [(settled.targets[0].platform_post_id, "own")]

    async def test_a_post_made_due_is_announced(self, stage: Stage) -> None:
        await stage.connect()
        post = await stage.post(scheduled_at=clock.utc_now() + LATER)
        assert stage.told(post) == ["post_scheduled"]
        assert (await stage.update(post, scheduled_at=None)).status is PostStatus.PUBLISHING
        assert stage.told(post) == ["post_scheduled", "post_queued"]

    async def test_of_changes_and_a_worker_at_once_each_sees_a_whole_post(self, stage: Stage) -> None:
        await stage.connect()
        post = await stage.post("0", scheduled_at=clock.utc_now() + SOON)

        kept = ["0"]

        async def change(writer: int) -> None:
            """Until it is due."""
            for n in itertools.count():
                text = f"{writer}-{n}"
                if await unless_late(stage.update(post, text=text)) is None:
                    return
                kept.append(text)

        changing = asyncio.gather(*(change(writer) for writer in range(3)))
        settled = await stage.settled(post)
        await changing
        assert stage.upstream.posts == [(settled.targets[0].platform_post_id, settled.text)]
        assert settled.text in kept
        assert settled.version >= len(kept)


class TestCanceling:
    async def test_of_a_cancel_and_a_worker_at_once_one_has_its_way(self, stage: Stage) -> None:
        await stage.connect()
        ends = set()
        for n in range(12):
            post = await stage.post(str(n))

            async def cancel(after_s: float, post_id: str = post.post_id) -> None:
                await asyncio.sleep(after_s)
                await unless_late(stage.app.change_posts.cancel(stage.caller, post_id))

            async def work() -> None:
                with suppress(LeaseLostError):
                    await stage.work()

            await asyncio.gather(work(), cancel(n * 0.003))
            status = (await stage.settled(post)).status
            ends.add(status)
            sent = [text for _, text in stage.upstream.posts].count(str(n))
            assert (status, sent) in ((PostStatus.CANCELED, 0), (PostStatus.PUBLISHED, 1))
        assert PostStatus.CANCELED in ends
        assert stage.metered() == len(stage.upstream.posts)

    async def test_a_canceled_post_is_told_and_lets_its_media_go(self, stage: Stage) -> None:
        await stage.connect()
        stage.media.add("med_1")
        post = await stage.post(media=[MediaInput(media_id="med_1")], scheduled_at=clock.utc_now() + LATER)
        await stage.app.change_posts.cancel(stage.caller, post.post_id)
        await stage.app.release_pins()
        assert (stage.told(post), stage.media.pins) == (["post_scheduled", "post_settled"], set())


class TestRetrying:
    async def test_a_failed_target_is_sent_once_more_and_metered_once(self, stage: Stage) -> None:
        await stage.connect()
        stage.media.add("med_1")
        stage.upstream.orders.append("400")
        post = await stage.settled(await stage.post(media=[MediaInput(media_id="med_1")]))
        assert (post.status, stage.metered()) == (PostStatus.FAILED, 0)
        await stage.app.release_pins()
        assert stage.media.pins == set()
        again = await stage.app.change_posts.retry(stage.caller, post.post_id, plan="pro", unconfirmed=False)
        assert (again.status, stage.media.pins) == (PostStatus.PUBLISHING, {("med_1", post.post_id)})
        settled = await stage.settled(post)
        assert (settled.status, stage.metered()) == (PostStatus.PUBLISHED, 1)
        assert len(set(stage.upstream.asked)) == 1
        assert stage.told(post) == ["post_queued", "post_settled", "post_queued", "post_settled"]

    async def test_an_item_that_is_needed_again_is_not_let_go_at_the_same_time(self, stage: Stage) -> None:
        await stage.connect()
        stage.media.add("med_1")
        for n in range(8):
            stage.upstream.orders.append("400")
            post = await stage.settled(await stage.post(str(n), media=[MediaInput(media_id="med_1")]))
            await asyncio.gather(
                stage.app.release_pins(),
                stage.app.change_posts.retry(stage.caller, post.post_id, plan="pro", unconfirmed=False),
            )
            assert ("med_1", post.post_id) in stage.media.pins
            await stage.settled(post)

    @pytest.mark.parametrize("confirmed", [False, True])
    async def test_an_unconfirmed_target_is_sent_again_by_order_only(self, stage: Stage, confirmed: bool) -> None:
        stage.upstream.protects = stage.gazette.protects = False
        stage.upstream.orders.append("drop_before")
        await stage.connect()
        post = await stage.settled(await stage.post())
        assert post.targets[0].status is TargetStatus.UNCONFIRMED
        retry = stage.app.change_posts.retry(stage.caller, post.post_id, plan="pro", unconfirmed=confirmed)
        if confirmed:
            await retry
            assert (await stage.settled(post)).status is PostStatus.PUBLISHED
            assert stage.outcomes(post) == ["unconfirmed", "published"]
            return
        with pytest.raises(MediaError) as caught:
            await retry
        assert caught.value.code is Code.POST_STATE_CONFLICT
        assert len(stage.upstream.posts) == 0
