"""What the sandbox of TikTok refuses, as TikTok and its store would: forms, chunks, their order, other accounts."""

from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from services.platforms.ports import JSON
from tests.contract.platforms.cdn import Cdn
from tests.contract.platforms.playing import Played

PUBLISH = "/v2/post/publish"
INFO: dict[str, JSON] = {"title": "t", "privacy_level": "PUBLIC_TO_EVERYONE"}
SMALL: dict[str, JSON] = {"source": "FILE_UPLOAD", "video_size": 9, "chunk_size": 9, "total_chunk_count": 1}
LARGE: dict[str, JSON] = {
    "source": "FILE_UPLOAD", "video_size": 12_000_003, "chunk_size": 5_000_000, "total_chunk_count": 2,
}  # fmt: skip


def of(name: str) -> dict[str, str]:
    """The headers of an account; each may begin six posts a minute."""
    return {"Authorization": f"Bearer sandbox-{name}"}


async def asked(tiktok: Played, path: str, body: object, name: str) -> httpx.Response:
    """A request to the API."""
    return await tiktok.http.post(f"{tiktok.url}{PUBLISH}/{path}/", json=body, headers=of(name))


async def begun(tiktok: Played, source: Mapping[str, JSON], name: str) -> dict[str, Any]:
    """A video's upload."""
    answer = await asked(tiktok, "video/init", {"post_info": INFO, "source_info": source}, name)
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()["data"]
    return found


async def put(tiktok: Played, url: str, content_range: str, data: bytes, kind: str = "video/mp4") -> int:
    """The status a chunk is answered with."""
    headers = {"Content-Range": content_range, "Content-Type": kind}
    return (await tiktok.http.put(url, content=data, headers=headers)).status_code


def code(answer: httpx.Response) -> tuple[int, str]:
    """How it was refused."""
    return answer.status_code, answer.json()["error"]["code"]


async def test_chunks_come_in_their_order_and_size(tiktok: Played) -> None:
    place = await begun(tiktok, LARGE, "chunks")
    url, size, first, rest = place["upload_url"], 12_000_003, b"a" * 5_000_000, b"b" * 7_000_003
    assert await put(tiktok, url, f"bytes 5000000-{size - 1}/{size}", rest) == 416
    assert await put(tiktok, url, f"bytes 0-4999998/{size}", first[:-1]) == 416
    assert await put(tiktok, url, f"bytes 0-4999999/{size + 1}", first) == 416
    assert await put(tiktok, url, f"bytes 0-4999999/{size}", first[:-1]) == 400
    assert await put(tiktok, url, f"bytes 0-4999999/{size}", first, "application/octet-stream") == 400
    assert await put(tiktok, url, "", first) == 400
    assert await put(tiktok, url.replace("upload_token=", "upload_token=0"), f"bytes 0-4999999/{size}", first) == 403
    assert await put(tiktok, url.replace("upload_id=", "upload_id=0"), f"bytes 0-4999999/{size}", first) == 404
    assert await put(tiktok, url, f"bytes 0-4999999/{size}", first) == 206
    assert await put(tiktok, url, f"bytes 0-4999999/{size}", first) == 416
    told = await asked(tiktok, "status/fetch", {"publish_id": place["publish_id"]}, "chunks")
    assert told.json()["data"] == {"status": "PROCESSING_UPLOAD", "uploaded_bytes": 5_000_000}
    assert await put(tiktok, url, f"bytes 5000000-{size - 1}/{size}", rest) == 201
    assert await put(tiktok, url, f"bytes 5000000-{size - 1}/{size}", rest) == 416


@pytest.mark.parametrize(
    "change",
    [
        {"chunk_size": 4_999_999},
        {"chunk_size": 64_000_001, "total_chunk_count": 1, "video_size": 100_000_000},
        {"chunk_size": 12_000_003, "total_chunk_count": 2},
        {"total_chunk_count": 3},
        {"total_chunk_count": 0},
        {"video_size": 0},
        {"video_size": 4_000_000_001},
        {"video_size": 4_000_000, "chunk_size": 5_000_000, "total_chunk_count": 1},
        {"source": "FILE"},
        {"colour": "red"},
    ],
)
async def test_chunks_tiktok_does_not_take(tiktok: Played, change: dict[str, JSON]) -> None:
    answer = await asked(tiktok, "video/init", {"post_info": INFO, "source_info": {**LARGE, **change}}, "cut")
    assert code(answer) == (400, "invalid_params")


@pytest.mark.parametrize(
    ("name", "change", "refused"),
    [
        ("said", {"title": "👍" * 1_101}, (400, "invalid_params")),
        ("said", {"privacy_level": "FOLLOWER_OF_CREATOR"}, (403, "privacy_level_option_mismatch")),
        ("said", {"privacy_level": None}, (403, "privacy_level_option_mismatch")),
        ("said", {"disable_duet": "yes"}, (400, "invalid_params")),
        ("said", {"colour": "red"}, (400, "invalid_params")),
        ("said", {"brand_content_toggle": True, "privacy_level": "SELF_ONLY"}, (400, "invalid_params")),
        ("said.unaudited", {}, (403, "unaudited_client_can_only_post_to_private_accounts")),
        ("said.readonly", {}, (401, "scope_not_authorized")),
    ],
)
async def test_posts_tiktok_does_not_take(
    tiktok: Played, name: str, change: dict[str, JSON], refused: tuple[int, str]
) -> None:
    answer = await asked(tiktok, "video/init", {"post_info": {**INFO, **change}, "source_info": SMALL}, name)
    assert code(answer) == refused


@pytest.mark.parametrize(
    ("change", "refused"),
    [
        ({"media_type": "VIDEO"}, "invalid_params"),
        ({"post_mode": "MEDIA_UPLOAD"}, "invalid_params"),
        ({"post_info": {**INFO, "title": "t" * 91}}, "invalid_params"),
        ({"post_info": {**INFO, "description": "d" * 4_001}}, "invalid_params"),
        ({"post_info": {**INFO, "disable_duet": True}}, "invalid_params"),
        ({"source_info": {"source": "FILE_UPLOAD", "photo_images": ["x"], "photo_cover_index": 0}}, "invalid_params"),
        ({"source_info": {"source": "PULL_FROM_URL", "photo_images": [], "photo_cover_index": 0}}, "invalid_params"),
        ({"source_info": {"source": "PULL_FROM_URL", "photo_images": ["x"]}}, "invalid_params"),
        (
            {"source_info": {"source": "PULL_FROM_URL", "photo_images": ["x"] * 36, "photo_cover_index": 0}},
            "invalid_params",
        ),
        (
            {
                "source_info": {
                    "source": "PULL_FROM_URL",
                    "photo_images": ["https://elsewhere.example/a.jpg"],
                    "photo_cover_index": 0,
                }
            },
            "url_ownership_unverified",
        ),
    ],
)
async def test_photos_tiktok_does_not_take(tiktok: Played, change: dict[str, JSON], refused: str) -> None:
    source: JSON = {"source": "PULL_FROM_URL", "photo_images": ["x"], "photo_cover_index": 0}
    body = {"media_type": "PHOTO", "post_mode": "DIRECT_POST", "post_info": INFO, "source_info": source, **change}
    assert code(await asked(tiktok, "content/init", body, "photos-refused"))[1] == refused


async def test_a_redirect_is_not_followed(tiktok: Played, cdn: Cdn) -> None:
    name = cdn.put(b"any", "video/mp4").rpartition("/")[2]
    source = {"source": "PULL_FROM_URL", "video_url": f"{cdn.url}/moved/{name}"}
    place = await begun(tiktok, source, "moved")
    answer = await asked(tiktok, "status/fetch", {"publish_id": place["publish_id"]}, "moved")
    while answer.json()["data"]["status"] == "PROCESSING_DOWNLOAD":
        answer = await asked(tiktok, "status/fetch", {"publish_id": place["publish_id"]}, "moved")
    assert answer.json()["data"] == {"status": "FAILED", "fail_reason": "video_pull_failed"}
    assert cdn.asked[name] == 1


async def test_posts_are_one_accounts_own(tiktok: Played) -> None:
    place = await begun(tiktok, SMALL, "ours")
    stolen = await asked(tiktok, "status/fetch", {"publish_id": place["publish_id"]}, "theirs")
    assert code(stolen) == (403, "token_not_authorized_for_specified_publish_id")
    assert code(await asked(tiktok, "status/fetch", {"publish_id": "v_pub_no"}, "ours")) == (400, "invalid_publish_id")
    stranger = {"Authorization": "Bearer real"}
    for path in (f"{PUBLISH}/creator_info/query/", f"{PUBLISH}/video/init/", f"{PUBLISH}/status/fetch/"):
        answer = await tiktok.http.post(tiktok.url + path, json={}, headers=stranger)
        assert code(answer) == (401, "access_token_invalid")
