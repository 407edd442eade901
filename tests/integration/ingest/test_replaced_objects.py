"""V5 and V6: objects are replaced, verdicts replayed, events forged: only scanned bytes become active."""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from deploy.local.clamd import NEEDLE, Clamd
from deploy.local.s3 import ACTIVE, QUARANTINE
from services.common.blobs import Blobs
from services.ingest.domain.media import Media, Sealed, State
from services.ingest.ports import Outcome, Ref, Verdict
from tests.faults import SCALE
from tests.integration.ingest.conftest import InProcessScanner, Stage, scanner_over
from tests.media import chunks, film, jpeg, padded

ROUNDS = 3 * SCALE
SIZE_BYTES = 3 << 20  # of several chunks, so that a scan has a middle

Act = Callable[[], Awaitable[object]]


async def nothing() -> None: ...


@dataclass(slots=True)
class Acts:
    """What an attacker does, and when."""

    before_scan: Act = nothing
    during_scan: Act = nothing
    after_scan: Act = nothing
    before_copy: Act = nothing
    during_copy: Act = nothing
    after_copy: Act = nothing


class MeddledScanner:
    """A scanner, and somebody before and after it."""

    def __init__(self, inner: InProcessScanner, acts: Acts) -> None:
        self._inner, self._acts = inner, acts

    async def scan(self, sealed: Sealed, content_type: str) -> Verdict:
        await self._acts.before_scan()
        verdict = await self._inner.scan(sealed, content_type)
        await self._acts.after_scan()
        return verdict


class MeddledReading:
    """The quarantine as the scanner reads it, and somebody behind the first chunk."""

    def __init__(self, inner: Blobs, acts: Acts) -> None:
        self._inner, self._acts = inner, acts

    async def read(self, key: str, *, if_match: str | None = None) -> AsyncGenerator[bytes, None]:
        first = True
        async for chunk in self._inner.read(key, if_match=if_match):
            yield chunk
            if first:
                await self._acts.during_scan()
            first = False


class MeddledActive:
    """The active bucket, and somebody around the copy into it."""

    def __init__(self, inner: Any, acts: Acts) -> None:
        self._inner, self._acts = inner, acts

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def copy(self, *args: Any, **more: Any) -> object:
        await self._acts.before_copy()
        meanwhile = asyncio.ensure_future(self._acts.during_copy())
        try:
            return await self._inner.copy(*args, **more)
        finally:
            await meanwhile
            await self._acts.after_copy()


def meddled(stage: Stage, clamd: Clamd, acts: Acts) -> Stage:
    quarantine = stage.world.quarantine
    assert isinstance(quarantine, Blobs)
    scanner = MeddledScanner(InProcessScanner(scanner_over(MeddledReading(quarantine, acts), clamd)), acts)
    return stage.rebuilt(scanner=scanner, active=MeddledActive(stage.world.active, acts))


def active(stage: Stage) -> set[str]:
    """sha256 of everything in the active bucket, as the store itself has it."""
    bodies = (stage.client.get_object(Bucket=ACTIVE, Key=key)["Body"].read() for key in stage.objects(ACTIVE))
    return {hashlib.sha256(body).hexdigest() for body in bodies}


async def settle(stage: Stage, ref: Ref) -> Media:
    """Judged until there is nothing left to judge; a scan that was disturbed is made again."""
    for _ in range(10):
        await stage.ingest.judging.judge(ref)
        media = await stage.media(ref)
        if media.state is not State.SCANNING:
            return media
        stage.time_passes()
    raise AssertionError("never judged")


@pytest.mark.parametrize(
    "point", ["before_scan", "during_scan", "after_scan", "before_copy", "during_copy", "after_copy"]
)
@pytest.mark.parametrize("same_size", [True, False], ids=["same-size", "other-size"])
@pytest.mark.timeout(120 * SCALE)
async def test_v5_bytes_nobody_scanned_never_become_active(
    stage: Stage, clamd: Clamd, point: str, same_size: bool
) -> None:
    data = padded(film(), SIZE_BYTES)
    evil = padded(film(), SIZE_BYTES) if same_size else data + NEEDLE
    sha256 = hashlib.sha256(data).hexdigest()
    for _ in range(ROUNDS):
        ref = await stage.upload(*chunks(data), filename="clip.mp4")
        key = (await stage.media(ref)).quarantine_key
        ever: set[str] = set()

        async def overwrite(key: str = key) -> None:
            await asyncio.to_thread(stage.client.put_object, Bucket=QUARANTINE, Key=key, Body=evil)

        async def look(ever: set[str] = ever, overwrite: Act = overwrite) -> None:
            ever |= active(stage)
            if point == "after_copy":
                await overwrite()

        acts = replace(Acts(after_copy=look), **({} if point == "after_copy" else {point: overwrite}))
        media = await settle(meddled(stage, clamd, acts), ref)
        assert ever | active(stage) <= {sha256}, "bytes that nobody scanned were active"
        promoted = media.state is State.PROCESSING
        assert promoted or media.state is State.FAILED
        assert promoted or point != "after_copy"
        assert promoted == bool(active(stage))
        await stage.ingest.removing.delete(ref)
        stage.time_passes()
        await stage.ingest.sweeping.litter()
        assert stage.stored_nothing()


async def test_v5_what_lies_at_the_destination_already_is_not_taken_for_the_copy(stage: Stage) -> None:
    for evil in (jpeg() + NEEDLE, b""):
        ref = await stage.upload(*chunks(jpeg()))
        stage.client.put_object(Bucket=ACTIVE, Key=(await stage.media(ref)).active_key, Body=evil)
        await stage.ingest.judging.judge(ref)
        assert (await stage.media(ref)).state is State.FAILED
        assert stage.stored_nothing()


class Liar:
    """Says what it was told to, whatever it is asked."""

    def __init__(self, verdict: Verdict) -> None:
        self._verdict = verdict

    async def scan(self, sealed: Sealed, content_type: str) -> Verdict:
        return self._verdict


async def sealed_item(stage: Stage, data: bytes) -> Media:
    return await stage.media(await stage.upload(*chunks(data)))


FORGERIES: dict[str, Callable[[Sealed, Sealed], Sealed]] = {
    "of-another-object": lambda mine, other: other,
    "with-another-sha256": lambda mine, other: replace(mine, sha256=other.sha256),
    "with-another-etag": lambda mine, other: replace(mine, etag=other.etag),
    "with-another-size": lambda mine, other: replace(mine, size_bytes=mine.size_bytes + 1),
    "with-another-key": lambda mine, other: replace(mine, key=other.key),
}


@pytest.mark.parametrize("name", FORGERIES)
async def test_v6_a_clean_verdict_about_other_bytes_promotes_nothing(stage: Stage, name: str) -> None:
    infected, clean = await sealed_item(stage, jpeg() + NEEDLE), await sealed_item(stage, jpeg())
    forged = Verdict(Outcome.CLEAN, "", FORGERIES[name](infected.sealed, clean.sealed))
    ref = Ref(infected.workspace_id, infected.media_id)
    await stage.rebuilt(scanner=Liar(forged)).ingest.judging.judge(ref)
    assert stage.objects(ACTIVE) == {}
    assert (await stage.media(ref)).state is State.FAILED


@pytest.mark.parametrize("name", FORGERIES)
async def test_v6_a_stored_verdict_about_other_bytes_promotes_nothing(stage: Stage, name: str) -> None:
    infected, clean = await sealed_item(stage, jpeg() + NEEDLE), await sealed_item(stage, jpeg())
    about = FORGERIES[name](infected.sealed, clean.sealed)
    stage.sql(
        "INSERT INTO ingest.verdicts (workspace_id, media_id, outcome, threat, key, etag, sha256, size_bytes)"
        " VALUES (%s, %s, 'clean', '', %s, %s, %s, %s)",
        infected.workspace_id,
        infected.media_id,
        about.key,
        about.etag,
        about.sha256,
        about.size_bytes,
    )
    ref = Ref(infected.workspace_id, infected.media_id)
    await stage.ingest.judging.judge(ref)
    assert stage.objects(ACTIVE) == {}
    assert (await stage.media(ref)).state is State.FAILED


async def test_v6_an_event_with_the_name_of_another_workspace_has_no_effect(stage: Stage) -> None:
    ref = await stage.upload(jpeg())
    await stage.ingest.judging.judge(Ref("ws_OTHER", ref.media_id))
    assert (await stage.media(ref)).state is State.SCANNING
