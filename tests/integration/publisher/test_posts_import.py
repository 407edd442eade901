"""Posts that name files by URL, on the real PostgreSQL: each file is fetched once, and its targets wait for it."""

import asyncio
from datetime import timedelta

import pytest

from services.common import clock
from services.common.errors import Code, MediaError
from services.publisher.app import importing
from services.publisher.domain.post import PostStatus, TargetStatus
from services.publisher.domain.request import MediaInput, TargetInput
from services.publisher.ports import ImportClaim
from tests.integration.publisher.conftest import Stage

URL = "https://cdn.example.com/photo.jpg"
FILE = MediaInput(url=URL, kind="image", alt_text="A chair.")


@pytest.fixture
async def elsewhere(stage: Stage) -> Stage:
    """The file is there."""
    await stage.connect()
    stage.media.elsewhere[URL] = b"jpeg"
    return stage


async def claimed(stage: Stage) -> list[ImportClaim]:
    return list(await stage.world.imports.claim(10, importing.LEASE_S))


async def fetch(stage: Stage) -> int:
    """What is due, each once."""
    claims = await claimed(stage)
    for claim in claims:
        await stage.app.importer.fetch(claim)
    return len(claims)


def pass_lease(stage: Stage) -> None:
    stage.sql("UPDATE publisher.imports SET next_at = now() WHERE next_at IS NOT NULL")


async def test_a_target_waits_for_its_file_and_publishes_it(elsewhere: Stage) -> None:
    post = await elsewhere.post(media=[FILE], key="once")
    assert (await elsewhere.post(media=[FILE], key="once")).post_id == post.post_id
    await elsewhere.work()
    assert (await elsewhere.target(post)).status is TargetStatus.WAITING_MEDIA
    assert await fetch(elsewhere) == 1
    [ref] = (await elsewhere.read(post)).media
    assert (ref.media_id, ref.alt_text, ref.url) == ("med_imported1", "A chair.", None)
    assert elsewhere.media.pins == {("med_imported1", post.post_id)}
    assert (await elsewhere.settled(post)).status is PostStatus.PUBLISHED
    assert (elsewhere.media.imported, len(elsewhere.upstream.posts)) == ([URL], 1)
    assert await fetch(elsewhere) == 0
    await elsewhere.app.release_pins()
    assert elsewhere.media.pins == set()
    assert elsewhere.sql("SELECT url FROM publisher.imports") == [("",)]  # it may have been signed


async def test_one_file_of_many_targets_is_fetched_once(elsewhere: Stage) -> None:
    targets = [TargetInput(platform="gazette", text=str(n)) for n in range(5)]
    targets.append(TargetInput(platform="gazette", media=[FILE, MediaInput(url=URL, kind="image")]))
    post = await elsewhere.post(media=[FILE], targets=targets)
    assert await fetch(elsewhere) == 1
    found = await elsewhere.settled(post)
    assert found.status is PostStatus.PUBLISHED
    assert elsewhere.media.imported == [URL]
    assert {ref.media_id for it in found.targets for ref in found.media_for(it)} == {"med_imported1"}


async def test_many_workers_fetch_each_file_once(elsewhere: Stage) -> None:
    for n in range(12):
        elsewhere.media.elsewhere[f"{URL}?{n}"] = b"jpeg"
        await elsewhere.post(str(n), media=[MediaInput(url=f"{URL}?{n}")])
    groups = await asyncio.gather(*(claimed(elsewhere) for _ in range(6)))
    names = [claim.import_id for group in groups for claim in group]
    assert len(names) == len(set(names)) == 12


async def test_a_file_that_cannot_be_had_fails_its_targets_and_no_others(elsewhere: Stage) -> None:
    elsewhere.media.elsewhere[URL] = MediaError(Code.MEDIA_URL_NOT_ALLOWED, reason="is not on the public internet")
    targets = [TargetInput(platform="gazette", media=[FILE]), TargetInput(platform="gazette", text="words alone")]
    post = await elsewhere.post(targets=targets)
    await elsewhere.work()
    await fetch(elsewhere)
    found = await elsewhere.settled(post)
    assert found.status is PostStatus.PARTIALLY_PUBLISHED
    failed = found.targets[0]
    assert (failed.status, failed.error and failed.error.code) == (TargetStatus.FAILED, "media_url_not_allowed")
    elsewhere.media.elsewhere[URL] = b"jpeg"
    await elsewhere.app.change_posts.retry(elsewhere.caller, post.post_id, plan="pro", unconfirmed=False)
    assert await fetch(elsewhere) == 1
    assert (await elsewhere.settled(post)).status is PostStatus.PUBLISHED
    assert len(elsewhere.upstream.posts) == 2


async def test_a_process_that_dies_with_the_file_stored_leaves_one_item(elsewhere: Stage) -> None:
    post = await elsewhere.post(media=[FILE])
    [claim] = await claimed(elsewhere)
    stored = await elsewhere.media.import_url(URL, "image", "A chair.", f"{claim.post_id}/{claim.import_id}")
    assert await claimed(elsewhere) == []
    pass_lease(elsewhere)
    assert await fetch(elsewhere) == 1
    assert not await elsewhere.world.imports.done(claim, stored)  # whoever was slow changes nothing
    assert (await elsewhere.settled(post)).media[0].media_id == stored.media_id
    assert len(elsewhere.media.items) == 1


async def test_a_canceled_post_has_nothing_fetched(elsewhere: Stage) -> None:
    post = await elsewhere.post(media=[FILE], scheduled_at=clock.utc_now() + timedelta(days=1))
    await elsewhere.app.change_posts.cancel(elsewhere.caller, post.post_id)
    assert (await fetch(elsewhere), elsewhere.media.imported) == (1, [])
    assert await fetch(elsewhere) == 0


async def test_a_scheduled_posts_file_is_fetched_at_once_and_outlives_changes(elsewhere: Stage) -> None:
    later = clock.utc_now() + timedelta(days=1)
    post = await elsewhere.post(media=[FILE], scheduled_at=later)
    [claim] = await claimed(elsewhere)
    assert claim.due_at == later
    changed = await elsewhere.update(post, text="while it is fetched")
    assert changed.imports()
    await elsewhere.app.importer.fetch(claim)
    changed = await elsewhere.update(post, text="since it was fetched")
    assert changed.media_ids() == ("med_imported1",)
    await elsewhere.app.release_pins()
    assert elsewhere.media.pins == {("med_imported1", post.post_id)}
    await elsewhere.update(post, media=(), text="words alone")
    await elsewhere.app.release_pins()
    assert elsewhere.media.pins == set()


async def test_a_file_the_post_does_not_name_any_more_is_let_go_when_it_comes(elsewhere: Stage) -> None:
    post = await elsewhere.post(media=[FILE], scheduled_at=clock.utc_now() + timedelta(days=1))
    [claim] = await claimed(elsewhere)
    await elsewhere.update(post, media=(), text="words alone")
    await elsewhere.app.importer.fetch(claim)
    assert elsewhere.media.pins == set()


async def test_a_file_that_comes_while_the_post_is_changed_is_not_let_go(elsewhere: Stage) -> None:
    post = await elsewhere.post(media=[FILE], scheduled_at=clock.utc_now() + timedelta(days=1))
    [claim] = await claimed(elsewhere)

    async def meanwhile(caller: object, post_id: str, media_ids: object) -> None:
        await elsewhere.app.importer.fetch(claim)
        await held(caller, post_id, media_ids)  # type: ignore[arg-type]

    held = elsewhere.world.changes.hold
    elsewhere.world.changes.hold = meanwhile  # type: ignore[method-assign]
    changed = await elsewhere.update(post, text="other words")
    assert changed.media_ids() == ("med_imported1",)
    await elsewhere.app.release_pins()
    assert elsewhere.media.pins == {("med_imported1", post.post_id)}
