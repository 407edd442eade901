"""Posts as TikTok's API takes them, and how videos are cut."""

from dataclasses import replace

import pytest

from services.platforms.ports import JSON
from services.platforms.tiktok import forms
from services.platforms.tiktok.api import Status
from services.platforms.tiktok.uploads import is_sent
from tests.unit.platforms.drafts import asset, draft


@pytest.mark.parametrize(
    ("size", "chunk", "count", "last"),
    [
        (1, 1, 1, 0),
        (4_999_999, 4_999_999, 1, 0),
        (10_000_000, 10_000_000, 1, 0),
        (19_999_999, 19_999_999, 1, 0),
        (20_000_000, 10_000_000, 2, 10_000_000),
        (50_000_123, 10_000_000, 5, 40_000_000),
        (500_000_000, 10_000_000, 50, 490_000_000),
    ],
)
def test_chunks_are_what_tiktok_takes(size: int, chunk: int, count: int, last: int) -> None:
    source = forms.video(replace(draft("x"), assets=(replace(asset("video/mp4"), size_bytes=size),)))["source_info"]
    assert source == {
        "source": "FILE_UPLOAD", "video_size": size, "chunk_size": chunk, "total_chunk_count": count,
    }  # fmt: skip
    assert (forms.last_chunk(size), size // chunk) == (last, count)
    assert size - last <= 64_000_000


def test_photos_say_only_what_the_post_says() -> None:
    wanted = replace(draft(""), assets=(replace(asset(), url="https://cdn.example.com/a.jpg"),))
    assert forms.photos(wanted) == {
        "media_type": "PHOTO",
        "post_mode": "DIRECT_POST",
        "post_info": {"privacy_level": "PUBLIC_TO_EVERYONE"},
        "source_info": {
            "source": "PULL_FROM_URL", "photo_cover_index": 0, "photo_images": ["https://cdn.example.com/a.jpg"],
        },
    }  # fmt: skip


def test_what_was_asked_for_goes_by_tiktoks_names() -> None:
    options: dict[str, JSON] = {"privacy": "followers", "disableComments": False, "thumbOffset": 7, "madeWithAi": True}
    wanted = replace(draft("caption", options=options), assets=(replace(asset("video/mp4"), size_bytes=9),))
    assert forms.video(wanted)["post_info"] == {
        "title": "caption", "privacy_level": "FOLLOWER_OF_CREATOR", "disable_comment": False,
        "video_cover_timestamp_ms": 7, "is_aigc": True,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("word", "uploaded", "sent"),
    [
        ("PROCESSING_UPLOAD", 0, False),
        ("PROCESSING_UPLOAD", 99, False),
        ("PROCESSING_UPLOAD", 100, True),
        ("PUBLISH_COMPLETE", 0, True),
        ("SOMETHING_NEW", 0, True),
        ("FAILED", 100, False),
    ],
)
def test_what_needs_another_request(word: str, uploaded: int, sent: bool) -> None:
    assert is_sent(Status(word, "", uploaded, ""), 100) is sent
