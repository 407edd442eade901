"""What the sandbox of YouTube refuses, as YouTube would: ranges, blocks, parts, words, pictures, other channels."""

from collections.abc import Mapping

import httpx
import pytest

from services.platforms.ports import JSON
from tests.contract.platforms import samples
from tests.contract.platforms.playing import Played

UPLOAD = "/upload/youtube/v3/videos"
VIDEOS = "/youtube/v3/videos"
THUMBNAIL = "/upload/youtube/v3/thumbnails/set"
BLOCK_BYTES = 256 * 1024
OURS = {"Authorization": "Bearer sandbox-rules"}
THEIRS = {"Authorization": "Bearer sandbox-others"}
SNIPPET: dict[str, JSON] = {"title": "t", "description": "d", "categoryId": "22"}
STATUS: dict[str, JSON] = {"privacyStatus": "private"}


async def opened(
    youtube: Played,
    size: int,
    snippet: Mapping[str, JSON] = SNIPPET,
    status: Mapping[str, JSON] = STATUS,
    headers: Mapping[str, str] | None = None,
) -> httpx.Response:
    """The answer to a new session."""
    announced = {"X-Upload-Content-Length": str(size), "X-Upload-Content-Type": "video/mp4"}
    return await youtube.http.post(
        youtube.url + UPLOAD,
        params={"uploadType": "resumable", "part": "snippet,status"},
        json={"snippet": dict(snippet), "status": dict(status)},
        headers=OURS | (announced if headers is None else dict(headers)),
    )


async def put(youtube: Played, session: str, content_range: str, data: bytes = b"") -> httpx.Response:
    """Some bytes."""
    return await youtube.http.put(session, content=data, headers=OURS | {"Content-Range": content_range})


async def arrived(youtube: Played, data: bytes) -> str:
    """The id of a video that is there."""
    session = (await opened(youtube, len(data))).headers["location"]
    answer = await put(youtube, session, f"bytes 0-{len(data) - 1}/{len(data)}", data)
    assert answer.status_code == 201
    return str(answer.json()["id"])


def reason(answer: httpx.Response) -> tuple[int, str]:
    """How it was refused."""
    return answer.status_code, answer.json()["error"]["errors"][0]["reason"]


async def test_bytes_come_in_order_and_in_whole_blocks(youtube: Played) -> None:
    data = samples.padded(samples.film(), 3 * BLOCK_BYTES + 77)
    size = len(data)
    session = (await opened(youtube, size)).headers["location"]
    told = await put(youtube, session, f"bytes */{size}")
    assert (told.status_code, "range" in told.headers) == (308, False)
    for first, last in ((0, 99_999), (BLOCK_BYTES, 2 * BLOCK_BYTES - 1), (0, size)):
        piece = data[first : last + 1]
        assert (await put(youtube, session, f"bytes {first}-{last}/{size}", piece)).status_code == 400
    assert (await put(youtube, session, f"bytes 0-{BLOCK_BYTES - 1}/{size - 1}", data[:BLOCK_BYTES])).status_code == 400
    assert (await put(youtube, session, "", data)).status_code == 400
    part = await put(youtube, session, f"bytes 0-{BLOCK_BYTES - 1}/{size}", data[:BLOCK_BYTES])
    assert (part.status_code, part.headers["range"]) == (308, f"bytes=0-{BLOCK_BYTES - 1}")
    again = await put(youtube, session, f"bytes 0-{BLOCK_BYTES - 1}/{size}", data[:BLOCK_BYTES])
    assert again.status_code == 400
    told = await put(youtube, session, f"bytes */{size}")
    assert (told.status_code, told.headers["range"]) == (308, f"bytes=0-{BLOCK_BYTES - 1}")
    whole = await put(youtube, session, f"bytes {BLOCK_BYTES}-{size - 1}/{size}", data[BLOCK_BYTES:])
    assert whole.status_code == 201
    told = await put(youtube, session, f"bytes */{size}")
    assert (told.status_code, told.json()["id"]) == (200, whole.json()["id"])


@pytest.mark.parametrize(
    ("snippet", "status", "why"),
    [
        ({**SNIPPET, "title": ""}, STATUS, "invalidTitle"),
        ({**SNIPPET, "title": "t" * 101}, STATUS, "invalidTitle"),
        ({**SNIPPET, "title": "<t>"}, STATUS, "invalidTitle"),
        ({**SNIPPET, "description": "é" * 2_501}, STATUS, "invalidDescription"),
        ({**SNIPPET, "description": "a > b"}, STATUS, "invalidDescription"),
        ({**SNIPPET, "tags": ["a" * 250, "b" * 250]}, STATUS, "invalidTags"),
        ({**SNIPPET, "categoryId": "18"}, STATUS, "invalidCategoryId"),
        ({**SNIPPET, "colour": "red"}, STATUS, "badRequest"),
        (SNIPPET, {"privacyStatus": "friends"}, "invalidVideoMetadata"),
        (SNIPPET, {**STATUS, "license": "none"}, "invalidVideoMetadata"),
        (SNIPPET, {**STATUS, "embeddable": "yes"}, "invalidVideoMetadata"),
        (SNIPPET, {**STATUS, "madeForKids": True}, "badRequest"),
    ],
)
async def test_words_youtube_does_not_take(
    youtube: Played, snippet: dict[str, JSON], status: dict[str, JSON], why: str
) -> None:
    assert reason(await opened(youtube, 1_000, snippet, status)) == (400, why)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Upload-Content-Length": "0", "X-Upload-Content-Type": "video/mp4"},
        {"X-Upload-Content-Length": "256000000001", "X-Upload-Content-Type": "video/mp4"},
        {"X-Upload-Content-Length": "1000", "X-Upload-Content-Type": "image/png"},
    ],
)
async def test_a_video_is_announced_with_its_size_and_type(youtube: Played, headers: dict[str, str]) -> None:
    assert (await opened(youtube, 0, headers=headers)).status_code == 400


async def test_a_part_is_named_and_there(youtube: Played) -> None:
    video_id = await arrived(youtube, samples.film())
    url = youtube.url + VIDEOS
    for part, body in (
        ("", {"id": video_id, "status": STATUS}),
        ("snippet", {"id": video_id, "snippet": SNIPPET}),
        ("status", {"id": video_id}),
        ("status", {"id": video_id, "status": STATUS, "snippet": SNIPPET}),
    ):
        assert (await youtube.http.put(url, params={"part": part}, json=body, headers=OURS)).status_code == 400
    assert (await youtube.http.get(url, params={"id": video_id}, headers=OURS)).status_code == 400


async def test_videos_are_one_channels_own(youtube: Played) -> None:
    video_id = await arrived(youtube, samples.film())
    body, query = {"id": video_id, "status": {"privacyStatus": "public"}}, {"part": "status"}
    hidden = await youtube.http.put(youtube.url + VIDEOS, params=query, json=body, headers=THEIRS)
    assert reason(hidden) == (404, "videoNotFound")
    assert (await youtube.http.put(youtube.url + VIDEOS, params=query, json=body, headers=OURS)).status_code == 200
    shown = await youtube.http.put(youtube.url + VIDEOS, params=query, json=body, headers=THEIRS)
    assert reason(shown) == (403, "forbidden")


@pytest.mark.parametrize(
    ("data", "kind", "refused"),
    [
        (samples.picture(kind="PNG"), "image/jpeg", (400, "invalidImage")),
        (samples.gif(), "image/gif", (400, "invalidImage")),
        (samples.picture() + b"\0" * 2_000_000, "image/jpeg", (413, "uploadTooLarge")),
    ],
    ids=["mislabelled", "gif", "large"],
)
async def test_pictures_youtube_does_not_take(
    youtube: Played, data: bytes, kind: str, refused: tuple[int, str]
) -> None:
    query, headers = {"videoId": await arrived(youtube, samples.film())}, OURS | {"Content-Type": kind}
    answer = await youtube.http.post(youtube.url + THUMBNAIL, params=query, content=data, headers=headers)
    assert reason(answer) == refused


async def test_a_day_has_a_hundred_uploads(youtube: Played) -> None:
    headers = {
        "Authorization": "Bearer sandbox-busy-day",
        "X-Upload-Content-Length": "9",
        "X-Upload-Content-Type": "video/mp4",
    }
    answers = [(await opened(youtube, 9, headers=headers)).status_code for _ in range(100)]
    assert set(answers) == {200}
    assert reason(await opened(youtube, 9, headers=headers)) == (403, "quotaExceeded")


async def test_nothing_is_told_to_strangers(youtube: Played) -> None:
    stranger = {"Authorization": "Bearer real"}
    for path in ("/youtube/v3/channels", VIDEOS):
        assert reason(await youtube.http.get(youtube.url + path, headers=stranger)) == (401, "authError")
    reader = {"Authorization": "Bearer sandbox-rules.readonly"}
    answer = await youtube.http.post(youtube.url + UPLOAD, headers=reader)
    assert reason(answer) == (403, "insufficientPermissions")
