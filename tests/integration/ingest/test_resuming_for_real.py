"""Uploads in pieces on the real database and object store: whatever dies in between, no acknowledged byte is lost."""

import asyncio
import hashlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Literal

import pytest

from deploy.local.s3 import QUARANTINE
from services.common.context import use
from services.common.errors import Code, MediaError
from services.ingest.adapters.postgres.media import PostgresMedia
from services.ingest.adapters.postgres.uploads import PostgresUploads
from services.ingest.app.admitting import Door
from services.ingest.app.resuming import Resuming, Wanted
from services.ingest.app.sealing import Sealing
from services.ingest.app.stretching import Whole
from services.ingest.domain.media import State
from services.ingest.domain.upload import Phase, Piece, Upload
from services.ingest.ports import Ref, UploadRef
from tests.integration.ingest.conftest import CALLER, LIMITS, Stage, error_of
from tests.unit.ingest.courses import Fault, Killed, Through, body
from tests.unit.scanner.structure.boxes import box, mvhd, plain_tables, trak

MIB = 1 << 20
HEAD = b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isomiso2"


def video(size: int, seed: int = 1) -> bytes:
    """An MP4 whose media are random, so that a part in the wrong place is noticed."""
    index = box(b"moov", mvhd(), trak(*plain_tables()))
    media = random.Random(seed).randbytes(size - len(HEAD) - 8 - len(index))  # noqa: S311
    return HEAD + box(b"mdat", media) + index


def mortal(stage: Stage, fault: Fault) -> Resuming:
    """The use cases as another process has them, over ports that pass the fault."""
    world = stage.world
    table: Any = Through(PostgresUploads(world.database), fault)
    store: Any = Through(world.quarantine, fault)
    named: dict[str, Any] = {"now": world.now, "new_id": world.new_id}
    door, sealing = Door(PostgresMedia(world.database), LIMITS), Sealing(table, store, **named)
    return Resuming(table, store, world.opinion, world.wakeups, sealing, door, **named)


async def begin(stage: Stage, data: bytes, **wanted: Any) -> UploadRef:
    with use(CALLER):
        asked = Wanted(filename="clip.mp4", size_bytes=len(data), **wanted)
        upload = await stage.ingest.resuming.create(CALLER, asked)
    return UploadRef(upload.workspace_id, upload.upload_id)


async def send(resuming: Resuming, ref: UploadRef, data: bytes, first: int, last: int, **piece: Any) -> Upload:
    with use(CALLER):
        return await resuming.append(ref, Piece(offset=first, **piece), body(data[first:last]))


async def ask(stage: Stage, ref: UploadRef) -> Upload:
    with use(CALLER):
        return await stage.ingest.resuming.append(ref, Piece(), body(b""))


def leases_run_out(stage: Stage) -> None:
    stage.sql("UPDATE ingest.uploads SET lease_until = now() - interval '1 second' WHERE lease_until IS NOT NULL")


def late(stage: Stage) -> None:
    stage.sql("UPDATE ingest.uploads SET due_at = now() - interval '1 second'")
    leases_run_out(stage)


async def assert_stored(stage: Stage, upload: Upload, data: bytes) -> None:
    """It has become one item, of exactly those bytes, and leaves nothing else once that is judged."""
    assert upload.phase is Phase.COMPLETE
    ref = Ref(upload.workspace_id, upload.media_id)
    media = await stage.media(ref)
    assert (media.state, media.size_bytes, media.sha256) == (
        State.SCANNING,
        len(data),
        hashlib.sha256(data).hexdigest(),
    )
    assert stage.multipart_uploads() == 0
    await stage.ingest.judging.judge(ref)
    assert (await stage.media(ref)).state is State.PROCESSING
    assert stage.objects(QUARANTINE) == {}
    source = await stage.ingest.reading.source(ref, None, None)
    assert b"".join([chunk async for chunk in source.chunks]) == data
    assert len([event for event in stage.told(ref) if event.WhichOneof("payload") == "media_sealed"]) == 1


@pytest.mark.parametrize(
    "cuts",
    [
        pytest.param([20], id="at once"),
        pytest.param([3, 9, 12, 20], id="tails and parts"),
        pytest.param([8, 16, 20], id="exactly parts"),
        pytest.param([1, 2, 3, 4, 5, 6, 7, 8, 9, 20], id="many small ones"),
    ],
)
async def test_pieces_become_the_file(stage: Stage, cuts: list[int]) -> None:
    data = video(20 * MIB)
    ref = await begin(stage, data, sha256=hashlib.sha256(data).hexdigest())
    first = 0
    for cut in cuts:
        upload = await send(stage.ingest.resuming, ref, data, first, cut * MIB)
        assert upload.offset == cut * MIB
        first = cut * MIB
    await assert_stored(stage, upload, data)


@pytest.mark.parametrize("size", [2000, MIB, 5 * MIB - 1, 5 * MIB, 8 * MIB, 8 * MIB + 1, 13 * MIB - 7])
async def test_files_of_any_size(stage: Stage, size: int) -> None:
    data = video(size)
    ref = await begin(stage, data)
    await send(stage.ingest.resuming, ref, data, 0, size - 1)
    await assert_stored(stage, await send(stage.ingest.resuming, ref, data, size - 1, size), data)


async def test_an_open_upload_ends_with_an_empty_piece(stage: Stage) -> None:
    data = video(6 * MIB)
    ref = await begin(stage, data)
    upload = await send(stage.ingest.resuming, ref, data, 0, len(data), open=True)
    assert (upload.phase, upload.offset) == (Phase.RECEIVING, len(data))
    await assert_stored(stage, await send(stage.ingest.resuming, ref, data, len(data), len(data)), data)


async def test_a_cut_off_body_keeps_what_arrived(stage: Stage) -> None:
    data = video(12 * MIB)
    ref = await begin(stage, data)
    upload = await stage.ingest.resuming.append(ref, Piece(offset=0), body(data[: 3 * MIB + 5], whole=False))
    assert upload.offset == 3 * MIB + 5
    await assert_stored(stage, await send(stage.ingest.resuming, ref, data, upload.offset, len(data)), data)


async def test_a_cancelled_request_keeps_what_arrived(stage: Stage) -> None:
    data = video(12 * MIB)
    ref = await begin(stage, data)
    work, _ = await stalled(stage, ref, data, 0, 10 * MIB)
    work.cancel()
    await asyncio.wait({work})
    upload = await ask(stage, ref)
    assert upload.offset == 10 * MIB
    await assert_stored(stage, await send(stage.ingest.resuming, ref, data, upload.offset, len(data)), data)


async def stalled(
    stage: Stage, ref: UploadRef, data: bytes, first: int, last: int
) -> "tuple[asyncio.Task[Upload], asyncio.Event]":
    """A request whose bytes have all been taken, and whose client then sends nothing until the event is set."""
    taken, goes_on = asyncio.Event(), asyncio.Event()

    async def slow() -> AsyncIterator[bytes | Whole]:
        async for chunk in body(data[first:last], whole=False):
            yield chunk
        taken.set()
        await goes_on.wait()
        yield Whole()

    work = asyncio.create_task(stage.ingest.resuming.append(ref, Piece(offset=first), slow()))
    async with asyncio.timeout(60):
        await taken.wait()
    return work, goes_on


async def test_who_asks_ends_an_older_writer_and_hears_all_it_stored(stage: Stage) -> None:
    data = video(12 * MIB)
    ref = await begin(stage, data)
    older, _ = await stalled(stage, ref, data, 0, 3 * MIB)
    upload = await ask(stage, ref)
    assert upload.offset == 3 * MIB
    assert (await error_of(older)).code is Code.UPLOAD_LOCKED
    await assert_stored(stage, await send(stage.ingest.resuming, ref, data, 3 * MIB, len(data)), data)


async def test_of_two_writers_at_one_offset_the_newer_wins(stage: Stage) -> None:
    data = video(12 * MIB)
    ref = await begin(stage, data)
    older, _ = await stalled(stage, ref, video(12 * MIB, seed=2), 0, 3 * MIB)
    upload = await send(stage.ingest.resuming, ref, data, 0, len(data))
    assert (await error_of(older)).code is Code.UPLOAD_LOCKED
    await assert_stored(stage, upload, data)


@pytest.mark.timeout(300)
async def test_many_writers_at_once_never_mix_their_bytes(stage: Stage) -> None:
    data = video(20 * MIB)
    ref = await begin(stage, data)

    async def careful(number: int) -> None:
        chance = random.Random(number)  # noqa: S311
        while True:
            try:  # Who asks may be overtaken as well as who sends.
                upload = await ask(stage, ref)
                if upload.phase is Phase.COMPLETE:
                    return
                last = min(len(data), upload.offset + chance.randrange(1, 9 * MIB))
                await send(stage.ingest.resuming, ref, data, upload.offset, last)
            except MediaError as exc:
                assert exc.code in (Code.UPLOAD_LOCKED, Code.UPLOAD_OFFSET_CONFLICT, Code.UPLOAD_COMPLETE)  # noqa: PT017
                await asyncio.sleep(chance.random())

    async with asyncio.timeout(240), asyncio.TaskGroup() as writers:
        for number in range(3):
            writers.create_task(careful(number))
    await assert_stored(stage, await ask(stage, ref), data)


async def test_a_wrong_offset_is_told_the_true_one_and_disturbs_nobody(stage: Stage) -> None:
    data = video(12 * MIB)
    ref = await begin(stage, data)
    await send(stage.ingest.resuming, ref, data, 0, 2 * MIB)
    older, goes_on = await stalled(stage, ref, data, 2 * MIB, 3 * MIB)
    error = await error_of(send(stage.ingest.resuming, ref, data, MIB, 2 * MIB))
    assert (error.code, error.details["offset"]) == (Code.UPLOAD_OFFSET_CONFLICT, 2 * MIB)
    goes_on.set()
    assert (await older).offset == 3 * MIB
    error = await error_of(send(stage.ingest.resuming, ref, data, 4 * MIB, 5 * MIB))
    assert (error.code, error.details["offset"]) == (Code.UPLOAD_OFFSET_CONFLICT, 3 * MIB)


async def test_a_deletion_ends_the_writer_and_leaves_nothing(stage: Stage) -> None:
    data = video(20 * MIB)
    ref = await begin(stage, data)
    older, _ = await stalled(stage, ref, data, 0, 17 * MIB)
    await stage.ingest.resuming.delete(ref)
    assert (await error_of(older)).code is Code.UPLOAD_NOT_FOUND
    assert stage.stored_nothing()
    late(stage)
    await stage.ingest.upload_sweeping.ended()
    assert stage.sql("SELECT in_store FROM ingest.uploads") == [(False,)]


async def test_what_is_past_its_time_goes(stage: Stage) -> None:
    data = video(12 * MIB)
    ref = await begin(stage, data)
    await send(stage.ingest.resuming, ref, data, 0, 11 * MIB)
    stage.sql("UPDATE ingest.uploads SET expires_at = now() - interval '1 second'")
    assert (await error_of(send(stage.ingest.resuming, ref, data, 11 * MIB, 12 * MIB))).code is Code.UPLOAD_EXPIRED
    await stage.ingest.upload_sweeping.ended()
    assert stage.stored_nothing()
    assert (await error_of(stage.ingest.resuming.get(ref))).code is Code.UPLOAD_EXPIRED
    late(stage)
    stage.sql("UPDATE ingest.uploads SET expires_at = now() - interval '8 days'")
    await stage.ingest.upload_sweeping.ended()
    assert (await error_of(stage.ingest.resuming.get(ref))).code is Code.UPLOAD_NOT_FOUND


async def test_another_file_than_the_declared_one_is_refused_for_good(stage: Stage) -> None:
    data = video(9 * MIB)
    ref = await begin(stage, data, sha256="0" * 64)
    for first in (0, len(data)):
        error = await error_of(send(stage.ingest.resuming, ref, data, first, len(data)))
        assert error.code is Code.CHECKSUM_MISMATCH
    assert stage.stored_nothing()
    assert (await stage.ingest.resuming.get(ref)).phase is Phase.REJECTED


async def test_another_workspace_sees_nothing(stage: Stage) -> None:
    data = video(2000)
    ref = await begin(stage, data)
    foreign = UploadRef("ws_OTHER", ref.upload_id)
    for attempt in (
        stage.ingest.resuming.get(foreign),
        stage.ingest.resuming.delete(foreign),
        send(stage.ingest.resuming, foreign, data, 0, 2000),
    ):
        assert (await error_of(attempt)).code is Code.UPLOAD_NOT_FOUND


STEPS = ((0, 2), (2, 9), (9, 10), (10, 11))


async def all_steps(resuming: Resuming, ref: UploadRef, data: bytes) -> int:
    """Sends everything, as far as it gets. Returns what was acknowledged."""
    acknowledged = 0
    for first, last in STEPS:
        try:
            acknowledged = (await send(resuming, ref, data, first * MIB, last * MIB)).offset
        except Killed:
            break
    return acknowledged


@pytest.mark.parametrize("kind", ["killed", "killed_after"])
@pytest.mark.timeout(300)
async def test_killed_at_any_step_it_goes_on(stage: Stage, kind: Literal["killed", "killed_after"]) -> None:
    data = video(11 * MIB)
    fault = Fault("none", 0)
    ref = await begin(stage, data)
    await all_steps(mortal(stage, fault), ref, data)
    await assert_stored(stage, await ask(stage, ref), data)
    assert fault.calls > 20
    for at in range(fault.calls):
        ref = await begin(stage, data)
        acknowledged = await all_steps(mortal(stage, Fault(kind, at)), ref, data)
        leases_run_out(stage)
        upload = await ask(stage, ref)
        assert upload.offset >= acknowledged, f"step {at} lost acknowledged bytes"
        if upload.phase is not Phase.COMPLETE:
            upload = await send(stage.ingest.resuming, ref, data, upload.offset, len(data))
        await assert_stored(stage, upload, data)


class ToldInFull(Fault):
    """The process dies once its row says that all bytes are here, whatever its guard has asked meanwhile."""

    async def pass_through(self, call: Callable[[], Awaitable[Any]]) -> Any:
        if self.calls:
            raise Killed
        result = await call()
        if isinstance(result, Upload) and result.finishing:
            self.calls += 1
            raise Killed
        return result


@pytest.mark.timeout(120)
async def test_acknowledged_in_full_it_is_sealed_whoever_dies(stage: Stage) -> None:
    data = video(2 * MIB)
    ref = await begin(stage, data)
    with pytest.raises(Killed):
        await send(mortal(stage, ToldInFull("killed_after", 0)), ref, data, 0, len(data))
    upload = await stage.ingest.resuming.get(ref)
    assert (upload.offset, upload.finishing) == (len(data), True)
    leases_run_out(stage)
    await stage.ingest.upload_sweeping.unsealed()
    await assert_stored(stage, await stage.ingest.resuming.get(ref), data)


@pytest.mark.timeout(120)
async def test_killed_at_any_step_and_deleted_nothing_stays(stage: Stage) -> None:
    data = video(11 * MIB)
    for at in range(0, 30, 2):
        ref = await begin(stage, data)
        await all_steps(mortal(stage, Fault("killed_after", at)), ref, data)
        if (await stage.ingest.resuming.get(ref)).phase is Phase.COMPLETE:
            break
        await stage.ingest.resuming.delete(ref)
        late(stage)
        await stage.ingest.upload_sweeping.ended()
        assert stage.stored_nothing(), f"step {at} left something"


async def test_part_numbers_are_never_used_twice_and_end(stage: Stage) -> None:
    data = video(18 * MIB)
    ref = await begin(stage, data)
    await send(stage.ingest.resuming, ref, data, 0, 9 * MIB)
    stage.sql("UPDATE ingest.uploads SET next_part = 10000")
    await send(stage.ingest.resuming, ref, data, 9 * MIB, 17 * MIB + 1)
    error = await error_of(send(stage.ingest.resuming, ref, data, 17 * MIB + 1, 18 * MIB))
    assert error.code is Code.UPLOAD_EXPIRED
    upload = await stage.ingest.resuming.get(ref)
    assert ([part.number for part in upload.parts], upload.offset) == ([1, 10000], len(data))
