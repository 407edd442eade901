"""Where an upload goes on is known to the publisher alone: no table, event or log holds its address in clear."""

import json
import os

import pytest

from deploy.local.state import State
from services.platforms.ports import SECRET, Fault, PlatformError, Progress
from services.publisher.adapters.postgres.keys import PostgresKeys
from services.publisher.adapters.rotation import Rotation
from services.publisher.adapters.sealing import MasterKeys, parse_keks
from services.publisher.adapters.vault import Vault
from services.publisher.domain.post import Post, TargetStatus
from tests.integration.publisher.conftest import Stage
from tests.integration.publisher.test_publishing_for_real import crash

CANARY = "canary-4b1e"
PLACE = {"session": f"https://upload.example/?upload_id={CANARY}"}
LATER = PlatformError(Fault.NOT_READY, "media_processing", "It is being processed.", retry_after_s=0.05)


def holding(stage: Stage, text: str) -> list[str]:
    """The publisher's tables that hold it anywhere."""
    tables = [name for (name,) in stage.sql("SELECT tablename FROM pg_tables WHERE schemaname = 'publisher'")]
    assert "targets" in tables
    found = []
    for name in tables:
        [(count,)] = stage.sql(f'SELECT count(*) FROM publisher."{name}" t WHERE t::text LIKE %s', f"%{text}%")  # noqa: S608
        if count:
            found.append(str(name))
    return found


def progress(stage: Stage, post: Post) -> dict[str, object]:
    """What the row holds of what was prepared."""
    [(found,)] = stage.sql("SELECT progress FROM publisher.targets WHERE post_id = %s", post.post_id)
    assert isinstance(found, dict)
    return found


def uploading(stage: Stage) -> list[object]:
    """From now on an upload is begun by the first call, and gone on with by others; what those found."""
    seen: list[object] = []

    async def upload(begun: Progress) -> None:
        if (saved := begun.load("upload")) is None:
            await begun.save("upload", PLACE)
            raise LATER
        seen.append(saved)

    stage.gazette.preparing = upload
    return seen


async def test_an_upload_goes_on_after_its_key_was_wrapped_anew(
    stage: Stage, local_state: State, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    seen = uploading(stage)
    await stage.connect()
    post = await stage.post()
    await stage.work()
    assert list(progress(stage, post)) == ["upload.sealed"]
    assert holding(stage, CANARY) == []

    keys, new = PostgresKeys(stage.database), os.urandom(32)
    assert await Rotation(MasterKeys([new, *parse_keks(local_state.secret("kek", size_bytes=32))]), keys).run() == 1
    later = stage.rebuilt(vault=Vault(MasterKeys([new]), keys))
    settled = await later.settled(post)
    assert (settled.targets[0].status, seen) == (TargetStatus.PUBLISHED, [PLACE])
    assert progress(stage, post) == {}
    assert CANARY not in caplog.text


async def test_what_is_secret_of_an_attempt_outlives_a_crash_and_is_nowhere_in_clear(stage: Stage) -> None:
    stage.gazette.secret = PLACE
    await stage.connect()
    post = await stage.post()
    await crash(stage, "after_intent")
    assert stage.outcomes(post) == [None]
    assert stage.sql("SELECT prepared FROM publisher.attempts") == [({"text": "hi"},)]
    assert holding(stage, CANARY) == []
    # Another process looks it up, does not find it, and sends what was prepared.
    stage.gazette.secret = None
    settled = await stage.settled(post)
    assert (settled.targets[0].status, stage.gazette.given) == (TargetStatus.PUBLISHED, [PLACE])
    assert stage.outcomes(post) == ["absent", "published"]
    assert stage.sql("SELECT DISTINCT prepared ? %s FROM publisher.attempts", SECRET) == [(False,)]


async def test_an_upload_the_version_before_began_goes_on_and_is_in_clear_no_more(stage: Stage) -> None:
    async def upload(begun: Progress) -> None:
        saved = begun.load("upload")
        assert saved == PLACE
        await begun.save("upload", {**saved, "sent": 1})
        raise LATER

    stage.gazette.preparing = upload
    await stage.connect()
    post = await stage.post()
    stage.sql("UPDATE publisher.targets SET progress = %s", json.dumps({"upload": PLACE}))
    await stage.work()
    assert list(progress(stage, post)) == ["upload.sealed"]
    assert holding(stage, CANARY) == []


async def test_what_the_version_before_wrote_later_counts(stage: Stage) -> None:
    seen = uploading(stage)
    await stage.connect()
    post = await stage.post()
    await stage.work()
    newer = {"session": "https://upload.example/?upload_id=another"}
    stage.sql("UPDATE publisher.targets SET progress = progress || %s", json.dumps({"upload": newer}))
    await stage.settled(post)
    assert seen == [newer]


async def test_progress_copied_to_another_target_does_not_open(stage: Stage) -> None:
    seen = uploading(stage)
    await stage.connect()
    first = await stage.post("first")
    await stage.work()
    second = await stage.post("second")
    stage.sql(
        "UPDATE publisher.targets t SET progress = o.progress FROM publisher.targets o"
        " WHERE t.post_id = %s AND o.post_id = %s", second.post_id, first.post_id,
    )  # fmt: skip
    stage.sql("UPDATE publisher.targets SET next_at = NULL, status = 'canceled' WHERE post_id = %s", first.post_id)
    failed = (await stage.settled(second)).targets[0]
    assert (failed.status, failed.error and failed.error.code) == (TargetStatus.FAILED, "credentials_unreadable")
    assert (seen, stage.upstream.posts) == ([], [])


async def test_without_its_key_an_upload_waits_for_it(stage: Stage) -> None:
    seen = uploading(stage)
    await stage.connect()
    post = await stage.post()
    await stage.work()
    lacking = stage.rebuilt(vault=Vault(MasterKeys([os.urandom(32)]), PostgresKeys(stage.database)))
    stage.sql("UPDATE publisher.targets SET next_at = now()")
    await lacking.work()
    assert (await stage.target(post)).status is TargetStatus.QUEUED
    assert (await stage.settled(post)).targets[0].status is TargetStatus.PUBLISHED
    assert seen == [PLACE]
