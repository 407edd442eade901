"""Uploads in pieces on fakes: their rules one by one, and any course of them against a model."""

import asyncio
import hashlib
import random
from collections.abc import AsyncIterator, Awaitable, Coroutine
from functools import partial
from typing import Any, TypeVar

import pytest

from services.common.errors import Code, MediaError
from services.ingest.app import admitting, piecing
from services.ingest.app.resuming import Resuming, Wanted
from services.ingest.app.stretching import Whole
from services.ingest.domain.upload import Digest, Part, Phase, Piece, Upload
from services.ingest.ports import Announcement, UploadRef
from tests.unit.ingest import courses
from tests.unit.ingest.courses import Fault, Through
from tests.unit.ingest.world import CALLER, JPEG_HEAD, MP4_HEAD, World

T = TypeVar("T")

SIZE = 30_000
PART, LEAST = 8_000, 5_000


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same arithmetic, with less to do."""
    monkeypatch.setattr(piecing, "PART_BYTES", PART)
    monkeypatch.setattr(piecing, "LEAST_PART_BYTES", LEAST)


@pytest.fixture
def world() -> World:
    """Empty; libmagic sees videos."""
    found = World()
    found.opinion = "video/mp4"
    return found


def film(size: int = SIZE) -> bytes:
    return (MP4_HEAD[:32] + random.Random(1).randbytes(size))[:size]  # noqa: S311


body = partial(courses.body, chunk_bytes=1000)


async def begin(world: World, size: int = SIZE, **wanted: Any) -> UploadRef:
    upload = await world.resuming.create(CALLER, Wanted(filename="clip.mp4", size_bytes=size, **wanted))
    return UploadRef(upload.workspace_id, upload.upload_id)


async def code_of(attempt: Awaitable[object]) -> Code:
    with pytest.raises(MediaError) as caught:
        await attempt
    return caught.value.code


async def test_the_sealed_item_is_told_once_and_is_the_file(world: World) -> None:
    data = film()
    ref = await begin(world, kind=None, alt_text="waves")
    await world.resuming.append(ref, Piece(offset=0), body(data[:12_345]))
    upload = await world.resuming.append(ref, Piece(offset=12_345, size_bytes=SIZE), body(data[12_345:]))
    assert (upload.phase, upload.offset) == (Phase.COMPLETE, SIZE)
    media = world.table.only().media
    assert (media.media_id, media.alt_text, media.filename) == (upload.media_id, "waves", "clip.mp4")
    assert world.quarantine.objects[media.quarantine_key] == data
    assert world.told() == [Announcement.SEALED]
    assert await code_of(world.resuming.append(ref, Piece(offset=SIZE), body(b""))) is Code.UPLOAD_COMPLETE
    assert (await world.resuming.append(ref, Piece(), body(b""))).media_id == media.media_id


@pytest.mark.parametrize(
    ("declared", "code"),
    [
        ({"size_bytes": 500_000_001}, Code.MEDIA_TOO_LARGE),
        ({"size_bytes": 0}, Code.MEDIA_EMPTY),
        ({"size_bytes": -1}, Code.INVALID_REQUEST),
        ({"size_bytes": 1, "sha256": "x" * 64}, Code.INVALID_REQUEST),
        ({"size_bytes": 1, "sha256": "00"}, Code.INVALID_REQUEST),
    ],
)
async def test_what_no_upload_can_be_is_refused_at_once(world: World, declared: Any, code: Code) -> None:
    assert await code_of(world.resuming.create(CALLER, Wanted(filename="", **declared))) is code
    assert world.uploads.rows == {}


async def test_the_first_bytes_tell_what_is_not_taken(world: World) -> None:
    ref = await begin(world)
    for _ in range(2):  # the second time without looking at a byte
        attempt = world.resuming.append(ref, Piece(offset=0), body(b"<svg>" + bytes(20_000)))
        assert await code_of(attempt) is Code.MEDIA_TYPE_UNSUPPORTED
    assert (world.quarantine.objects, world.quarantine.uploads) == ({}, {})


async def test_a_short_start_is_kept_until_it_tells_the_type(world: World) -> None:
    data = film()
    ref = await begin(world)
    assert (await world.resuming.append(ref, Piece(offset=0), body(data[:100]))).content_type == ""
    assert (await world.resuming.append(ref, Piece(offset=100), body(data[100:5000]))).content_type == "video/mp4"


async def test_the_type_found_decides_what_is_too_large(world: World) -> None:
    world.opinion = "image/jpeg"
    ref = await begin(world, size=8_000_001)
    assert await code_of(world.resuming.append(ref, Piece(offset=0), body(JPEG_HEAD))) is Code.MEDIA_TOO_LARGE


@pytest.mark.parametrize(
    ("piece", "code"),
    [
        (Piece(offset=1), Code.UPLOAD_OFFSET_CONFLICT),
        (Piece(offset=0, size_bytes=SIZE + 1), Code.LENGTH_MISMATCH),
        (Piece(offset=0, length_bytes=SIZE + 1), Code.MEDIA_TOO_LARGE),
    ],
)
async def test_a_piece_that_cannot_fit_is_refused_before_its_first_byte(world: World, piece: Piece, code: Code) -> None:
    async def unread() -> AsyncIterator[bytes | Whole]:
        raise AssertionError("read")
        yield b""

    ref = await begin(world)
    assert await code_of(world.resuming.append(ref, piece, unread())) is code


async def test_bytes_past_the_end_are_not_taken(world: World) -> None:
    ref = await begin(world)
    attempt = world.resuming.append(ref, Piece(offset=0), body(film(SIZE + 500)))
    assert await code_of(attempt) is Code.MEDIA_TOO_LARGE
    assert (await world.resuming.get(ref)).phase is Phase.RECEIVING


@pytest.mark.parametrize("size", [3000, 20_000, SIZE])
async def test_a_piece_with_a_wrong_checksum_leaves_no_trace(world: World, size: int) -> None:
    data = film()
    ref = await begin(world)
    await world.resuming.append(ref, Piece(offset=0), body(data[:2000]))
    wrong = Piece(offset=2000, digest=Digest(algorithm="sha1", value=bytes(20)))
    assert await code_of(world.resuming.append(ref, wrong, body(data[2000:size]))) is Code.CHECKSUM_MISMATCH
    assert (await world.resuming.get(ref)).offset == 2000
    right = Digest(algorithm="sha256", value=hashlib.sha256(data[2000:]).digest())
    upload = await world.resuming.append(ref, Piece(offset=2000, digest=right), body(data[2000:]))
    assert world.table.only().media.sha256 == hashlib.sha256(data).hexdigest()
    assert upload.phase is Phase.COMPLETE


async def test_a_cut_piece_with_a_checksum_counts_for_nothing(world: World) -> None:
    ref = await begin(world)
    piece = Piece(offset=0, digest=Digest(algorithm="sha1", value=bytes(20)))
    assert (await world.resuming.append(ref, piece, body(film()[:20_000], whole=False))).offset == 0


async def test_a_store_that_is_away_loses_nothing_told(world: World) -> None:
    data = film()
    ref = await begin(world)
    await world.resuming.append(ref, Piece(offset=0), body(data[:9_000]))
    world.quarantine.fail = {"put", "put_part"}
    assert await code_of(world.resuming.append(ref, Piece(offset=9_000), body(data[9_000:]))) is Code.UNAVAILABLE
    world.quarantine.fail = set()
    assert (await world.resuming.get(ref)).offset == 9_000
    upload = await world.resuming.append(ref, Piece(offset=9_000), body(data[9_000:]))
    assert upload.phase is Phase.COMPLETE


async def test_a_seal_that_failed_is_made_by_the_sweeper(world: World) -> None:
    ref = await begin(world)
    world.quarantine.fail = {"complete"}
    assert await code_of(world.resuming.append(ref, Piece(offset=0), body(film()))) is Code.UNAVAILABLE
    world.quarantine.fail = set()
    await world.upload_sweeping.unsealed()
    assert (await world.resuming.get(ref)).phase is Phase.COMPLETE


async def test_who_is_cut_off_while_its_last_part_is_under_way_keeps_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    under_way, through, put_part = asyncio.Event(), asyncio.Event(), world.quarantine.put_part

    async def slow(*part: Any) -> str:
        under_way.set()
        await through.wait()
        return await put_part(*part)

    monkeypatch.setattr(world.quarantine, "put_part", slow)
    ref = await begin(world)
    writing = asyncio.create_task(world.resuming.append(ref, Piece(offset=0), body(film()[: PART + 1_000])))
    await under_way.wait()
    for _ in range(100):  # until nothing is left to do but to wait for the part
        await asyncio.sleep(0)
    writing.cancel()
    for _ in range(100):
        await asyncio.sleep(0)
    through.set()
    await asyncio.wait({writing})
    assert writing.cancelled()
    upload = await world.resuming.get(ref)
    assert (upload.offset, upload.held(world.clock())) == (PART + 1_000, False)


async def test_no_more_are_taken_in_at_once_than_there_are_places(world: World) -> None:
    ref = await begin(world)
    with world.door.place() as one, world.door.place() as other:
        await one.holds(2 << 20)
        await other.holds(2 << 20)
        assert await code_of(world.resuming.append(ref, Piece(offset=0), body(film()))) is Code.UPSTREAM_BUSY
    assert not (await world.resuming.get(ref)).held(world.clock())


async def test_an_upload_that_finds_no_place_keeps_what_came(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admitting, "PLACE_WAIT_S", 0.01)
    monkeypatch.setattr(admitting, "LIGHT_BYTES", 4_000)
    data = film()
    ref = await begin(world)

    async def arriving() -> AsyncIterator[bytes | Whole]:
        yield data[:1_000]
        await one.holds(5_000)
        await other.holds(5_000)
        yield data[1_000:6_000]
        yield data[6_000:]

    with world.door.place() as one, world.door.place() as other:
        assert await code_of(world.resuming.append(ref, Piece(offset=0), arriving())) is Code.UPSTREAM_BUSY
    upload = await world.resuming.get(ref)
    assert (upload.offset, upload.held(world.clock())) == (6_000, False)


async def test_a_place_is_given_back_once_the_memory_is(world: World) -> None:
    with world.door.place() as one, world.door.place() as other:
        await one.holds(2 << 20)
        await other.holds(2 << 20)
        await other.holds(1 << 20)
        with world.door.place() as third:
            await third.holds(2 << 20)
    with world.door.place(), world.door.place():
        pass


async def test_an_upload_ends_after_a_day(world: World) -> None:
    ref = await begin(world)
    await world.resuming.append(ref, Piece(offset=0), body(film()[:20_000]))
    world.clock.advance(24 * 3600)
    assert await code_of(world.resuming.get(ref)) is Code.UPLOAD_EXPIRED
    assert await code_of(world.resuming.append(ref, Piece(), body(b""))) is Code.UPLOAD_EXPIRED
    await world.upload_sweeping.ended()
    assert (world.quarantine.objects, world.quarantine.uploads) == ({}, {})


async def stretch(world: World, data: bytes) -> str:
    ref = await begin(world, size=len(data), partial=True)
    half = len(data) // 2
    await world.resuming.append(ref, Piece(offset=0), body(data[:half]))
    upload = await world.resuming.append(ref, Piece(offset=half), body(data[half:]))
    assert (upload.phase, upload.whole) == (Phase.RECEIVING, True)
    return upload.upload_id


async def test_partial_uploads_are_put_together_however_often_it_is_asked(world: World) -> None:
    data = film()
    ids = [await stretch(world, part) for part in (data[:17_000], data[17_000:17_010], data[17_010:])]
    wanted = Wanted(filename="clip.mp4", size_bytes=0, alt_text="waves")
    uploads = [await world.resuming.concat(CALLER, ids, wanted) for _ in range(2)]
    assert [upload.phase for upload in uploads] == [Phase.COMPLETE, Phase.COMPLETE]
    for entry in world.table.entries.values():
        assert world.quarantine.objects[entry.media.quarantine_key] == data
        assert entry.media.alt_text == "waves"
    world.clock.advance(24 * 3600)
    await world.upload_sweeping.ended()
    assert set(world.quarantine.objects) == {entry.media.quarantine_key for entry in world.table.entries.values()}


async def test_only_partial_uploads_that_are_there_are_put_together(world: World) -> None:
    whole_file, started = await begin(world), await begin(world, partial=True)
    for ref in (whole_file, started):
        attempt = world.resuming.concat(CALLER, [ref.upload_id], Wanted(filename="", size_bytes=0))
        assert await code_of(attempt) is Code.INVALID_REQUEST
    attempt = world.resuming.concat(CALLER, ["upl_x"], Wanted(filename="", size_bytes=0))
    assert await code_of(attempt) is Code.UPLOAD_NOT_FOUND


class OnFakes:
    """courses.Place in memory."""

    data = film()
    least_part = LEAST
    chunk_bytes = 1000

    def __init__(self) -> None:
        self._world = World()
        self._world.opinion = "video/mp4"

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run(work)

    async def begin(self, sha256: str) -> UploadRef:
        return await begin(self._world, sha256=sha256)

    def resuming(self, fault: Fault) -> Resuming:
        uploads: Any = Through(self._world.uploads, fault)
        store: Any = Through(self._world.quarantine, fault)
        return self._world.resuming_over(uploads, store)

    async def find(self, ref: UploadRef) -> Upload:
        return self._world.uploads.rows[ref]

    async def time_passes(self) -> None:
        self._world.clock.advance(20)

    async def sweep(self) -> None:
        await self._world.upload_sweeping.unsealed()
        await self._world.upload_sweeping.ended()

    async def holds(self, upload: Upload, part: Part, data: bytes) -> bool:
        return self._world.quarantine.uploads[upload.multipart_id][part.number] == data

    async def tail(self, upload: Upload) -> bytes:
        return self._world.quarantine.objects[upload.tail_key]

    async def assert_sealed(self, upload: Upload, data: bytes) -> None:
        media = self._world.table.only().media
        assert self._world.quarantine.objects[media.quarantine_key] == data
        assert self._world.told() == [Announcement.SEALED]
        assert self._world.quarantine.uploads == {}


def test_any_course_of_an_upload_ends_in_the_file() -> None:
    courses.run(OnFakes, examples=40, steps=12)
