"""Changing, canceling and retrying posts, and checking them without keeping any."""

from datetime import timedelta

import pytest

from services.common.errors import Code, MediaError
from services.platforms.ports import CannotTell, Draft, Fault, PlatformError, Problem
from services.publisher.domain.post import MAX_TARGETS, Post, PostStatus, TargetStatus
from services.publisher.domain.request import MediaInput, PostChange, PostInput, TargetInput
from services.publisher.ports import Caller, LeaseLostError
from tests.unit.publisher.bench import ACCOUNT_ID, Bench
from tests.unit.publisher.fakes import ALICE, START

HOUR = timedelta(hours=1)
BOB = Caller("ws_b", live=False)


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    for media_id in ("med_1", "med_2"):
        bench.media.add(media_id)
    return bench


async def scheduled(bench: Bench) -> Post:
    return await bench.post("first", media=[MediaInput(media_id="med_1", alt_text="a")], scheduled_at=START + HOUR)


async def update(bench: Bench, post: Post, caller: Caller = ALICE, **given: object) -> Post:
    change = PostChange(wanted=PostInput(**given), given=frozenset(given))  # type: ignore[arg-type]
    return await bench.app.change_posts.update(caller, post.post_id, change, plan="pro", request_id="req_2")


async def code_of(awaitable: object) -> Code:
    with pytest.raises(MediaError) as caught:
        await awaitable  # type: ignore[misc]
    return caught.value.code


class TestUpdating:
    async def test_what_is_not_given_stays(self, bench: Bench) -> None:
        post = await scheduled(bench)
        changed = await update(bench, post, text="second")
        assert (changed.text, changed.media, changed.scheduled_at) == ("second", post.media, post.scheduled_at)
        assert [it.account_id for it in changed.targets] == [ACCOUNT_ID]
        assert changed.created_at == post.created_at

    async def test_what_is_given_is_what_gets_published(self, bench: Bench) -> None:
        post = await scheduled(bench)
        target = TargetInput(account_id=ACCOUNT_ID, text="own", options={"board": "1"})
        await update(bench, post, media=[MediaInput(media_id="med_2")], targets=[target])
        bench.now.pass_s(3600)
        await bench.work()
        [draft] = bench.paper.prepared
        assert (draft.text, draft.options, [it.url for it in draft.assets]) == (
            "own",
            {"board": "1"},
            ["http://cdn/med_2"],
        )

    async def test_media_no_longer_named_are_let_go_and_new_ones_held(self, bench: Bench) -> None:
        post = await scheduled(bench)
        await update(bench, post, media=[MediaInput(media_id="med_2")])
        await bench.app.release_pins()
        assert bench.media.pins == {("med_2", post.post_id)}

    async def test_an_image_given_as_bytes_is_stored_once(self, bench: Bench) -> None:
        image = MediaInput(data=b"\x89PNG")
        changed = await update(bench, await scheduled(bench), media=[image, image])
        assert [it.media_id for it in changed.media] == ["med_inline1", "med_inline1"]

    @pytest.mark.parametrize("when", [None, START - HOUR])
    async def test_without_a_later_time_it_is_due_at_once(self, bench: Bench, when: object) -> None:
        changed = await update(bench, await scheduled(bench), scheduled_at=when)
        assert changed.status is PostStatus.PUBLISHING
        bench.now.pass_s(0)
        await bench.work()
        assert len(bench.paper.published) == 1

    async def test_every_problem_of_the_whole_is_said_and_nothing_changes(self, bench: Bench) -> None:
        post = await scheduled(bench)
        assert await code_of(update(bench, post, targets=[])) is Code.POST_INVALID
        assert await code_of(update(bench, post, media=[MediaInput(media_id="med_x")])) is Code.MEDIA_NOT_FOUND
        assert await bench.app.read_posts.get(ALICE, post.post_id) == post

    async def test_a_post_that_is_due_is_not_changed(self, bench: Bench) -> None:
        post = await scheduled(bench)
        bench.now.pass_s(3600)
        await bench.store.claim(1, 20)
        assert await code_of(update(bench, post, text="late")) is Code.POST_STATE_CONFLICT

    async def test_one_that_another_change_overtook_is_made_of_the_newer_one(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        post, real = await scheduled(bench), bench.store.replace

        async def overtaken(*args: object) -> bool:
            monkeypatch.setattr(bench.store, "replace", real)
            await update(bench, post, media=[])
            return await real(*args)  # type: ignore[arg-type]

        monkeypatch.setattr(bench.store, "replace", overtaken)
        changed = await update(bench, post, text="second")
        assert (changed.text, changed.media, changed.version) == ("second", (), 3)

    async def test_one_that_is_overtaken_all_the_time_has_changed(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def overtaken(*_: object) -> bool:
            return False

        post = await scheduled(bench)
        monkeypatch.setattr(bench.store, "replace", overtaken)
        assert await code_of(update(bench, post, text="never")) is Code.PRECONDITION_FAILED

    async def test_anothers_post_is_not_found(self, bench: Bench) -> None:
        assert await code_of(update(bench, await scheduled(bench), BOB, text="x")) is Code.POST_NOT_FOUND


class TestCanceling:
    async def test_what_was_not_sent_is_never_sent(self, bench: Bench) -> None:
        post = await scheduled(bench)
        canceled = await bench.app.change_posts.cancel(ALICE, post.post_id)
        assert canceled.status is PostStatus.CANCELED
        bench.now.pass_s(7200)
        await bench.work()
        await bench.app.release_pins()
        assert (bench.paper.published, bench.media.pins) == ([], set())

    async def test_it_may_be_said_twice(self, bench: Bench) -> None:
        post = await scheduled(bench)
        first = await bench.app.change_posts.cancel(ALICE, post.post_id)
        assert await bench.app.change_posts.cancel(ALICE, post.post_id) == first

    async def test_a_worker_that_prepares_it_loses_it_before_the_intent(self, bench: Bench) -> None:
        post = await bench.post()
        [claim] = await bench.store.claim(1, 20)
        await bench.app.change_posts.cancel(ALICE, post.post_id)
        with pytest.raises(LeaseLostError):
            await bench.app.engine.deliver(claim)
        assert bench.paper.published == []

    async def test_what_may_have_been_sent_goes_on(self, bench: Bench) -> None:
        bench.accounts.connect("paper", "acc_2")
        post = await bench.post(targets=[TargetInput(account_id=ACCOUNT_ID), TargetInput(account_id="acc_2")])
        bench.paper.publishing = [TimeoutError()]
        [first, _] = await bench.store.claim(2, 20)
        await bench.app.engine.deliver(first)
        canceled = await bench.app.change_posts.cancel(ALICE, post.post_id)
        assert [it.status for it in canceled.targets] == [TargetStatus.PUBLISHING, TargetStatus.CANCELED]
        await bench.work_until_settled(post)
        assert (await bench.app.read_posts.get(ALICE, post.post_id)).status is PostStatus.PUBLISHED

    async def test_what_is_published_cannot_be_canceled(self, bench: Bench) -> None:
        post = await bench.post()
        await bench.work()
        assert await code_of(bench.app.change_posts.cancel(ALICE, post.post_id)) is Code.POST_STATE_CONFLICT


class TestRetrying:
    async def retry(self, bench: Bench, post: Post, *, unconfirmed: bool = False) -> Post:
        return await bench.app.change_posts.retry(ALICE, post.post_id, plan="pro", unconfirmed=unconfirmed)

    async def test_a_failed_target_is_sent_again_under_its_first_handle(self, bench: Bench) -> None:
        bench.paper.publishing = [PlatformError(Fault.PERMANENT, "refused", "No.")]
        post = await bench.post(media=[MediaInput(media_id="med_1")])
        await bench.work()
        await bench.app.release_pins()
        again = await self.retry(bench, post)
        assert (again.status, again.targets[0].error) == (PostStatus.PUBLISHING, None)
        assert bench.media.pins == {("med_1", post.post_id)}
        await bench.work()
        assert [handle for handle, _ in bench.paper.published] == ["handle-1", "handle-1"]
        assert bench.state(post).target.status is TargetStatus.PUBLISHED

    async def test_an_unconfirmed_one_only_by_explicit_order(self, bench: Bench) -> None:
        bench.paper.publishing = [TimeoutError()]
        bench.paper.looking_up = [CannotTell()] * 20
        post = await bench.post()
        await bench.work_until_settled(post)
        assert await code_of(self.retry(bench, post)) is Code.POST_STATE_CONFLICT
        await self.retry(bench, post, unconfirmed=True)
        await bench.work()
        assert bench.state(post).target.status is TargetStatus.PUBLISHED

    async def test_what_is_published_is_not_touched(self, bench: Bench) -> None:
        bench.accounts.connect("paper", "acc_2")
        post = await bench.post(targets=[TargetInput(account_id=ACCOUNT_ID), TargetInput(account_id="acc_2")])
        bench.paper.publishing = [PlatformError(Fault.PERMANENT, "refused", "No.")]
        await bench.work()
        again = await self.retry(bench, post)
        assert [it.status for it in again.targets] == [TargetStatus.QUEUED, TargetStatus.PUBLISHED]
        await bench.work()
        assert len(bench.paper.published) == 3
        assert await code_of(self.retry(bench, post)) is Code.POST_STATE_CONFLICT

    async def test_media_that_are_gone_cannot_be_sent_again(self, bench: Bench) -> None:
        bench.paper.publishing = [PlatformError(Fault.PERMANENT, "refused", "No.")]
        post = await bench.post(media=[MediaInput(media_id="med_1")])
        await bench.work()
        del bench.media.items["med_1"]
        assert await code_of(self.retry(bench, post)) is Code.MEDIA_NOT_FOUND
        assert bench.state(post).target.status is TargetStatus.FAILED


class TestValidating:
    async def fields(self, bench: Bench, plan: str = "pro", **wanted: object) -> list[str]:
        problems = await bench.app.validate_post(ALICE, PostInput(**wanted), plan=plan)  # type: ignore[arg-type]
        return [it.field for it in problems]

    async def test_a_good_post_has_no_problems_and_is_not_kept(self, bench: Bench) -> None:
        media = [MediaInput(media_id="med_1"), MediaInput(data=b"\x89PNG")]
        assert await self.fields(bench, targets=[TargetInput(account_id=ACCOUNT_ID)], media=media) == []
        assert (bench.store.posts, bench.media.pins, bench.media.uploads) == ({}, set(), [])

    async def test_every_problem_of_every_target_is_said_at_once(self, bench: Bench) -> None:
        def too_long(draft: Draft) -> list[Problem]:
            return [Problem("text", "text_too_long", "It is too long.")]

        bench.paper.problems = too_long
        bench.media.add("med_3", status="rejected")
        targets = [
            TargetInput(account_id=ACCOUNT_ID), TargetInput(platform="radio"), TargetInput(),
            TargetInput(account_id="acc_x"),
        ]  # fmt: skip
        media = [MediaInput(media_id="med_x"), MediaInput(media_id="med_3"), MediaInput(data=b"")]
        later = START + timedelta(days=400)
        assert await self.fields(bench, targets=targets, media=media, scheduled_at=later) == [
            "media[2].data", "scheduledAt", "targets[1].platform", "targets[2]", "targets[3].accountId",
            "media[0].mediaId", "media[1].mediaId", "targets[0].text",
        ]  # fmt: skip

    async def test_what_is_far_too_much_is_not_looked_up(self, bench: Bench) -> None:
        targets = [TargetInput(account_id=f"acc_{n}") for n in range(MAX_TARGETS + 1)]
        assert await self.fields(bench, targets=targets) == ["targets"]
        assert await self.fields(bench, targets=[TargetInput(account_id="a\0")]) == ["targets[0].accountId"]

    async def test_a_plan_that_is_used_up_is_a_problem_too(self, bench: Bench) -> None:
        for _ in range(100):
            await bench.post(plan="free")
        assert await self.fields(bench, "free", targets=[TargetInput(account_id=ACCOUNT_ID)]) == ["targets"]
