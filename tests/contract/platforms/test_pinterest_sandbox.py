"""What the sandbox of Pinterest refuses, as Pinterest and its store would: fields, order, boards, covers."""

import base64
from typing import Any

import httpx
import pytest

from services.platforms.ports import JSON
from tests.contract.platforms import samples
from tests.contract.platforms.playing import Played
from tests.contract.platforms.samples import asset, draft

BOARD = "1234567890"
OURS = {"Authorization": "Bearer sandbox-rules"}
THEIRS = {"Authorization": "Bearer sandbox-others"}


def inline(data: bytes, kind: str = "image/jpeg") -> dict[str, JSON]:
    """A media source of one image."""
    return {"source_type": "image_base64", "content_type": kind, "data": base64.b64encode(data).decode()}


async def pin(
    pinterest: Played, source: JSON, headers: dict[str, str] = OURS, more: dict[str, object] | None = None
) -> httpx.Response:
    """A new pin."""
    body = {"board_id": BOARD, "media_source": source, **(more or {})}
    return await pinterest.http.post(f"{pinterest.url}/v5/pins", json=body, headers=headers)


async def registered(pinterest: Played) -> dict[str, Any]:
    """A place for a video."""
    answer = await pinterest.http.post(f"{pinterest.url}/v5/media", json={"media_type": "video"}, headers=OURS)
    assert answer.status_code == 201
    found: dict[str, Any] = answer.json()
    return found


def parts(fields: dict[str, str], file: bytes, *, file_at: int) -> tuple[bytes, dict[str, str]]:
    """A form whose file is its part number `file_at`."""
    encoded = [
        f'Content-Disposition: form-data; name="{name}"\r\n\r\n{value}'.encode() for name, value in fields.items()
    ]
    head = b'Content-Disposition: form-data; name="file"; filename="file"\r\nContent-Type: video/mp4\r\n\r\n'
    encoded.insert(file_at, head + file)
    body = b"".join(b"--frontier\r\n" + part + b"\r\n" for part in encoded) + b"--frontier--\r\n"
    return body, {"Content-Type": "multipart/form-data; boundary=frontier"}


async def status(pinterest: Played, media_id: str) -> str:
    """Of a video."""
    answer = await pinterest.http.get(f"{pinterest.url}/v5/media/{media_id}", headers=OURS)
    return str(answer.json()["status"])


async def test_the_store_reads_the_fields_before_the_file_only(pinterest: Played) -> None:
    place = await registered(pinterest)
    fields, url = place["upload_parameters"], place["upload_url"]
    last = len(fields)
    for file_at in range(last):
        body, headers = parts(fields, b"film", file_at=file_at)
        answer = await pinterest.http.post(url, content=body, headers=headers)
        assert (answer.status_code, "AccessDenied" in answer.text) == (403, True)
    assert await status(pinterest, place["media_id"]) == "registered"
    body, headers = parts(fields, b"film", file_at=last)
    assert (await pinterest.http.post(url, content=body, headers=headers | OURS)).status_code == 400
    assert (await pinterest.http.post(url, content=body, headers=headers)).status_code == 204
    assert await status(pinterest, place["media_id"]) == "processing"


@pytest.mark.parametrize("name", ["key", "policy", "x-amz-signature", "x-amz-security-token", "Content-Type"])
async def test_the_store_wants_every_field_as_it_was_given(pinterest: Played, name: str) -> None:
    place = await registered(pinterest)
    for fields in (
        {key: value for key, value in place["upload_parameters"].items() if key != name},
        place["upload_parameters"] | {name: "forged"},
    ):
        body, headers = parts(fields, b"film", file_at=len(fields))
        assert (await pinterest.http.post(place["upload_url"], content=body, headers=headers)).status_code == 403


async def test_a_form_without_a_file_is_refused(pinterest: Played) -> None:
    place = await registered(pinterest)
    answer = await pinterest.http.post(place["upload_url"], data=place["upload_parameters"])
    assert answer.status_code == 400


async def test_a_video_pin_needs_a_processed_video_of_its_own_and_a_cover(pinterest: Played) -> None:
    place = await registered(pinterest)
    source: dict[str, JSON] = {"source_type": "video_id", "media_id": place["media_id"]}
    early = await pin(pinterest, {**source, "cover_image_key_frame_time": 0})
    assert (early.status_code, "not ready" in early.text) == (400, True)
    prepared = await pinterest.prepared(await pinterest.connected("rules"), draft("", asset(samples.film(5))))
    source["media_id"] = prepared["mediaId"]
    bare = await pin(pinterest, source)
    assert "cover_image_url or cover_image_content_type" in bare.json()["message"]
    for wrong in (1.5, -1, "0", True):
        assert (await pin(pinterest, {**source, "cover_image_key_frame_time": wrong})).status_code == 400
    stolen = await pin(pinterest, {**source, "cover_image_key_frame_time": 0}, THEIRS)
    assert stolen.status_code == 404
    assert (await pin(pinterest, {**source, "cover_image_key_frame_time": 0})).status_code == 201


@pytest.mark.parametrize(
    "source",
    [
        inline(samples.picture(), "image/png"),
        inline(samples.picture(kind="WEBP"), "image/webp"),
        inline(b"no image"),
        {"source_type": "image_base64", "content_type": "image/png", "data": "§"},
        {"source_type": "image_url", "url": "ftp://example.com/a.png"},
        {"source_type": "multiple_image_urls", "items": [{"url": "https://example.com/a.png"}]},
        {"source_type": "multiple_image_urls", "items": [{"url": "https://example.com/a.png"}] * 6},
        {"source_type": "pin_url"},
        None,
    ],
)
async def test_media_pinterest_does_not_take(pinterest: Played, source: JSON) -> None:
    answer = await pin(pinterest, source)
    assert answer.status_code == 400
    assert answer.json()["message"].startswith("Invalid request")


@pytest.mark.parametrize(
    "more",
    [
        {"title": "t" * 101},
        {"description": "d" * 801},
        {"alt_text": "a" * 501},
        {"link": "https://example.com/" + "a" * 2040},
        {"colour": "red"},
    ],
)
async def test_words_pinterest_does_not_take(pinterest: Played, more: dict[str, object]) -> None:
    assert (await pin(pinterest, inline(samples.picture()), more=more)).status_code == 400


async def test_boards_are_one_accounts_own(pinterest: Played) -> None:
    made = await pinterest.http.post(f"{pinterest.url}/v5/boards", json={"name": "Ours"}, headers=OURS)
    board_id = made.json()["id"]
    answer = await pin(pinterest, inline(samples.picture()), THEIRS, {"board_id": board_id})
    assert (answer.status_code, answer.json()) == (404, {"code": 40, "message": "Board not found."})
    listed = (await pinterest.http.get(f"{pinterest.url}/v5/boards", headers=OURS)).json()["items"]
    assert [board["id"] for board in listed] == [BOARD, board_id]


async def test_the_pins_of_a_board_have_pages(pinterest: Played) -> None:
    headers = {"Authorization": "Bearer sandbox-pages"}
    source: JSON = {"source_type": "image_url", "url": "https://example.com/a.png"}
    ids = [(await pin(pinterest, source, headers, {"title": str(n)})).json()["id"] for n in range(5)]
    found: list[str] = []
    query = {"page_size": "2"}
    while True:
        url = f"{pinterest.url}/v5/boards/{BOARD}/pins"
        page = (await pinterest.http.get(url, params=query, headers=headers)).json()
        found += [one["id"] for one in page["items"]]
        if page["bookmark"] is None:
            break
        query["bookmark"] = page["bookmark"]
    assert found == ids[::-1]


async def test_sections_are_one_boards_and_one_accounts_own(pinterest: Played) -> None:
    url = f"{pinterest.url}/v5/boards/{BOARD}/sections"
    made = await pinterest.http.post(url, json={"name": "Ours"}, headers=OURS)
    section = made.json()
    assert (made.status_code, section["name"]) == (201, "Ours")
    assert (await pinterest.http.get(url, headers=OURS)).json()["items"] == [section]
    assert (await pinterest.http.get(url, headers=THEIRS)).json()["items"] == []
    for name in ("", "n" * 181):
        assert (await pinterest.http.post(url, json={"name": name}, headers=OURS)).status_code == 400
    source: JSON = {"source_type": "image_url", "url": "https://example.com/a.png"}
    within: dict[str, object] = {"board_section_id": section["id"]}
    assert (await pin(pinterest, source, THEIRS, within)).status_code == 404
    pin_id = (await pin(pinterest, source, OURS, within)).json()["id"]
    await pin(pinterest, source)
    listed = await pinterest.http.get(f"{url}/{section['id']}/pins", headers=OURS)
    assert [one["id"] for one in listed.json()["items"]] == [pin_id]
    assert (await pinterest.http.get(f"{url}/{section['id']}/pins", headers=THEIRS)).status_code == 404


async def test_nothing_is_told_to_strangers(pinterest: Played) -> None:
    for path in ("/v5/user_account", "/v5/boards", f"/v5/boards/{BOARD}/pins"):
        answer = await pinterest.http.get(pinterest.url + path, headers={"Authorization": "Bearer real"})
        assert (answer.status_code, answer.json()["code"]) == (401, 2)


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ({"title": "t" * 101}, "title is longer than 100"),
        ({"description": "d" * 801}, "description is longer than 800"),
        ({"link": "l" * 2049}, "link is longer than 2048"),
        ({"title": 5}, "are strings"),
        ({"alt_text": "a"}, "alt_text is no field of an item"),
        ({"data": "a"}, "data is no field of an item"),
    ],
    ids=lambda it: next(iter(it)) if isinstance(it, dict) else "",
)
async def test_an_item_says_what_the_schema_has(pinterest: Played, item: dict[str, JSON], message: str) -> None:
    plain: dict[str, JSON] = {"url": "https://example.com/a.jpg"}
    source: JSON = {"source_type": "multiple_image_urls", "items": [plain, plain | item]}
    answer = await pin(pinterest, source)
    assert (answer.status_code, message in answer.json()["message"]) == (400, True)
