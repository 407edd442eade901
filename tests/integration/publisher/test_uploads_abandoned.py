"""What stopped and canceled targets leave behind is in a table of its own, sealed, until one process has taken it."""

import asyncio

import pytest

from services.platforms.ports import Fault, PlatformError, Progress
from services.publisher.domain.post import TargetStatus
from services.publisher.ports import LeaseLostError
from tests.integration.publisher.conftest import Stage
from tests.integration.publisher.test_uploads_sealed import CANARY, PLACE, holding


@pytest.mark.parametrize("end", ["failed", "canceled"])
async def test_an_upload_of_a_post_that_came_to_nothing_is_ended_by_one_process(stage: Stage, end: str) -> None:
    async def upload(progress: Progress) -> None:
        await progress.save("upload", PLACE)
        raise PlatformError(Fault.PERMANENT if end == "failed" else Fault.QUOTA, "refused", "No.")

    stage.gazette.preparing = upload
    await stage.connect()
    post, other = await stage.post(), await stage.post("another")
    await stage.work()
    if end == "canceled":
        await stage.app.change_posts.cancel(stage.caller, post.post_id)
        await stage.app.change_posts.cancel(stage.caller, other.post_id)
    assert (await stage.target(post)).status is TargetStatus(end)
    assert stage.sql("SELECT DISTINCT progress FROM publisher.targets") == [({},)]
    assert stage.sql("SELECT count(*) FROM publisher.leftovers") == [(2,)]
    assert holding(stage, CANARY) == []
    await asyncio.gather(*(it.app.abandon() for it in (stage, stage.rebuilt(), stage.rebuilt())))
    assert stage.gazette.abandoned == [{"upload": PLACE}] * 2
    assert stage.sql("SELECT count(*) FROM publisher.leftovers") == [(0,)]


async def test_a_post_of_which_nothing_was_prepared_leaves_nothing(stage: Stage) -> None:
    stage.upstream.orders = ["400"]
    await stage.connect()
    post = await stage.settled(await stage.post())
    assert post.targets[0].status is TargetStatus.FAILED
    assert stage.sql("SELECT count(*) FROM publisher.leftovers") == [(0,)]


async def test_whoever_lost_the_target_stops_nothing_and_leaves_nothing(stage: Stage) -> None:
    async def upload(progress: Progress) -> None:
        await progress.save("upload", PLACE)
        stage.sql("UPDATE publisher.targets SET epoch = epoch + 1")
        raise PlatformError(Fault.PERMANENT, "refused", "No.")

    stage.gazette.preparing = upload
    await stage.connect()
    post = await stage.post()
    with pytest.raises(LeaseLostError):
        await stage.work()
    assert (await stage.target(post)).status is TargetStatus.QUEUED
    assert stage.sql("SELECT count(*) FROM publisher.leftovers") == [(0,)]
