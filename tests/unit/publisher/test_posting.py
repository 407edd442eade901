"""Accepting posts: all or nothing, once per key, and shown to their owner alone."""

import asyncio
from datetime import timedelta

import pytest

from services.common.errors import Code, MediaError
from services.publisher.domain.post import Post, PostStatus, TargetStatus
from services.publisher.domain.request import MediaInput, PostInput, TargetInput
from services.publisher.ports import Caller, Position
from tests.unit.publisher.bench import ACCOUNT_ID, Bench
from tests.unit.publisher.fakes import ALICE, START

BOB = Caller("ws_b", live=False)
ALICE_LIVE = Caller("ws_a", live=True)
PNG = b"\x89PNG and so on"


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    bench.media.add("med_1")
    return bench


async def refused(awaitable: object) -> MediaError:
    with pytest.raises(MediaError) as caught:
        await awaitable  # type: ignore[misc]
    return caught.value


class TestAccepting:
    async def test_a_post_is_kept_with_its_targets_and_holds_its_media(self, bench: Bench) -> None:
        post = await bench.post(media=[MediaInput(media_id="med_1")])
        assert post.status is PostStatus.PUBLISHING
        assert [(it.platform, it.account_id, it.status) for it in post.targets] == [
            ("paper", ACCOUNT_ID, TargetStatus.QUEUED)
        ]
        assert bench.media.pins == {("med_1", post.post_id)}

    @pytest.mark.parametrize("name", ["paper", "newsprint"])
    async def test_a_platform_alone_means_its_one_account(self, bench: Bench, name: str) -> None:
        post = await bench.post(targets=[TargetInput(platform=name)])
        assert post.targets[0].account_id == ACCOUNT_ID

    async def test_media_still_processed_are_accepted_and_waited_for(self, bench: Bench) -> None:
        bench.media.add("med_2", status="processing")
        post = await bench.post(media=[MediaInput(media_id="med_2")])
        assert post.targets[0].status is TargetStatus.WAITING_MEDIA

    async def test_a_target_has_its_own_text_and_media(self, bench: Bench) -> None:
        bench.media.add("med_2")
        own = TargetInput(account_id=ACCOUNT_ID, text="own", media=[MediaInput(media_id="med_2")])
        post = await bench.post(media=[MediaInput(media_id="med_1")], targets=[own])
        [target] = post.targets
        assert post.text_for(target) == "own"
        assert [it.media_id for it in post.media_for(target)] == ["med_2"]
        assert {media_id for media_id, _ in bench.media.pins} == {"med_1", "med_2"}

    async def test_a_later_time_schedules_and_a_past_one_does_not(self, bench: Bench) -> None:
        later = await bench.post(scheduled_at=START + timedelta(hours=1))
        assert (later.status, later.targets[0].status) == (PostStatus.SCHEDULED, TargetStatus.SCHEDULED)
        past = await bench.post("past", scheduled_at=START - timedelta(hours=1))
        assert past.status is PostStatus.PUBLISHING
        assert await bench.work() == [None]
        bench.now.pass_s(3600)
        assert await bench.work() == [None]
        assert bench.state(later).target.status is TargetStatus.PUBLISHED


class TestRefusing:
    async def test_every_problem_is_said_at_once_and_nothing_is_kept(self, bench: Bench) -> None:
        targets = [TargetInput(platform="radio"), TargetInput(account_id=ACCOUNT_ID, platform="paper")]
        bench.media.add("med_2", misfits={"paper": "aspect 9.1 : 1"})
        error = await refused(bench.post(targets=targets, media=[MediaInput(media_id="med_2", kind="video")]))
        assert error.code is Code.POST_INVALID
        assert [it.field for it in error.violations] == ["targets[0].platform", "media[0].kind", "media[0].mediaId"]
        assert (bench.store.posts, bench.media.pins) == ({}, set())

    async def test_what_is_wrong_by_itself_does_not_hide_what_platforms_and_stages_know(self, bench: Bench) -> None:
        far = START + timedelta(days=500)
        targets = [TargetInput(account_id=ACCOUNT_ID), TargetInput(account_id="acc_x")]
        media = [MediaInput(media_id="med_x")]
        error = await refused(bench.post(targets=targets, media=media, scheduled_at=far))
        assert error.code is Code.POST_INVALID
        named = [it.field for it in error.violations]
        assert named == ["scheduledAt", "targets[1].accountId", "media[0].mediaId"]
        wanted = PostInput(text="Hello", targets=targets, media=media, scheduled_at=far)
        told = await bench.app.validate_post(ALICE, wanted, plan="free")
        assert [it.field for it in told] == named

    async def test_an_unknown_account_or_item_is_not_found(self, bench: Bench) -> None:
        assert (await refused(bench.post(targets=[TargetInput(account_id="acc_x")]))).code is Code.ACCOUNT_NOT_FOUND
        assert (await refused(bench.post(media=[MediaInput(media_id="med_x")]))).code is Code.MEDIA_NOT_FOUND

    async def test_another_workspaces_and_another_modes_account_is_not_found(self, bench: Bench) -> None:
        for caller in (BOB, ALICE_LIVE):
            assert (await refused(bench.post(caller=caller))).code is Code.ACCOUNT_NOT_FOUND

    @pytest.mark.parametrize("status", ["rejected", "failed"])
    async def test_rejected_media_are_refused(self, bench: Bench, status: str) -> None:
        bench.media.add("med_2", status=status)
        assert (await refused(bench.post(media=[MediaInput(media_id="med_2")]))).code is Code.MEDIA_REJECTED

    async def test_a_refused_account_has_to_be_connected_again(self, bench: Bench) -> None:
        await bench.accounts.invalidate(ALICE, ACCOUNT_ID, b"{}")
        assert [it.field for it in (await refused(bench.post())).violations] == ["targets[0].accountId"]

    async def test_two_accounts_of_one_platform_have_to_be_told_apart(self, bench: Bench) -> None:
        bench.accounts.connect("paper", "acc_2")
        error = await refused(bench.post(targets=[TargetInput(platform="paper")]))
        assert [it.field for it in error.violations] == ["targets[0].accountId"]

    async def test_a_plan_without_posts_left_refuses(self, bench: Bench) -> None:
        for _ in range(100):
            await bench.post(plan="free")
        error = await refused(bench.post(plan="free"))
        assert (error.code, error.details["limit"]) == (Code.QUOTA_EXCEEDED, 100)
        assert await bench.post(plan="free", scheduled_at=START + timedelta(days=30))
        assert await bench.post(plan="pro")

    async def test_posts_held_for_later_use_up_the_month_they_are_due_in(self, bench: Bench) -> None:
        for _ in range(100):
            await bench.post(plan="free", scheduled_at=START + timedelta(days=30))
        error = await refused(bench.post(plan="free", scheduled_at=START + timedelta(days=30)))
        assert (error.code, error.details["period"]) == (Code.QUOTA_EXCEEDED, "2026-12")
        assert await bench.post(plan="free")

    async def test_one_that_others_overtook_holds_nothing(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        async def too_late(*_: object) -> None:
            raise MediaError(Code.QUOTA_EXCEEDED, limit=100, period="2026-11")

        monkeypatch.setattr(bench.store, "add", too_late)
        await refused(bench.post(media=[MediaInput(media_id="med_1")]))
        assert bench.media.pins == set()


class TestInlineMedia:
    async def test_bytes_are_uploaded_once_however_often_they_are_named(self, bench: Bench) -> None:
        image = MediaInput(data=PNG, alt_text="a")
        own = TargetInput(account_id=ACCOUNT_ID, media=[MediaInput(data=PNG)])
        post = await bench.post(media=[image, MediaInput(media_id="med_1"), image], targets=[own])
        assert bench.media.uploads == [PNG]
        assert [it.media_id for it in post.media] == ["med_inline1", "med_1", "med_inline1"]
        assert [it.media_id for it in post.media_for(post.targets[0])] == ["med_inline1"]

    async def test_a_request_repeated_after_a_crash_stores_them_once(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def away(*_: object) -> None:
            raise MediaError(Code.UNAVAILABLE)

        media = [MediaInput(data=PNG), MediaInput(data=b"GIF89a"), MediaInput(data=PNG)]
        with monkeypatch.context() as broken:
            broken.setattr(bench.store, "add", away)
            await refused(bench.post(media=media, key="k"))
        post = await bench.post(media=media, key="k")
        assert bench.media.uploads == [PNG, b"GIF89a"]
        assert [it.media_id for it in post.media] == ["med_inline1", "med_inline2", "med_inline1"]

    async def test_without_a_key_every_request_stores_its_own(self, bench: Bench) -> None:
        for text in ("one", "two"):
            await bench.post(text, media=[MediaInput(data=PNG)])
        assert len(bench.media.uploads) == 2

    async def test_a_post_with_problems_uploads_nothing(self, bench: Bench) -> None:
        await refused(bench.post(media=[MediaInput(data=PNG)], targets=[TargetInput(platform="radio")]))
        error = await refused(bench.post(media=[MediaInput(data=PNG, kind="video"), MediaInput(data=b"")]))
        assert error.code is Code.INLINE_MEDIA_INVALID
        assert [it.field for it in error.violations] == ["media[0].kind", "media[1].data"]
        assert bench.media.uploads == []


class TestKeys:
    async def test_a_key_makes_one_post(self, bench: Bench) -> None:
        first, second = await bench.post(key="k"), await bench.post(key="k")
        assert first.post_id == second.post_id
        assert (await bench.post()).post_id != first.post_id
        assert len(bench.store.posts) == 2

    async def test_of_two_at_once_the_slower_gets_the_faster_ones_post_and_holds_nothing(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real = bench.store.by_key
        faster: list[Post] = []

        async def another_comes_in_between(caller: Caller, key: str) -> Post | None:
            found = await real(caller, key)
            monkeypatch.setattr(bench.store, "by_key", real)
            faster.append(await bench.post(key="k", media=[MediaInput(media_id="med_1")]))
            return found

        monkeypatch.setattr(bench.store, "by_key", another_comes_in_between)
        slower = await bench.post(key="k", media=[MediaInput(media_id="med_1")])
        assert [slower] == faster
        assert bench.media.pins == {("med_1", slower.post_id)}

    async def test_a_key_is_of_one_workspace(self, bench: Bench) -> None:
        first = await bench.post(key="k")
        bench.accounts.connect("paper", "acc_b", BOB)
        second = await bench.post(key="k", caller=BOB, targets=[TargetInput(account_id="acc_b")])
        assert first.post_id != second.post_id


class TestReading:
    async def test_others_and_the_other_mode_see_nothing(self, bench: Bench) -> None:
        post = await bench.post()
        assert (await bench.app.read_posts.get(ALICE, post.post_id)).post_id == post.post_id
        for caller in (BOB, ALICE_LIVE):
            error = await refused(bench.app.read_posts.get(caller, post.post_id))
            assert error.code is Code.POST_NOT_FOUND
            assert await bench.app.read_posts.page(caller, limit=5, after=None, status=None) == ([], None)

    async def test_pages_follow_one_another_newest_first(self, bench: Bench) -> None:
        made = []
        for n in range(5):
            made.append((await bench.post(str(n))).post_id)
            bench.now.pass_s(1)
        seen: list[str] = []
        after: Position | None = None
        while True:
            posts, after = await bench.app.read_posts.page(ALICE, limit=2, after=after, status=None)
            seen += [it.post_id for it in posts]
            if after is None:
                break
        assert seen == made[::-1]

    async def test_waiting_ends_with_the_time_or_the_last_target(self, bench: Bench) -> None:
        post = await bench.post()
        assert not (await bench.app.read_posts.settled(ALICE, post, 0.01)).settled
        waiting = asyncio.create_task(bench.app.read_posts.settled(ALICE, post, 30.0))
        await asyncio.sleep(0.01)
        await bench.work()
        assert (await asyncio.wait_for(waiting, 0.5)).settled

    async def test_a_post_settled_before_anybody_waits_is_shown_so_at_once(self, bench: Bench) -> None:
        post = await bench.post()
        await bench.work()
        assert not post.settled
        assert (await asyncio.wait_for(bench.app.read_posts.settled(ALICE, post, 30.0), 0.5)).settled

    async def test_a_post_held_for_later_is_not_waited_for(self, bench: Bench) -> None:
        post = await bench.post(scheduled_at=START + timedelta(hours=1))
        await asyncio.wait_for(bench.app.read_posts.settled(ALICE, post, 30.0), 0.5)

    async def test_only_what_was_published_is_used(self, bench: Bench) -> None:
        await bench.post()
        assert await bench.app.read_posts.usage(ALICE) == ("2026-11", 0)
        await bench.work()
        assert await bench.app.read_posts.usage(ALICE) == ("2026-11", 1)
