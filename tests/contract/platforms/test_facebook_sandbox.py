"""Facebook's sandbox refuses what Facebook refuses, so that a wrong client fails."""

from typing import Any

import pytest

from services.platforms.sandboxing.tokens import number_of
from tests.contract.platforms import samples
from tests.contract.platforms.playing import Played

ROOT = "/v25.0"


async def ask(facebook: Played, path: str, form: dict[str, str], **others: Any) -> tuple[int, dict[str, Any]]:
    """In the name of a page."""
    headers = {"Authorization": "Bearer sandbox-rules", **others.pop("headers", {})}
    path = path.replace("PAGE", number_of("rules"))
    answer = await facebook.http.post(facebook.url + path, data=form, headers=headers, **others)
    return answer.status_code, answer.json()


async def code(facebook: Played, path: str, form: dict[str, str], **others: Any) -> tuple[int, int]:
    """Of a refusal."""
    _, found = await ask(facebook, path, form, **others)
    return found["error"]["code"], found["error"].get("error_subcode", 0)


@pytest.mark.parametrize(
    ("form", "refused"),
    [
        ({}, (100, 0)),
        ({"message": " "}, (100, 0)),
        ({"message": "a" * 63_207}, (100, 0)),
        ({"message": "x", "colour": "red"}, (100, 0)),
        ({"attached_media[0]": '{"media_fbid":"1"}'}, (100, 33)),
        ({"attached_media[1]": '{"media_fbid":"1"}'}, (100, 0)),
        ({"attached_media[0]": "1,"}, (100, 0)),
        ({"link": "https://example.com", "attached_media[0]": '{"media_fbid":"1"}'}, (100, 0)),
    ],
)
async def test_posts(facebook: Played, form: dict[str, str], refused: tuple[int, int]) -> None:
    assert await code(facebook, f"{ROOT}/PAGE/feed", form) == refused


async def test_another_page_is_not_ours(facebook: Played) -> None:
    assert await code(facebook, f"{ROOT}/{number_of('another')}/feed", {"message": "x"}) == (100, 33)


async def test_photos(facebook: Played) -> None:
    path, picture = f"{ROOT}/PAGE/photos", samples.picture()
    unseen = {"published": "false"}
    assert await code(facebook, path, unseen) == (324, 0)
    assert await code(facebook, path, {}, files={"source": picture}) == (100, 0)
    assert await code(facebook, path, unseen, files={"source": samples.picture(kind="WEBP")}) == (324, 1366046)
    assert await code(facebook, path, unseen, files={"source": b"\xff" * 4_000_001}) == (324, 1366046)
    long = {**unseen, "alt_text_custom": "a" * 1_001}
    assert await code(facebook, path, long, files={"source": picture}) == (100, 0)
    _, photo = await ask(facebook, path, unseen, files={"source": picture})
    shown = {"attached_media[0]": f'{{"media_fbid":"{photo["id"]}"}}'}
    assert (await ask(facebook, f"{ROOT}/PAGE/feed", shown))[0] == 200
    assert await code(facebook, f"{ROOT}/PAGE/feed", shown) == (100, 1366051)


async def test_chunks_come_in_their_order_and_whole(facebook: Played) -> None:
    path = f"{ROOT}/PAGE/videos"
    assert await code(facebook, path, {"upload_phase": "start"}) == (100, 1363023)
    assert await code(facebook, path, {"upload_phase": "start", "file_size": "99999999999"}) == (100, 1363023)
    _, began = await ask(facebook, path, {"upload_phase": "start", "file_size": "1500000"})
    assert (began["start_offset"], began["end_offset"]) == ("0", "1000000")
    chunk = {"upload_phase": "transfer", "upload_session_id": began["upload_session_id"]}
    for start, length in (("5", 1_000_000), ("0", 999_999), ("0", 1_500_000)):
        files = {"video_file_chunk": b"x" * length}
        _, found = await ask(facebook, path, {**chunk, "start_offset": start}, files=files)
        assert found["error"]["error_subcode"] == 1363037
        assert found["error"]["error_data"] == {"start_offset": "0", "end_offset": "1000000"}
    finish = {"upload_phase": "finish", "upload_session_id": began["upload_session_id"]}
    assert await code(facebook, path, finish) == (6000, 1363033)
    assert await code(facebook, path, {**finish, "upload_session_id": "1"}) == (6000, 1363041)
    assert await code(facebook, path, {"upload_phase": "cancel"}) == (100, 0)


async def test_a_reel_goes_to_the_store_as_the_store_wants_it(facebook: Played) -> None:
    path = f"{ROOT}/PAGE/video_reels"
    _, began = await ask(facebook, path, {"upload_phase": "start"})
    where = began["upload_url"].removeprefix(facebook.url)
    ours = {"Authorization": "OAuth sandbox-rules", "offset": "0", "file_size": "10"}
    for changed, kind in (
        ({"Authorization": "Bearer sandbox-rules"}, "NotAuthorizedError"),
        ({"Authorization": "OAuth sandbox-another"}, "NotAuthorizedError"),
        ({"offset": "1"}, "OffsetInvalidError"),
        ({"offset": ""}, "OffsetInvalidError"),
        ({"file_size": ""}, "InvalidFileSizeError"),
        ({}, "PartialRequestError"),  # the first four of ten bytes, which are kept
        ({}, "OffsetInvalidError"),
        ({"offset": "4", "file_size": "11"}, "OffsetInvalidError"),
    ):
        answer = await facebook.http.post(facebook.url + where, content=b"four", headers={**ours, **changed})
        assert answer.json()["debug_info"]["type"] == kind
    finish = {"upload_phase": "finish", "video_id": began["video_id"], "video_state": "PUBLISHED"}
    assert await code(facebook, path, finish) == (6000, 1363033)
    assert await code(facebook, path, {**finish, "video_state": "DRAFT"}) == (100, 0)
    assert await code(facebook, path, {**finish, "video_id": "1"}) == (100, 33)


@pytest.mark.parametrize("query", [{"fields": "id,colour"}, {"limit": "101"}, {"since": "yesterday"}])
async def test_lists(facebook: Played, query: dict[str, str]) -> None:
    url, headers = f"{facebook.url}{ROOT}/me/feed", {"Authorization": "Bearer sandbox-rules"}
    assert (await facebook.http.get(url, params={"fields": "id", **query}, headers=headers)).status_code == 400
    assert (await facebook.http.get(url, params={"fields": "id,message"}, headers=headers)).status_code == 200
