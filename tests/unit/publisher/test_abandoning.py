"""What was begun upstream for a post that comes to nothing is ended there, once, and nothing depends on it."""

import logging
from dataclasses import replace

import pytest

from services.platforms.ports import Fault, PlatformError, Progress
from services.publisher.domain.post import TargetStatus
from tests.unit.publisher.bench import ACCOUNT_ID, Bench

BEGUN = {"upload": {"id": 7}}


def failing(bench: Bench, fault: Fault) -> None:
    """The next upload is begun, and then fails."""

    async def upload(progress: Progress) -> None:
        await progress.save("upload", {"id": 7})
        raise PlatformError(fault, "refused", "No.")

    bench.paper.preparing.append(upload)


@pytest.fixture
def bench() -> Bench:
    return Bench()


async def test_of_a_post_that_failed(bench: Bench) -> None:
    failing(bench, Fault.PERMANENT)
    post = await bench.post()
    await bench.work()
    assert bench.state(post).target.status is TargetStatus.FAILED
    await bench.app.abandon()
    await bench.app.abandon()
    assert bench.paper.abandoned == [BEGUN]


async def test_of_a_post_that_is_canceled_while_it_waits(bench: Bench) -> None:
    failing(bench, Fault.TRANSIENT)
    post = await bench.post()
    await bench.work()
    await bench.app.abandon()
    assert bench.paper.abandoned == []
    await bench.app.change_posts.cancel(bench.store.posts[post.post_id][0], post.post_id)
    await bench.app.abandon()
    assert bench.paper.abandoned == [BEGUN]


async def test_before_it_is_prepared_anew(bench: Bench) -> None:
    failing(bench, Fault.REBUILD)
    post = await bench.post()
    await bench.work()
    assert bench.paper.abandoned == [BEGUN]
    assert (await bench.work_until_settled(post)).target.status is TargetStatus.PUBLISHED
    await bench.app.abandon()
    assert bench.paper.abandoned == [BEGUN]


@pytest.mark.parametrize("fault", [Fault.PERMANENT, Fault.REBUILD])
async def test_what_cannot_be_ended_is_noted_and_no_more(
    bench: Bench, fault: Fault, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "publisher.abandoning")
    failing(bench, fault)
    bench.paper.abandoning = [ConnectionError("the platform is away")]
    post = await bench.post()
    state = await bench.work_until_settled(post)
    await bench.app.abandon()
    expected = TargetStatus.FAILED if fault is Fault.PERMANENT else TargetStatus.PUBLISHED
    assert (state.target.status, len(bench.paper.abandoned)) == (expected, 1)
    assert [record.message for record in caplog.records] == ["what was begun is left to the platform"]


async def test_of_an_account_that_is_gone_nothing_is_asked(bench: Bench) -> None:
    failing(bench, Fault.PERMANENT)
    post = await bench.post()
    await bench.work()
    await bench.accounts.delete(bench.store.posts[post.post_id][0], ACCOUNT_ID)
    await bench.app.abandon()
    assert bench.paper.abandoned == []


async def test_a_platform_without_such_a_call_is_not_asked(bench: Bench) -> None:
    failing(bench, Fault.PERMANENT)
    await bench.post()
    await bench.work()
    bench.store.leftovers = [replace(it, platform="unknown") for it in bench.store.leftovers]
    await bench.app.abandon()
    assert (bench.paper.abandoned, bench.store.leftovers) == ([], [])
