"""What a workspace may hold, by the numbers."""

from dataclasses import replace

import pytest

from services.common.errors import Code, MediaError
from services.common.plans import Plans
from services.ingest.app.resuming import Wanted
from services.ingest.domain.quotas import Held, Quota, check
from tests.unit.ingest.world import CALLER, JPEG_HEAD, LIMITS, QUOTA, World

SMALL = Quota(media=3, bytes=100, uploads=2)


@pytest.mark.parametrize(
    ("held", "added", "quota", "used"),
    [
        (Held(media=4, bytes=5, uploads=1), Held(media=1, bytes=1, uploads=1), "media", 3),
        (Held(media=3, bytes=101, uploads=1), Held(bytes=60), "bytes", 41),
        (Held(media=3, bytes=100, uploads=3), Held(media=1, uploads=1), "uploads", 2),
    ],
)
def test_the_refusal_names_the_quota_its_limit_and_what_was_used(
    held: Held, added: Held, quota: str, used: int
) -> None:
    with pytest.raises(MediaError) as caught:
        check(SMALL, held, added)
    details = caught.value.details
    assert caught.value.code is Code.QUOTA_EXCEEDED
    assert (details["quota"], details["limit"], details["used"]) == (quota, getattr(SMALL, quota), used)
    assert details["retry_after_s"]


def test_up_to_the_limit_all_is_well() -> None:
    check(SMALL, Held(media=3, bytes=100, uploads=2), Held(media=1, bytes=50, uploads=1))


def limited(**quota: int) -> World:
    """Ingest that lets a workspace hold no more than that."""
    return World(replace(LIMITS, quotas=Plans({"pro": replace(QUOTA, **quota)})))


async def test_a_file_that_does_not_fit_is_refused_whole_and_leaves_nothing() -> None:
    world = limited(bytes=2 * len(JPEG_HEAD) - 1)
    await world.upload(JPEG_HEAD)
    with pytest.raises(MediaError) as caught:
        await world.upload(JPEG_HEAD)
    assert (caught.value.details["quota"], caught.value.details["used"]) == ("bytes", len(JPEG_HEAD))
    assert len(world.table.entries) == 1
    assert len(world.quarantine.objects) == 1


async def test_without_room_for_a_byte_no_byte_is_stored() -> None:
    world = limited(bytes=len(JPEG_HEAD))
    await world.upload(JPEG_HEAD)
    with pytest.raises(MediaError) as caught:
        await world.upload(JPEG_HEAD)
    assert caught.value.details["quota"] == "bytes"


async def test_an_upload_in_pieces_counts_as_declared_from_its_beginning() -> None:
    world = limited(bytes=1_000)
    first = await world.resuming.create(CALLER, Wanted(filename="a", size_bytes=600))
    with pytest.raises(MediaError) as caught:
        await world.resuming.create(CALLER, Wanted(filename="b", size_bytes=401))
    assert (caught.value.details["quota"], caught.value.details["used"]) == ("bytes", 600)
    assert list(world.uploads.rows.values()) == [first]
