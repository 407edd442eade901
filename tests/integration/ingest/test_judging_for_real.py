"""Scan, verdict, promotion on real stores, and what a crash leaves of them."""

import asyncio
import io
import zipfile
from collections.abc import Callable

import pytest

from deploy.local.clamd import NEEDLE
from deploy.local.s3 import ACTIVE, QUARANTINE
from services.common.errors import Code
from services.ingest.app.judging import LEASE_S
from services.ingest.domain.media import Sealed, State
from services.ingest.ports import Scanner, Verdict
from services.scanner import domain as scanner_domain
from tests.integration.ingest.conftest import Stage, error_of
from tests.media import chunks, film, infected_jpeg, infected_mp4, jpeg, padded


async def test_clean_bytes_end_in_the_active_bucket_and_nowhere_else(stage: Stage) -> None:
    data = jpeg()
    ref = await stage.promoted(*chunks(data))
    media = await stage.media(ref)
    assert media.state is State.PROCESSING
    assert stage.objects(QUARANTINE) == {}
    assert stage.client.get_object(Bucket=ACTIVE, Key=media.active_key)["Body"].read() == data
    sealed, promoted = stage.told(ref)
    assert (sealed.WhichOneof("payload"), promoted.WhichOneof("payload")) == ("media_sealed", "media_promoted")
    said = promoted.media_promoted
    assert (said.key, said.etag, said.size_bytes, said.sha256) == (
        media.active_key,
        media.active_etag,
        len(data),
        media.sha256,
    )
    assert (promoted.version > sealed.version, promoted.request_id) == (True, "req_1")


async def test_a_file_of_many_parts_is_promoted_whole(stage: Stage) -> None:
    data = padded(film(), 20_000_000)
    ref = await stage.promoted(*chunks(data))
    media = await stage.media(ref)
    assert (media.state, media.size_bytes, media.content_type) == (State.PROCESSING, len(data), "video/mp4")
    assert stage.client.get_object(Bucket=ACTIVE, Key=media.active_key)["Body"].read() == data
    assert stage.multipart_uploads() == 0


async def test_eicar_called_photo_jpg_is_not_taken_in(stage: Stage) -> None:
    assert (await error_of(stage.upload(scanner_domain.needle()))).code is Code.MEDIA_TYPE_UNSUPPORTED
    assert stage.stored_nothing()
    assert stage.sql("SELECT id FROM ingest.media") == []


async def test_c5_an_archive_that_clamd_calls_clean_never_gets_there(stage: Stage) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", bytes(100_000_000))
    assert (await error_of(stage.upload(*chunks(buffer.getvalue())))).code is Code.MEDIA_TYPE_UNSUPPORTED
    assert stage.stored_nothing()


@pytest.mark.parametrize(
    ("make", "threat"),
    [
        (infected_jpeg, "ClamAV-Test-File"),
        (infected_mp4, "ClamAV-Test-File"),
        (lambda: jpeg() + NEEDLE, "Letmepost-Test-Needle"),
        (lambda: padded(film(), 12_000_000) + NEEDLE, "Letmepost-Test-Needle"),
    ],
    ids=["picture", "film", "needle-in-a-picture", "needle-behind-two-parts"],
)
async def test_media_that_play_and_are_infected_are_rejected_by_name(
    stage: Stage, make: Callable[[], bytes], threat: str
) -> None:
    ref = await stage.promoted(*chunks(make()))
    error = await error_of(stage.ingest.reading.settled(ref, 5))
    assert error.code is Code.MEDIA_REJECTED_SECURITY
    assert str(error.details["threat"]).startswith(threat)
    assert error.details["reason"] == "infected"
    assert stage.stored_nothing()
    assert (await stage.media(ref)).state is State.REJECTED
    assert stage.told(ref)[-1].WhichOneof("payload") == "media_settled"


class Died(Exception):  # noqa: N818  an end, not an error
    """The process ended here. Nothing that handles errors handles this."""


class Deadly:
    """A store or table whose n-th call kills, before or after it had its effect."""

    def __init__(self, inner: object, countdown: list[int], *, after: bool) -> None:
        self._inner, self._countdown, self._after = inner, countdown, after

    def __getattr__(self, name: str) -> object:
        method = getattr(self._inner, name)
        if not asyncio.iscoroutinefunction(method):
            return method

        async def call(*args: object, **more: object) -> object:
            self._countdown[0] -= 1
            if self._countdown[0] == 0 and not self._after:
                raise Died
            result = await method(*args, **more)
            if self._countdown[0] == 0:
                raise Died
            return result

        return call


@pytest.mark.parametrize("after", [False, True], ids=["before-its-effect", "after-its-effect"])
async def test_a_judge_killed_at_any_step_is_finished_by_the_next(stage: Stage, after: bool) -> None:
    for step in range(1, 20):
        ref = await stage.upload(jpeg())
        countdown = [step]
        deadly = stage.rebuilt(
            quarantine=Deadly(stage.world.quarantine, countdown, after=after),
            active=Deadly(stage.world.active, countdown, after=after),
            scanner=Deadly(stage.world.scanner, countdown, after=after),
        )
        died = False
        try:
            await deadly.ingest.judging.judge(ref)
        except Died:
            died = True
        stage.time_passes()
        await stage.ingest.sweeping.scans()
        await stage.ingest.sweeping.litter()
        media = await stage.media(ref)
        assert media.state is State.PROCESSING
        assert list(stage.objects(ACTIVE)).count(media.active_key) == 1
        assert not [key for key in stage.objects(QUARANTINE) if key.startswith(ref.media_id)]
        assert [event.WhichOneof("payload") for event in stage.told(ref)] == ["media_sealed", "media_promoted"]
        if not died:
            assert step > 3, "scan, copy and removal are there to die at"
            return
    pytest.fail("the use case never ended by itself")


async def test_two_judges_of_one_item_scan_it_once(stage: Stage) -> None:
    ref = await stage.upload(jpeg())
    await asyncio.gather(*(stage.ingest.judging.judge(ref) for _ in range(5)))
    assert [event.WhichOneof("payload") for event in stage.told(ref)] == ["media_sealed", "media_promoted"]
    assert (await stage.media(ref)).state is State.PROCESSING


class Slow:
    """A scanner that was asked, and answers when it is told to."""

    def __init__(self, scanner: Scanner) -> None:
        self._scanner = scanner
        self.entered, self.goes_on = asyncio.Event(), asyncio.Event()

    async def scan(self, sealed: Sealed, content_type: str) -> Verdict:
        self.entered.set()
        await self.goes_on.wait()
        return await self._scanner.scan(sealed, content_type)


async def test_a_claim_taken_over_by_another_stops_the_first(stage: Stage) -> None:
    ref = await stage.upload(jpeg())
    slow = Slow(stage.world.scanner)
    first = asyncio.create_task(stage.rebuilt(scanner=slow).ingest.judging.judge(ref))
    await slow.entered.wait()
    stage.time_passes()
    await stage.ingest.judging.judge(ref)
    slow.goes_on.set()
    await first
    media = await stage.media(ref)
    assert media.state is State.PROCESSING
    assert list(stage.objects(ACTIVE)) == [media.active_key]
    assert [event.WhichOneof("payload") for event in stage.told(ref)] == ["media_sealed", "media_promoted"]


async def test_sealed_under_a_claim_it_is_judged_by_who_sealed_it_and_by_nobody_else(stage: Stage) -> None:
    slow = Slow(stage.world.scanner)
    sealing = stage.rebuilt(scanner=slow, prompt_verdicts=1)
    ref = await sealing.upload(*chunks(jpeg()))
    left_s = "SELECT extract(epoch FROM lease_until - now())::float FROM ingest.media"
    assert 0 < float(str(stage.sql(left_s)[0][0])) <= LEASE_S, "not the longer one of its upload"
    await stage.ingest.judging.judge(ref)
    assert (await stage.media(ref)).state is State.SCANNING
    slow.goes_on.set()
    await sealing.ingest.prompt.stop(within_s=30.0)
    assert (await stage.media(ref)).state is State.PROCESSING
    assert [event.WhichOneof("payload") for event in stage.told(ref)] == ["media_promoted"]


async def test_killed_between_seal_and_verdict_it_is_judged_once_the_claim_ran_out(stage: Stage) -> None:
    killed = stage.rebuilt(scanner=Slow(stage.world.scanner), prompt_verdicts=1)
    ref = await killed.upload(*chunks(jpeg()))
    await killed.ingest.prompt.stop(within_s=0.0)
    await stage.ingest.sweeping.scans()
    assert (await stage.media(ref)).state is State.SCANNING
    stage.time_passes()
    await stage.ingest.sweeping.scans()
    assert (await stage.media(ref)).state is State.PROCESSING
