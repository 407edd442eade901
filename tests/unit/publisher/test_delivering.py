"""What becomes of a target, whatever its platform answers and wherever the process ends."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from services.common.errors import Code, MediaError
from services.platforms.ports import (
    Absent,
    CannotTell,
    Fault,
    OutcomeUnknown,
    PlatformError,
    Problem,
    Progress,
    Underway,
)
from services.publisher.adapters.sealing import SealError
from services.publisher.app import recording
from services.publisher.domain.account import AccountStatus
from services.publisher.domain.delivery import Policy
from services.publisher.domain.post import TargetError, TargetStatus
from services.publisher.domain.request import MediaInput, TargetInput
from services.publisher.ports import Pending, Ready, Refused, RenditionGoneError, SealedBytes
from tests.unit.publisher.bench import ACCOUNT_ID, RECEIPT, Bench
from tests.unit.publisher.fakes import ALICE, START

POLICY = Policy()
PHOTO = (MediaInput(media_id="med_1"),)
ALIKE = replace(RECEIPT, looked_up=True)


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    bench.media.add("med_1", alt_text="its own")
    return bench


def refusal(fault: Fault, retry_after_s: float | None = None) -> PlatformError:
    return PlatformError(fault, "some_code", "Some sentence.", retry_after_s=retry_after_s)


async def test_a_target_is_published_once_metered_once_and_told(bench: Bench) -> None:
    post = await bench.post(media=PHOTO)
    assert await bench.work() == [None]
    state = bench.state(post)
    assert state.target.status is TargetStatus.PUBLISHED
    assert (state.target.platform_post_id, state.target.url) == (RECEIPT.platform_post_id, RECEIPT.url)
    assert [it.outcome for it in state.attempts] == ["published"]
    assert bench.store.usage == [("2026-11", 0)]
    bench.now.pass_s(3600)
    assert await bench.work() == []
    assert bench.paper.published == [("handle-1", {"blobs": 1})]


async def test_the_draft_is_what_the_target_says(bench: Bench) -> None:
    target = TargetInput(account_id=ACCOUNT_ID, text="other", options={"link": "x"})
    await bench.post(media=[MediaInput(media_id="med_1"), MediaInput(media_id="med_1", alt_text="")], targets=[target])
    await bench.work()
    [draft] = bench.paper.prepared
    assert (draft.text, draft.options, draft.created_at) == ("other", {"link": "x"}, START)
    assert [asset.alt_text for asset in draft.assets] == ["its own", ""]
    assert b"".join([piece async for piece in draft.assets[0].read()]) == b"0123456789"


async def test_a_test_account_is_only_reached_in_the_sandbox(bench: Bench) -> None:
    await bench.post()
    await bench.work()
    assert {account.base_url for account in bench.paper.accounts} == {"http://sandbox/paper"}


async def test_what_one_post_learned_of_an_accounts_allowance_the_next_one_knows(bench: Bench) -> None:
    await bench.post()
    await bench.work()
    bench.paper.accounts[-1].pauses.begin(ACCOUNT_ID, 60)
    await bench.post()
    await bench.work()
    assert bench.paper.accounts[-1].pauses.left_s(ACCOUNT_ID) > 50


class TestKnownRefusals:
    """Nothing was published, and it is known why."""

    @pytest.mark.parametrize("when", ["preparing", "publishing"])
    async def test_transient_is_tried_again_later_and_later_then_given_up(self, bench: Bench, when: str) -> None:
        post = await bench.post()
        getattr(bench.paper, when).extend([refusal(Fault.TRANSIENT)] * 50)
        delays = []
        while (found := await bench.work()) != [None]:
            delays += found
            bench.now.pass_s(found[0] or 0)
        assert delays == list(POLICY.transient_s)
        state = bench.state(post)
        assert state.target.status is TargetStatus.FAILED
        assert state.target.error == TargetError("some_code", "Some sentence.")
        assert {it.outcome for it in state.attempts} <= {"not_sent"}
        assert bench.store.usage == []

    @pytest.mark.parametrize("when", ["preparing", "publishing"])
    async def test_a_transient_failure_that_passes_is_forgotten(self, bench: Bench, when: str) -> None:
        post = await bench.post()
        getattr(bench.paper, when).append(refusal(Fault.TRANSIENT, retry_after_s=40))
        assert await bench.work() == [40]
        state = await bench.work_until_settled(post)
        assert state.target.status is TargetStatus.PUBLISHED
        assert len({handle for handle, _ in bench.paper.published}) == 1

    async def test_what_prepare_raises_of_itself_is_transient(self, bench: Bench) -> None:
        post = await bench.post()
        bench.paper.preparing.append(ValueError("a module's mistake"))
        assert await bench.work() == [POLICY.transient_s[0]]
        assert bench.state(post).attempts == []

    async def test_a_preparation_without_an_end_is_cut_off(self) -> None:
        bench = Bench(Policy(prepare_max_s=0.01))

        async def hangs(_: Progress) -> None:
            await asyncio.sleep(10)

        post = await bench.post()
        bench.paper.preparing.append(hangs)
        assert await bench.work() == [POLICY.transient_s[0]]
        assert bench.state(post).counters.tries == 1

    async def test_not_ready_costs_no_try_and_resumes_from_its_progress(self, bench: Bench) -> None:
        seen = []

        async def begins(progress: Progress) -> None:
            await progress.save("upload", {"id": 7})
            raise refusal(Fault.NOT_READY, retry_after_s=3)

        async def goes_on(progress: Progress) -> None:
            seen.append(progress.load("upload"))

        post = await bench.post()
        bench.paper.preparing += [begins, goes_on]
        assert await bench.work() == [3]
        assert bench.state(post).counters.tries == 0
        state = await bench.work_until_settled(post)
        assert (state.target.status, seen) == (TargetStatus.PUBLISHED, [{"id": 7}])

    @pytest.mark.parametrize("when", ["preparing", "publishing"])
    async def test_not_ready_for_hours_is_a_failure(self, bench: Bench, when: str) -> None:
        post = await bench.post()
        getattr(bench.paper, when).extend([refusal(Fault.NOT_READY)] * 1000)
        state = await bench.work_until_settled(post, rounds=1000)
        assert state.target.status is TargetStatus.FAILED
        waited = bench.now() - START
        assert timedelta(hours=2) <= waited < timedelta(hours=2, minutes=2)

    async def test_the_platform_has_all_its_time_though_the_media_took_long(self, bench: Bench) -> None:
        post = await bench.post(media=PHOTO)
        bench.variants.answers["med_1"] = Pending()
        while bench.now() - START < timedelta(hours=5):
            [delay_s] = await bench.work()
            bench.now.pass_s(delay_s or 0)
        del bench.variants.answers["med_1"]
        bench.paper.preparing.append(refusal(Fault.NOT_READY))
        assert await bench.work() == [POLICY.wait_s[0]]
        assert (await bench.work_until_settled(post)).target.status is TargetStatus.PUBLISHED

    async def test_rebuild_forgets_what_was_prepared_and_chosen(self, bench: Bench) -> None:
        seen = []

        async def saves(progress: Progress) -> None:
            seen.append(progress.load("upload"))
            await progress.save("upload", {"id": 7})

        post = await bench.post(media=PHOTO)
        bench.paper.preparing += [saves, saves]
        bench.paper.publishing.append(refusal(Fault.REBUILD))
        assert await bench.work() == [POLICY.rebuild_s[0]]
        assert (bench.state(post).chosen, bench.state(post).progress) == (None, {})
        assert (await bench.work_until_settled(post)).target.status is TargetStatus.PUBLISHED
        assert seen == [None, None]

    async def test_a_rendition_that_is_gone_is_asked_for_anew(self, bench: Bench) -> None:
        post = await bench.post(media=PHOTO)
        bench.paper.preparing.append(RenditionGoneError("gone"))
        assert await bench.work() == [POLICY.rebuild_s[0]]
        assert bench.state(post).chosen is None
        assert (await bench.work_until_settled(post)).target.status is TargetStatus.PUBLISHED

    @pytest.mark.parametrize("when", ["preparing", "publishing"])
    async def test_permanent_settles_at_once(self, bench: Bench, when: str) -> None:
        post = await bench.post()
        getattr(bench.paper, when).append(refusal(Fault.PERMANENT))
        assert await bench.work() == [None]
        assert bench.state(post).target.status is TargetStatus.FAILED
        account = await bench.accounts.get(ALICE, ACCOUNT_ID)
        assert account is not None
        assert account.status is AccountStatus.ACTIVE

    @pytest.mark.parametrize("when", ["preparing", "publishing"])
    async def test_a_refused_account_is_marked(self, bench: Bench, when: str) -> None:
        post = await bench.post()
        getattr(bench.paper, when).append(refusal(Fault.ACCOUNT))
        assert await bench.work() == [None]
        assert bench.state(post).target.status is TargetStatus.FAILED
        account = await bench.accounts.get(ALICE, ACCOUNT_ID)
        assert account is not None
        assert account.status is AccountStatus.INVALID

    async def test_a_refusal_of_credentials_renewed_meanwhile_is_tried_again(self, bench: Bench) -> None:
        async def another_post_renews(_: Progress) -> None:
            sealed = await bench.vault.seal("ws_a", ACCOUNT_ID, {"token": "new"})
            old = await bench.accounts.sealed(ALICE, ACCOUNT_ID)
            assert old is not None
            await bench.accounts.replace_credentials(ALICE, ACCOUNT_ID, sealed, instead_of=old.blob)
            raise refusal(Fault.ACCOUNT)

        post = await bench.post()
        bench.paper.preparing.append(another_post_renews)
        assert await bench.work() == [POLICY.transient_s[0]]
        assert (await bench.work_until_settled(post)).target.status is TargetStatus.PUBLISHED

    async def test_quota_waits_long(self, bench: Bench) -> None:
        await bench.post()
        bench.paper.publishing.append(refusal(Fault.QUOTA))
        assert await bench.work() == [POLICY.quota_s[0]]

    async def test_what_the_platform_would_refuse_is_not_sent(self, bench: Bench) -> None:
        post = await bench.post()
        bench.paper.problems = lambda draft: [Problem("text", "text_too_long", "Too long.")]
        assert await bench.work() == [None]
        assert bench.state(post).target.error == TargetError("post_invalid", "Too long.")
        assert (bench.paper.prepared, bench.paper.published) == ([], [])


class TestDoubt:
    """Whether it was published is not known: it is looked up, never sent again blindly."""

    @pytest.mark.parametrize("how", [OutcomeUnknown("502"), TimeoutError(), ConnectionResetError(), ValueError("bug")])
    async def test_a_lost_answer_is_looked_up_under_its_handle(self, bench: Bench, how: Exception) -> None:
        post = await bench.post()
        bench.paper.publishing.append(how)
        assert await bench.work() == [POLICY.reconcile_s[0]]
        state = bench.state(post)
        assert (state.target.status, state.attempts[0].outcome) == (TargetStatus.PUBLISHING, None)
        await bench.work_until_settled(post)
        assert state.target.status is TargetStatus.PUBLISHED
        assert (len(bench.paper.published), bench.paper.looked_up) == (1, [("handle-1", START)])
        assert bench.store.usage == [("2026-11", 0)]

    async def test_absent_where_the_handle_protects_is_sent_again_under_it(self, bench: Bench) -> None:
        post = await bench.post()
        bench.paper.publishing.append(TimeoutError())
        bench.paper.looking_up.append(Absent(safe_to_send=True))
        state = await bench.work_until_settled(post)
        assert state.target.status is TargetStatus.PUBLISHED
        assert [handle for handle, _ in bench.paper.published] == ["handle-1", "handle-1"]
        assert [it.outcome for it in state.attempts] == ["absent", "published"]

    async def test_absent_again_and_again_ends(self, bench: Bench) -> None:
        post = await bench.post()
        bench.paper.publishing += [TimeoutError()] * 50
        bench.paper.looking_up += [Absent(safe_to_send=True)] * 50
        state = await bench.work_until_settled(post)
        assert state.target.status is TargetStatus.FAILED
        assert len(bench.paper.published) == len(POLICY.transient_s) + 1

    @pytest.mark.parametrize(
        ("answer", "looks"),
        [
            (Absent(safe_to_send=False), 5),  # 2, 7, 17, 37 and 60 s after the intent
            (CannotTell(), len(POLICY.reconcile_s)),
            (CannotTell(for_good=True), 1),
            (refusal(Fault.TRANSIENT), len(POLICY.reconcile_s)),
            (ValueError("bug"), len(POLICY.reconcile_s)),
        ],
    )
    async def test_without_proof_it_ends_unconfirmed_and_was_sent_once(
        self, bench: Bench, answer: object, looks: int
    ) -> None:
        post = await bench.post()
        bench.paper.publishing.append(OutcomeUnknown("502"))
        bench.paper.looking_up += [answer] * 50  # type: ignore[list-item]
        state = await bench.work_until_settled(post)
        assert state.target.status is TargetStatus.UNCONFIRMED
        assert state.target.error is not None
        assert state.target.error.code == "publish_unconfirmed"
        assert len(bench.paper.published) == 1
        assert len(bench.paper.looked_up) == looks
        assert [it.outcome for it in state.attempts] == ["unconfirmed"]
        assert bench.store.usage == []

    async def test_late_evidence_settles_it(self, bench: Bench) -> None:
        post = await bench.post()
        bench.paper.publishing.append(OutcomeUnknown("502"))
        bench.paper.looking_up += [Absent(safe_to_send=False), CannotTell()]
        assert (await bench.work_until_settled(post)).target.status is TargetStatus.PUBLISHED
        assert len(bench.paper.published) == 1

    async def test_what_looks_the_same_and_is_anothers_is_no_evidence(self, bench: Bench) -> None:
        await bench.post()
        await bench.work()
        post = await bench.post()
        bench.paper.publishing.append(OutcomeUnknown("502"))
        bench.paper.looking_up += [ALIKE] * 50
        state = await bench.work_until_settled(post)
        assert (state.target.status, state.target.platform_post_id) == (TargetStatus.UNCONFIRMED, None)
        assert len(bench.store.usage) == 1

    async def test_a_duplicate_is_refused_if_what_it_repeats_is_anothers(self, bench: Bench) -> None:
        await bench.post()
        await bench.work()
        post = await bench.post()
        bench.paper.publishing.append(ALIKE)
        state = await bench.work_until_settled(post)
        assert state.target.status is TargetStatus.FAILED
        assert state.target.error is not None
        assert state.target.error.code == "duplicate_post"
        assert [it.outcome for it in state.attempts] == ["not_sent"]
        assert len(bench.store.usage) == 1

    async def test_a_duplicate_of_its_own_is_published(self, bench: Bench) -> None:
        post = await bench.post()
        bench.paper.publishing.append(ALIKE)
        assert (await bench.work_until_settled(post)).target.status is TargetStatus.PUBLISHED

    async def test_credentials_that_do_not_open_do_not_end_a_doubt(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        post = await bench.post()
        bench.paper.publishing.append(TimeoutError())
        await bench.work()
        real = bench.vault.open

        async def broken(workspace_id: str, account_id: str, sealed: SealedBytes) -> None:
            raise SealError("wrong key file")

        monkeypatch.setattr(bench.vault, "open", broken)
        bench.now.pass_s(POLICY.reconcile_s[0])
        await bench.work()
        assert bench.state(post).attempts[0].outcome is None
        monkeypatch.setattr(bench.vault, "open", real)
        assert (await bench.work_until_settled(post)).target.status is TargetStatus.PUBLISHED
        assert len(bench.paper.published) == 1

    @pytest.mark.parametrize("gone", ["account", "platform"])
    async def test_when_nobody_can_look_it_stays_unconfirmed(self, bench: Bench, gone: str) -> None:
        post = await bench.post()
        bench.paper.publishing.append(TimeoutError())
        await bench.work()
        if gone == "account":
            await bench.accounts.delete(ALICE, ACCOUNT_ID)
        else:
            bench.without_platform()
        assert (await bench.work_until_settled(post)).target.status is TargetStatus.UNCONFIRMED


class TestUnderway:
    """The platform has everything, and tells that it is at work."""

    async def test_it_is_asked_until_it_is_done_by_what_it_told(self, bench: Bench) -> None:
        post = await bench.post()
        bench.paper.publishing.append(Underway({"id": 7}))
        bench.paper.looking_up += [Underway(retry_after_s=5)] * 20
        state = await bench.work_until_settled(post, rounds=30)
        assert (state.target.status, len(bench.paper.published)) == (TargetStatus.PUBLISHED, 1)
        assert bench.paper.looked_up_by == [{"blobs": 0, "id": 7}] * 21

    async def test_one_that_is_at_work_for_hours_is_left_in_doubt(self, bench: Bench) -> None:
        post = await bench.post()
        bench.paper.publishing.append(Underway())
        bench.paper.looking_up += [Underway()] * 1000
        state = await bench.work_until_settled(post, rounds=1000)
        assert (state.target.status, len(bench.paper.published)) == (TargetStatus.UNCONFIRMED, 1)
        assert timedelta(hours=2) <= bench.now() - START < timedelta(hours=2, minutes=2)

    async def test_one_that_was_given_up_says_why_when_it_is_sent_again(self, bench: Bench) -> None:
        post = await bench.post()
        bench.paper.publishing += [Underway({"id": 7}), refusal(Fault.TRANSIENT), TimeoutError()]
        bench.paper.looking_up.append(Absent(safe_to_send=True))
        state = await bench.work_until_settled(post)
        assert state.target.status is TargetStatus.PUBLISHED
        assert [prepared for _, prepared in bench.paper.published] == [
            {"blobs": 0}, {"blobs": 0, "id": 7}, {"blobs": 0},
        ]  # fmt: skip
        assert bench.paper.looked_up_by == [{"blobs": 0, "id": 7}, {"blobs": 0}]


class TestCrashes:
    """The process ends somewhere; whoever takes the target up knows no more than the rows."""

    async def test_before_the_intent_nothing_was_sent_and_it_is_begun_anew(self, bench: Bench) -> None:
        post = await bench.post()
        await bench.crash("before_intent")
        assert (bench.state(post).attempts, bench.paper.published) == ([], [])
        assert (await bench.work_until_settled(post)).target.status is TargetStatus.PUBLISHED
        assert (len(bench.paper.published), bench.paper.looked_up) == (1, [])

    async def test_between_intent_and_call_it_is_looked_up_first(self, bench: Bench) -> None:
        post = await bench.post()
        await bench.crash("after_intent")
        assert bench.paper.published == []
        bench.paper.looking_up.append(Absent(safe_to_send=True))
        assert (await bench.work_until_settled(post)).target.status is TargetStatus.PUBLISHED
        assert (len(bench.paper.published), len(bench.paper.looked_up)) == (1, 1)

    async def test_between_call_and_result_it_is_never_called_again(self, bench: Bench) -> None:
        post = await bench.post()
        await bench.crash("after_publish")
        assert len(bench.paper.published) == 1
        assert (await bench.work_until_settled(post)).target.status is TargetStatus.PUBLISHED
        assert (len(bench.paper.published), len(bench.paper.looked_up)) == (1, 1)
        assert bench.store.usage == [("2026-11", 0)]

    async def test_a_refusal_nobody_wrote_down_is_looked_up(self, bench: Bench) -> None:
        post = await bench.post()
        bench.paper.publishing.append(refusal(Fault.PERMANENT))
        await bench.crash("after_refusal")
        bench.paper.looking_up += [Absent(safe_to_send=False)] * 50
        assert (await bench.work_until_settled(post)).target.status is TargetStatus.UNCONFIRMED
        assert len(bench.paper.published) == 1

    async def test_a_result_the_database_does_not_take_is_offered_again(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(recording, "PAUSE_S", 0.0)
        real, refusals = bench.store.published, [MediaError(Code.UNAVAILABLE)] * 2

        async def sometimes(*args: object) -> bool:
            if refusals:
                raise refusals.pop()
            return await real(*args)  # type: ignore[arg-type]

        monkeypatch.setattr(bench.store, "published", sometimes)
        post = await bench.post()
        assert await bench.work() == [None]
        assert bench.state(post).target.status is TargetStatus.PUBLISHED


class TestMedia:
    """A target waits for its renditions, and not for ever."""

    async def test_a_variant_under_way_is_waited_for_without_costing_a_try(self, bench: Bench) -> None:
        post = await bench.post(media=PHOTO)
        bench.variants.answers["med_1"] = Pending()
        assert await bench.work() == [POLICY.wait_s[0]]
        state = bench.state(post)
        assert (state.target.status, state.counters.tries) == (TargetStatus.WAITING_MEDIA, 0)
        del bench.variants.answers["med_1"]
        await bench.store.media_settled("ws_a", "med_1")
        assert await bench.work() == [None]
        assert state.target.status is TargetStatus.PUBLISHED

    async def test_a_variant_that_never_comes_is_given_up_after_a_day(self, bench: Bench) -> None:
        post = await bench.post(media=PHOTO)
        bench.variants.answers["med_1"] = Pending()
        state = await bench.work_until_settled(post, rounds=5000)
        assert state.target.error is not None
        assert (state.target.status, state.target.error.code) == (TargetStatus.FAILED, "media_not_ready")
        assert timedelta(hours=24) <= bench.now() - START < timedelta(hours=25)

    @pytest.mark.parametrize("code", [Code.MEDIA_NOT_READY, Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED, Code.INTERNAL])
    async def test_a_stage_that_is_away_or_late_is_waited_for(self, bench: Bench, code: Code) -> None:
        post = await bench.post(media=PHOTO)
        bench.variants.answers["med_1"] = MediaError(code)
        assert await bench.work() == [POLICY.wait_s[0]]
        assert bench.state(post).target.status is TargetStatus.WAITING_MEDIA

    async def test_a_variant_that_cannot_be_settles_the_target_with_the_reason(self, bench: Bench) -> None:
        post = await bench.post(media=PHOTO)
        bench.variants.answers["med_1"] = Refused(TargetError("aspect_unsupported", "Too wide."))
        assert await bench.work() == [None]
        assert bench.state(post).target.error == TargetError("aspect_unsupported", "Too wide.")

    @pytest.mark.parametrize("code", [Code.MEDIA_REJECTED, Code.PROCESSING_FAILED, Code.MEDIA_NOT_FOUND])
    async def test_media_that_failed_settle_the_target_with_the_code(self, bench: Bench, code: Code) -> None:
        post = await bench.post(media=PHOTO)
        bench.variants.answers["med_1"] = MediaError(code)
        assert await bench.work() == [None]
        error = bench.state(post).target.error
        assert error is not None
        assert error.code == code

    async def test_media_rejected_after_the_post_was_taken_settle_it(self, bench: Bench) -> None:
        bench.media.add("med_1", status="scanning")
        post = await bench.post(media=PHOTO)
        bench.media.add("med_1", status="rejected", error=TargetError("media_rejected_security", "Scan found X."))
        assert await bench.work() == [None]
        assert bench.state(post).target.error == TargetError("media_rejected_security", "Scan found X.")

    async def test_media_still_scanned_are_not_asked_of_the_transcoder(self, bench: Bench) -> None:
        bench.media.add("med_1", status="scanning")
        post = await bench.post(media=PHOTO)
        bench.variants.answers["med_1"] = MediaError(Code.MEDIA_REJECTED)
        await bench.work()
        assert bench.state(post).target.status is TargetStatus.WAITING_MEDIA

    async def test_what_was_chosen_once_stays_chosen(self, bench: Bench) -> None:
        post = await bench.post(media=PHOTO)
        bench.paper.preparing.append(refusal(Fault.TRANSIENT))
        await bench.work()
        answer = await bench.variants.ensure("med_other", "paper")
        assert isinstance(answer, Ready)
        bench.variants.answers["med_1"] = answer
        await bench.work_until_settled(post)
        assert {draft.assets[0].url for draft in bench.paper.prepared} == {"http://cdn/med_1"}


async def test_a_settled_post_lets_go_of_its_media(bench: Bench) -> None:
    post = await bench.post(media=PHOTO)
    await bench.app.release_pins()
    assert bench.media.pins == {("med_1", post.post_id)}
    await bench.work()
    await bench.app.release_pins()
    assert bench.media.pins == set()


async def test_credentials_that_do_not_open_are_tried_again(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(workspace_id: str, account_id: str, sealed: SealedBytes) -> None:
        raise SealError("data key 1 was wrapped with another key")

    post = await bench.post()
    monkeypatch.setattr(bench.vault, "open", broken)
    assert await bench.work() == [POLICY.transient_s[0]]
    error = bench.state(post).target.error
    assert error is not None
    assert "key 1" not in error.message
    monkeypatch.undo()
    assert (await bench.work_until_settled(post)).target.status is TargetStatus.PUBLISHED


async def test_an_account_disconnected_before_it_is_due_fails_its_targets(bench: Bench) -> None:
    post = await bench.post()
    await bench.accounts.delete(ALICE, ACCOUNT_ID)
    assert await bench.work() == [None]
    error = bench.state(post).target.error
    assert error is not None
    assert error.code == "account_not_found"


async def test_every_call_and_every_end_is_counted(bench: Bench) -> None:
    bench.paper.publishing += [refusal(Fault.TRANSIENT), OutcomeUnknown("502")]
    first, second = await bench.post("first"), await bench.post("second")
    bench.paper.looking_up.append(Absent(safe_to_send=True))
    await bench.work_until_settled(first)
    await bench.work_until_settled(second)
    assert sorted(bench.meter.calls) == ["published", "published", "transient", "unknown"]
    assert bench.meter.ends == ["published", "published"]
