"""Taking bytes in: what is refused, how early, and that a refusal leaves nothing."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest

from services.common.errors import Code, MediaError
from services.ingest.app.frames import End, Frame, Start
from services.ingest.app.intake import PART_BYTES
from services.ingest.domain.formats import Kind
from services.ingest.domain.media import Media, State
from services.ingest.ports import Announcement, Backlog
from tests.unit.ingest.fakes import sha256
from tests.unit.ingest.world import CALLER, JPEG_HEAD, MP4_HEAD, World, frames, in_chunks


@pytest.fixture
def world() -> World:
    return World()


def nothing_left(world: World) -> bool:
    return not (world.table.entries or world.quarantine.objects or world.quarantine.uploads or world.table.announced)


async def refusal(world: World, stream: AsyncIterator[Frame]) -> MediaError:
    with pytest.raises(MediaError) as caught:
        await world.uploading.upload(CALLER, stream)
    return caught.value


async def test_a_small_file_becomes_one_object_and_one_event(world: World) -> None:
    media = await world.upload(*in_chunks(JPEG_HEAD, 100), end=End(Kind.IMAGE, "a receipt"), filename="x/photo.jpg")
    assert (media.state, media.size_bytes, media.sha256) == (State.SCANNING, len(JPEG_HEAD), sha256(JPEG_HEAD))
    assert (media.filename, media.alt_text, media.content_type) == ("photo.jpg", "a receipt", "image/jpeg")
    assert world.quarantine.objects == {media.quarantine_key: JPEG_HEAD}
    assert world.told() == [Announcement.SEALED]
    assert (media.expires_at - media.created_at).days == 90


async def test_a_large_file_goes_up_in_equal_parts_two_at_a_time(world: World) -> None:
    world.opinion = "video/mp4"
    data = MP4_HEAD + bytes(3 * PART_BYTES)
    media = await world.upload(*in_chunks(data))
    assert world.quarantine.objects[media.quarantine_key] == data
    assert (media.size_bytes, media.sha256) == (len(data), sha256(data))
    assert world.quarantine.most_parts_under_way <= 2
    assert world.quarantine.uploads == {}


@pytest.mark.parametrize("extra", [-1, 0, 1])
async def test_sizes_around_one_part(world: World, extra: int) -> None:
    world.opinion = "video/mp4"
    data = MP4_HEAD + bytes(PART_BYTES - len(MP4_HEAD) + extra)
    media = await world.upload(*in_chunks(data, 777_777))
    assert world.quarantine.objects[media.quarantine_key] == data


async def test_no_key_ever_holds_what_a_client_wrote(world: World) -> None:
    media = await world.upload(JPEG_HEAD, filename="../../cdn/evil\r\n.jpg")
    assert media.filename == "evil.jpg"
    assert "evil" not in media.quarantine_key + media.active_key


@pytest.mark.parametrize(
    ("stream", "code"),
    [
        (lambda: frames(), Code.MEDIA_MISSING_FILE),
        (lambda: frames(End(None, None)), Code.MEDIA_MISSING_FILE),
        (lambda: frames(Start("a"), End(None, None)), Code.MEDIA_EMPTY),
        (lambda: frames(Start("a"), b"", b"", End(None, None)), Code.MEDIA_EMPTY),
        (lambda: frames(b"abc"), Code.INVALID_REQUEST),
        (lambda: frames(Start("a"), Start("b")), Code.INVALID_REQUEST),
        (lambda: frames(Start("a"), JPEG_HEAD, End(None, None), b"more"), Code.INVALID_REQUEST),
        (lambda: frames(Start("a"), JPEG_HEAD, End(None, "x" * 2001)), Code.INVALID_REQUEST),
        (lambda: frames(Start("a"), JPEG_HEAD), Code.MULTIPART_MALFORMED),
        (lambda: frames(Start("a")), Code.MULTIPART_MALFORMED),
        (lambda: frames(Start("a"), b"MZ\x90", End(None, None)), Code.MEDIA_TYPE_UNSUPPORTED),
        (lambda: frames(Start("a"), JPEG_HEAD, End(Kind.VIDEO, None)), Code.MEDIA_TYPE_MISMATCH),
        (lambda: frames(Start("a"), MP4_HEAD, End(Kind.VIDEO, None)), Code.MEDIA_TYPE_UNSUPPORTED),  # libmagic: jpeg
    ],
)
async def test_what_is_refused_leaves_nothing(
    world: World, stream: Callable[[], AsyncIterator[Frame]], code: Code
) -> None:
    assert (await refusal(world, stream())).code is code
    assert nothing_left(world)


async def test_an_unknown_type_is_refused_at_its_first_bytes(world: World) -> None:
    taken = []

    async def endless() -> AsyncIterator[Frame]:
        yield Start("a.jpg")
        while True:
            taken.append(1)
            yield b"PK\x03\x04" * 1024

    assert (await refusal(world, endless())).code is Code.MEDIA_TYPE_UNSUPPORTED
    assert len(taken) == 1


@pytest.mark.parametrize(
    ("head", "opinion", "limit", "use"),
    [
        (JPEG_HEAD, "image/jpeg", 8_000_000, None),
        (b"GIF89a" + bytes(5000), "image/gif", 50_000_000, None),
        (MP4_HEAD, "video/mp4", 100_000_000, "resumable"),
    ],
)
async def test_each_kind_is_cut_at_its_own_limit(
    world: World, head: bytes, opinion: str, limit: int, use: str | None
) -> None:
    world.opinion = opinion
    sent = 0

    async def endless() -> AsyncIterator[Frame]:
        nonlocal sent
        yield Start("a")
        yield head
        sent = len(head)
        chunk = bytes(1 << 20)
        while True:
            sent += len(chunk)
            yield chunk

    error = await refusal(world, endless())
    assert error.code is Code.MEDIA_TOO_LARGE
    assert (error.details["limit"], error.details.get("use")) == (limit, use)
    assert sent <= limit + (1 << 20)
    assert nothing_left(world)


async def test_exactly_the_limit_is_taken(world: World) -> None:
    media = await world.upload(*in_chunks(JPEG_HEAD + bytes(8_000_000 - len(JPEG_HEAD))))
    assert media.size_bytes == 8_000_000


@pytest.mark.parametrize("method", ["start_multipart", "put_part", "complete", "head"])
async def test_a_store_that_fails_leaves_nothing_but_what_it_cannot_delete(world: World, method: str) -> None:
    world.opinion = "video/mp4"
    world.quarantine.fail = {method}
    stream = frames(Start("a"), *in_chunks(MP4_HEAD + bytes(2 * PART_BYTES)), End(None, None))
    assert (await refusal(world, stream)).code is Code.UNAVAILABLE
    assert nothing_left(world)


async def test_what_cannot_be_undone_now_is_undone_by_the_sweeper(world: World) -> None:
    world.quarantine.fail = {"head", "delete"}
    await refusal(world, frames(Start("a"), JPEG_HEAD, End(None, None)))
    assert world.table.only().media.state is State.RECEIVING
    world.quarantine.fail = set()
    await world.sweeping.uploads()
    assert world.table.entries, "the lease still holds"
    world.clock.advance(200)
    await world.sweeping.uploads()
    assert nothing_left(world)


@pytest.mark.parametrize("after_chunks", [0, 1, 9, 20])
async def test_a_client_that_goes_away_leaves_nothing(world: World, after_chunks: int) -> None:
    world.opinion = "video/mp4"
    arrived = asyncio.Event()

    async def stalling() -> AsyncIterator[Frame]:
        yield Start("a")
        for chunk in in_chunks(MP4_HEAD + bytes(20 << 20))[:after_chunks]:
            yield chunk
        arrived.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(world.uploading.upload(CALLER, stalling()))
    await arrived.wait()
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert nothing_left(world)


async def test_a_writer_that_was_given_up_cannot_seal(world: World) -> None:
    async def slow() -> AsyncIterator[Frame]:
        yield Start("a")
        yield JPEG_HEAD
        yield JPEG_HEAD
        world.clock.advance(200)
        await world.sweeping.uploads()
        yield End(None, None)

    assert (await refusal(world, slow())).code is Code.UNAVAILABLE
    assert nothing_left(world)


async def test_a_slow_writer_that_still_writes_is_not_given_up(world: World) -> None:
    async def slow() -> AsyncIterator[Frame]:
        yield Start("a")
        yield JPEG_HEAD
        for _ in range(10):
            world.clock.advance(45)
            await world.sweeping.uploads()
            yield b"more"
        yield End(None, None)

    assert (await world.uploading.upload(CALLER, slow())).state is State.SCANNING


@pytest.mark.parametrize("owed", [Backlog(3, 3), Backlog(0, 5)])
async def test_too_many_owed_verdicts_close_the_door(world: World, owed: Backlog) -> None:
    world.table.owed = owed
    error = await refusal(world, frames(Start("a"), JPEG_HEAD, End(None, None)))
    assert (error.code, error.details["retry_after_s"]) == (Code.SCANNER_UNAVAILABLE, 15)
    assert nothing_left(world)


@pytest.mark.parametrize(("size_bytes", "most"), [(4_096, 4), (2 << 20, 2)], ids=["slow", "heavy"])
async def test_too_many_uploads_at_once_are_refused_not_queued(world: World, size_bytes: int, most: int) -> None:
    async def waiting() -> AsyncIterator[Frame]:
        yield Start("a")
        yield JPEG_HEAD
        yield bytes(size_bytes)
        await asyncio.Event().wait()

    tasks = []
    for _ in range(most):
        tasks.append(asyncio.create_task(world.uploading.upload(CALLER, waiting())))
        await asyncio.sleep(0.01)
        assert not any(task.done() for task in tasks)
    assert (await refusal(world, frames(Start("a"), JPEG_HEAD, End(None, None)))).code is Code.UPSTREAM_BUSY
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    assert (await world.upload(JPEG_HEAD)).state is State.SCANNING


async def test_a_repeated_request_stores_its_file_once_whoever_heard_the_first_answer(world: World) -> None:
    caller = replace(CALLER, idempotency_key="key-1")

    async def upload(data: bytes) -> Media:
        return await world.uploading.upload(caller, frames(Start("photo.jpg"), data, End(None, None)))

    first = await upload(JPEG_HEAD)
    again = await upload(JPEG_HEAD)
    assert again.media_id == first.media_id
    assert list(world.quarantine.objects) == [first.quarantine_key]
    assert world.told() == [Announcement.SEALED]
    other = await upload(JPEG_HEAD + b"x")
    assert other.media_id != first.media_id
    world.clock.advance(25 * 3600)
    assert (await upload(JPEG_HEAD)).media_id not in (first.media_id, other.media_id)
