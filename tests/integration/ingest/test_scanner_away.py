"""V3: whatever ails clamd, uploads are taken up to a bound, nothing is promoted, and afterwards all is settled."""

import asyncio
import os
import resource
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace

import pytest

from deploy.local.clamd import NEEDLE, Clamd
from deploy.local.s3 import ACTIVE, QUARANTINE
from services.common.errors import Code, MediaError
from services.ingest.domain.media import Sealed, State
from services.ingest.domain.upload import Piece
from services.ingest.ports import Ref, Verdict
from services.scanner import app, domain
from tests.integration.ingest.conftest import CALLER, LIMITS, Stage
from tests.integration.ingest.test_resuming_for_real import begin, stalled, video
from tests.media import jpeg
from tests.unit.ingest.courses import body

BACKLOG = 6
MIB = 1 << 20
FULL_AT_BYTES = MIB  # the self-test fits there, and clamd's own log


@contextmanager
def gone(clamd: Clamd) -> Iterator[None]:
    clamd.stop()
    try:
        yield
    finally:
        clamd.start()


@contextmanager
def killed(clamd: Clamd) -> Iterator[None]:
    """In the middle of whatever it scans."""
    clamd.kill()
    try:
        yield
    finally:
        clamd.start()


@contextmanager
def wedged(clamd: Clamd) -> Iterator[None]:
    """It holds its socket, and says nothing."""
    os.kill(clamd.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(clamd.pid, signal.SIGCONT)


@contextmanager
def full(clamd: Clamd) -> Iterator[None]:
    """No scratch file grows: to clamd that is a full disk."""
    before = resource.prlimit(clamd.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(clamd.pid, resource.RLIMIT_FSIZE, (FULL_AT_BYTES, before[1]))
    try:
        yield
    finally:
        resource.prlimit(clamd.pid, resource.RLIMIT_FSIZE, before)


async def upload_until_refused(stage: Stage) -> list[tuple[Ref, bool]]:
    """What was taken, and whether it is infected. A judge is at work on each as soon as it is there."""
    taken: list[tuple[Ref, bool]] = []
    for number in range(2 * BACKLOG):
        infected = number % 3 == 0
        try:
            ref = await stage.upload(jpeg() + bytes(2 * MIB) + (NEEDLE if infected else b""))
        except MediaError as error:
            assert (error.code, error.details["retry_after_s"]) == (Code.SCANNER_UNAVAILABLE, 15)  # noqa: PT017
            return taken
        taken.append((ref, infected))
        await stage.ingest.judging.judge(ref)
    raise AssertionError("uploads without end were taken")


@pytest.mark.parametrize("trouble", [gone, killed, wedged, full], ids=lambda trouble: trouble.__name__)
async def test_v3_the_backlog_is_bounded_and_settles(
    stage: Stage,
    clamd: Clamd,
    monkeypatch: pytest.MonkeyPatch,
    trouble: Callable[[Clamd], AbstractContextManager[None]],
) -> None:
    monkeypatch.setattr(app, "TEST_DEADLINE_S", 0.5)
    monkeypatch.setattr(domain, "deadline_s", lambda size_bytes: 5.0)
    stage = stage.rebuilt(replace(LIMITS, backlog_workspace=BACKLOG, backlog_total=2 * BACKLOG))
    large = await stage.upload(video(12 * MIB), filename="clip.mp4")
    judging = asyncio.create_task(stage.ingest.judging.judge(large))
    await asyncio.sleep(0.05)
    with trouble(clamd):
        taken = await upload_until_refused(stage)
        await judging
        assert BACKLOG - 1 <= len(taken) <= BACKLOG
        elsewhere = await stage.upload(jpeg() + bytes(2 * MIB), caller=replace(CALLER, workspace_id="ws_OTHER"))
        stage.time_passes()
        await stage.ingest.sweeping.scans()
        refs = [ref for ref, _ in taken]
        assert {(await stage.media(ref)).state for ref in (*refs, elsewhere)} == {State.SCANNING}
        # The large one may have been through before the trouble began.
        assert {key.split("/")[1] for key in stage.objects(ACTIVE)} <= {large.media_id}
        assert {ref.media_id for ref in refs} <= {key.split("/")[0] for key in stage.objects(QUARANTINE)}
    for _ in range(3):  # the first engine that answers again is tested first
        stage.time_passes()
        await stage.ingest.sweeping.scans()
    for ref, infected in [(large, False), (elsewhere, False), *taken]:
        assert (await stage.media(ref)).state is (State.REJECTED if infected else State.PROCESSING)
    assert stage.objects(QUARANTINE) == {}


async def test_v3_scans_that_only_wait_count_too(stage: Stage) -> None:
    stage = stage.rebuilt(replace(LIMITS, backlog_workspace=BACKLOG))
    for _ in range(BACKLOG):
        await stage.upload(jpeg())
    stage.sql("UPDATE ingest.media SET due_at = now() - interval '20 seconds'")
    await stage.upload(jpeg())
    stage.sql("UPDATE ingest.media SET due_at = now() - interval '31 seconds'")
    for attempt in (lambda: stage.upload(jpeg()), lambda: begin(stage, b"of one byte or more")):
        with pytest.raises(MediaError) as caught:
            await attempt()
        assert caught.value.code is Code.SCANNER_UNAVAILABLE


async def test_c10_bytes_at_the_pace_of_clients_never_keep_the_scanner(stage: Stage) -> None:
    asked: list[Sealed] = []

    class Counting:
        async def scan(self, sealed: Sealed, content_type: str) -> Verdict:
            asked.append(sealed)
            return await inner.scan(sealed, content_type)

    inner = stage.world.scanner
    stage = stage.rebuilt(scanner=Counting())
    data = video(MIB)
    refs = [await begin(stage, data) for _ in range(12)]
    writing = [(await stalled(stage, ref, data, 0, len(data) - 1))[0] for ref in refs]
    honest = await stage.promoted(jpeg())
    assert (await stage.media(honest)).state is State.PROCESSING
    assert [sealed.key for sealed in asked] == [(await stage.media(honest)).quarantine_key]
    for task in writing:
        task.cancel()
    await asyncio.wait(writing)
    for ref in refs:
        assert (await stage.ingest.resuming.append(ref, Piece(), body(b""))).offset == len(data) - 1
        await stage.ingest.resuming.delete(ref)
    assert stage.objects(QUARANTINE) == {}
    assert stage.multipart_uploads() == 0
