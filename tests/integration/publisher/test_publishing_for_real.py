"""At most once, on a real database and before a real server: whatever is lost, and whoever works."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from services.common import clock, db
from services.common.errors import Code, MediaError
from services.platforms.ports import Progress
from services.publisher.adapters.postgres import deliveries, posts
from services.publisher.adapters.sealing import Sealed
from services.publisher.app.dispatching import Dispatcher
from services.publisher.domain.account import AccountStatus
from services.publisher.domain.delivery import Again, Counters, Stop
from services.publisher.domain.post import PostStatus, TargetError, TargetStatus
from services.publisher.domain.request import MediaInput, TargetInput
from services.publisher.ports import Claim, LeaseLostError, Published
from tests.integration.publisher.conftest import POLICY, Stage
from tests.unit.publisher.bench import CrashError


async def crash(stage: Stage, point: str) -> None:
    """A process takes what is due and ends at this point; its lease runs out."""
    with pytest.raises(CrashError):
        await stage.crashing_at(point).work()
    await asyncio.sleep(POLICY.lease_s)


class TestOnce:
    async def test_a_post_is_published_metered_and_told_once(self, stage: Stage) -> None:
        await stage.connect()
        post = await stage.settled(await stage.post("hello"))
        [target] = post.targets
        assert (post.status, target.attempts) == (PostStatus.PUBLISHED, 1)
        assert target.url == f"https://gazette.example/{target.platform_post_id}"
        assert stage.upstream.posts == [(target.platform_post_id, "hello")]
        assert (stage.outcomes(post), stage.metered()) == (["published"], 1)
        assert stage.told(post) == ["post_queued", "post_settled"]

    async def test_the_intent_is_committed_before_the_one_call(self, stage: Stage) -> None:
        seen = []

        async def look(handle: str) -> None:
            seen.extend(stage.sql("SELECT number, outcome FROM publisher.attempts WHERE handle = %s", handle))
            seen.extend(stage.sql("SELECT status FROM publisher.targets"))

        stage.upstream.meanwhile = look
        await stage.connect()
        await stage.settled(await stage.post())
        assert seen == [(1, None), ("publishing",)]

    @pytest.mark.parametrize("protects", [True, False])
    @pytest.mark.parametrize("point", ["before_intent", "after_intent", "after_publish"])
    async def test_whoever_takes_over_after_a_crash_never_publishes_twice(
        self, stage: Stage, point: str, protects: bool
    ) -> None:
        stage.upstream.protects = stage.gazette.protects = protects
        await stage.connect()
        post = await stage.post()
        await crash(stage, point)
        target = (await stage.settled(post)).targets[0]
        sent = not (point == "after_intent" and not protects)
        assert target.status is (TargetStatus.PUBLISHED if sent else TargetStatus.UNCONFIRMED)
        assert (len(stage.upstream.asked), len(stage.upstream.posts)) == (int(sent), int(sent))
        assert bool(stage.upstream.looked_up) is (point != "before_intent")
        assert stage.metered() == int(sent)

    @pytest.mark.parametrize(
        ("order", "protects", "asked", "status"),
        [
            ("drop_after", True, 1, TargetStatus.PUBLISHED),
            ("drop_after", False, 1, TargetStatus.PUBLISHED),
            ("drop_before", True, 2, TargetStatus.PUBLISHED),
            ("drop_before", False, 1, TargetStatus.UNCONFIRMED),
            ("503", True, 2, TargetStatus.PUBLISHED),
            ("503", False, 1, TargetStatus.UNCONFIRMED),
        ],
    )
    async def test_a_lost_answer_is_looked_up(
        self, stage: Stage, order: str, protects: bool, asked: int, status: TargetStatus
    ) -> None:
        stage.upstream.protects = stage.gazette.protects = protects
        stage.upstream.orders.append(order)
        await stage.connect()
        post = await stage.settled(await stage.post())
        assert post.targets[0].status is status
        assert len(stage.upstream.asked) == asked
        assert len(set(stage.upstream.asked)) == 1
        published = status is TargetStatus.PUBLISHED
        assert len(stage.upstream.posts) == stage.metered() == int(published)
        assert stage.told(post)[-1] == "post_settled"

    async def test_a_platform_that_is_away_is_tried_again_and_nothing_is_in_doubt(self, stage: Stage) -> None:
        await stage.connect()
        post = await stage.post()
        url = stage.upstream.url
        stage.sql("UPDATE publisher.accounts SET service_url = %s", "http://127.0.0.1:9")
        await stage.work()
        assert stage.outcomes(post) == ["not_sent"]
        stage.sql("UPDATE publisher.accounts SET service_url = %s", url)
        assert (await stage.settled(post)).status is PostStatus.PUBLISHED
        assert stage.outcomes(post) == ["not_sent", "published"]

    async def test_a_refused_token_ends_the_target_and_marks_the_account(self, stage: Stage) -> None:
        account = await stage.connect()
        stage.upstream.orders.append("401")
        post = await stage.settled(await stage.post())
        assert (post.status, stage.metered()) == (PostStatus.FAILED, 0)
        assert (await stage.app.connect.get(stage.caller, account.account_id)).status is AccountStatus.INVALID
        await stage.connect("new", account.account_id)
        assert (await stage.settled(await stage.post())).status is PostStatus.PUBLISHED


async def test_a_post_that_was_only_looked_up_is_one_targets_alone(stage: Stage) -> None:
    await stage.connect()
    for _ in range(2):
        await stage.post()
    rows = stage.world.deliveries
    claims = await rows.claim(2, POLICY.lease_s)
    for claim in claims:
        await rows.intend(claim, "", {}, Counters())
    looked_up = Published("alike", None, looked_up=True)
    taken = await asyncio.gather(*(rows.published(claim, 1, looked_up) for claim in claims))
    assert sorted(taken) == [False, True]
    assert stage.metered() == 1
    assert sorted(stage.sql("SELECT status FROM publisher.targets")) == [("published",), ("publishing",)]
    # What the platform itself says is believed.
    [other] = [claim for claim, done in zip(claims, taken, strict=True) if not done]
    assert await rows.published(other, 1, Published("alike", None))


class TestWorkers:
    @asynccontextmanager
    async def _workers(self, stage: Stage, url: str, count: int) -> AsyncIterator[None]:
        """That many processes, each with a pool of its own."""
        async with db.connect(url, schema=posts.SCHEMA) as one, db.connect(url, schema=posts.SCHEMA) as two:
            loops = []
            for database in (one, two)[:count]:
                other = stage.rebuilt(deliveries=deliveries.PostgresDeliveries(database))
                loops.append(
                    Dispatcher(other.world.deliveries, other.app.engine, lease_s=POLICY.lease_s, slots=4, poll_s=0.05)
                )
            tasks = [asyncio.create_task(loop.run()) for loop in loops]
            yield
            await asyncio.gather(*(loop.stop(5.0) for loop in loops))
            await asyncio.gather(*tasks)

    async def test_two_publish_no_target_twice(self, stage: Stage, publisher_url: str) -> None:
        stage.upstream.protects = False
        await stage.connect()

        async def slow(handle: str) -> None:
            await asyncio.sleep(0.02)

        stage.upstream.meanwhile = slow
        made = [await stage.post(f"post {n}") for n in range(40)]
        async with self._workers(stage, publisher_url, 2):
            for post in made:
                async with asyncio.timeout(30):
                    found = await stage.app.read_posts.settled(stage.caller, post, 30.0)
                assert found.status is PostStatus.PUBLISHED
        assert sorted(text for _, text in stage.upstream.posts) == sorted(f"post {n}" for n in range(40))
        assert stage.metered() == 40
        assert all(stage.outcomes(post) == ["published"] for post in made)

    async def test_claims_of_one_target_never_overlap(self, stage: Stage) -> None:
        await stage.connect()
        await stage.post(targets=[TargetInput(platform="gazette", text=str(n)) for n in range(20)])
        found = await asyncio.gather(*(stage.world.deliveries.claim(5, 5.0) for _ in range(8)))
        claims = [(claim.post_id, claim.index) for group in found for claim in group]
        assert len(claims) == len(set(claims)) == 20

    async def test_a_worker_that_was_asleep_too_long_sends_nothing(self, stage: Stage) -> None:
        wakes = asyncio.Event()

        async def sleeps(_: Progress) -> None:
            await wakes.wait()

        await stage.connect()
        post = await stage.post()
        stage.gazette.preparing = sleeps
        [claim] = await stage.claim()
        sleeper = asyncio.create_task(stage.app.engine.deliver(claim))
        await asyncio.sleep(POLICY.lease_s + 0.05)
        [other] = await stage.claim()
        assert other.epoch == claim.epoch + 1
        wakes.set()
        with pytest.raises(LeaseLostError):
            await sleeper
        assert stage.upstream.asked == []
        await stage.app.engine.deliver(other)
        assert (await stage.read(post)).status is PostStatus.PUBLISHED
        assert len(stage.upstream.asked) == 1

    async def test_a_lease_that_is_over_allows_no_intent_even_if_nobody_else_came(self, stage: Stage) -> None:
        async def sleeps(_: Progress) -> None:
            await asyncio.sleep(POLICY.lease_s + 0.05)

        await stage.connect()
        await stage.post()
        stage.gazette.preparing = sleeps
        with pytest.raises(LeaseLostError):
            await stage.work()
        assert stage.upstream.asked == []

    @pytest.mark.parametrize("write", ["extend", "again", "stop", "hand_back", "progress", "intend"])
    async def test_every_write_of_an_older_claim_changes_nothing(self, stage: Stage, write: str) -> None:
        await stage.connect()
        await stage.post()
        [old] = await stage.claim()
        await asyncio.sleep(POLICY.lease_s)
        await stage.claim()
        before = stage.sql("SELECT * FROM publisher.targets")
        with pytest.raises(LeaseLostError):
            await self._write(stage, write, old)
        assert stage.sql("SELECT * FROM publisher.targets") == before
        assert stage.sql("SELECT * FROM publisher.attempts") == []

    async def _write(self, stage: Stage, write: str, claim: Claim) -> None:
        rows = stage.world.deliveries
        error = TargetError("x", "X.")
        match write:
            case "extend":
                await rows.extend(claim, 5.0)
            case "again":
                await rows.again(claim, Again(TargetStatus.QUEUED, 1.0, Counters()), error)
            case "stop":
                await rows.stop(claim, Stop(TargetStatus.FAILED, error))
            case "hand_back":
                await rows.hand_back(claim)
            case "progress":
                await rows.save_progress(claim, "step", Sealed(1, b""))
            case "intend":
                await rows.intend(claim, "handle", {}, Counters())

    async def test_a_success_told_twice_or_late_counts_once(self, stage: Stage) -> None:
        await stage.connect()
        post = await stage.post()
        await crash(stage, "after_publish")
        [claim] = await stage.claim()
        late = Published("gazette-9", None)
        await stage.world.deliveries.published(claim, 1, late)
        await stage.world.deliveries.published(claim, 1, late)
        assert (await stage.read(post)).status is PostStatus.PUBLISHED
        assert stage.metered() == 1
        assert stage.told(post).count("post_settled") == 1


class TestPosts:
    async def test_one_key_makes_one_post_however_many_ask_at_once(self, stage: Stage) -> None:
        await stage.connect()
        found = await asyncio.gather(*(stage.post(key="k") for _ in range(8)))
        assert len({post.post_id for post in found}) == 1
        await stage.settled(found[0])
        assert len(stage.upstream.posts) == 1
        stage.sql("UPDATE publisher.posts SET created_at = created_at - interval '25 hours'")
        assert (await stage.post(key="k")).post_id != found[0].post_id

    async def test_a_scheduled_post_waits_for_its_time(self, stage: Stage) -> None:
        await stage.connect()
        post = await stage.post(scheduled_at=clock.utc_now() + timedelta(seconds=0.6))
        assert (await stage.work(), stage.told(post)) == ([], ["post_scheduled"])
        assert (await stage.read(post)).status is PostStatus.SCHEDULED
        await asyncio.sleep(0.65)
        assert (await stage.settled(post)).status is PostStatus.PUBLISHED

    async def test_targets_settle_each_by_itself_and_the_post_is_told_once(self, stage: Stage) -> None:
        await stage.connect()
        stage.upstream.orders.append("400")
        post = await stage.post(targets=[TargetInput(platform="gazette", text=text) for text in "abc"])
        claims = await stage.claim()
        await asyncio.gather(*(stage.app.engine.deliver(claim) for claim in claims))
        found = await stage.read(post)
        assert found.status is PostStatus.PARTIALLY_PUBLISHED
        assert sorted(it.status for it in found.targets) == ["failed", "published", "published"]
        assert stage.metered() == 2
        assert stage.told(post) == ["post_queued"] * 3 + ["post_settled"]

    async def test_media_that_settle_wake_who_waits_for_them_and_are_let_go_at_the_end(self, stage: Stage) -> None:
        await stage.connect()
        stage.media.add("med_1", status="processing")
        post = await stage.post(media=[MediaInput(media_id="med_1")])
        other = stage.rebuilt(policy=POLICY.__class__(wait_s=(60.0,), lease_s=POLICY.lease_s))
        stage.media.add("med_1", status="scanning")
        assert await other.work() == [60.0]
        assert (await stage.target(post)).status is TargetStatus.WAITING_MEDIA
        assert await other.work() == []
        stage.media.add("med_1")
        await stage.world.deliveries.media_settled("ws_other", "med_1")
        assert await other.work() == []
        await stage.world.deliveries.media_settled(stage.caller.workspace_id, "med_1")
        assert await other.work() == [None]
        assert (await stage.target(post)).preset == "gazette.image"
        assert stage.media.pins == {("med_1", post.post_id)}
        await stage.app.release_pins()
        await stage.app.release_pins()
        assert stage.media.pins == set()

    async def test_text_of_any_kind_comes_back_as_it_was(self, stage: Stage) -> None:
        await stage.connect()
        text = "„Grüße“ 👩‍👩‍👧 \\u0000 '; DROP TABLE posts; --"
        post = await stage.settled(await stage.post(text))
        assert (post.text, stage.upstream.posts[0][1]) == (text, text)

    async def test_the_months_number_is_kept_to_by_many_at_once(self, stage: Stage) -> None:
        await stage.connect()
        stage.sql(
            "INSERT INTO publisher.usage SELECT %s, 'post_' || n, 0, 'gazette', true, to_char(now() AT TIME ZONE 'UTC',"
            " 'YYYY-MM') FROM generate_series(1, 995) n",
            stage.caller.workspace_id,
        )
        later = clock.utc_now() + timedelta(days=40)
        await stage.post("next month's", scheduled_at=later)
        ends = await asyncio.gather(*(stage.post(str(n)) for n in range(9)), return_exceptions=True)
        refused = [it for it in ends if isinstance(it, MediaError)]
        assert [it.code for it in refused] == [Code.QUOTA_EXCEEDED] * 4
        assert stage.sql("SELECT count(*) FROM publisher.targets") == [(6,)]
