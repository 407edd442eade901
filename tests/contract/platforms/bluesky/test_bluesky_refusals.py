"""What a PDS refuses and in which words: the sandbox is to say the same."""

import time
from collections.abc import Callable, Mapping

import httpx
import pytest

from services.platforms.bluesky import cid
from services.platforms.bluesky.record import COLLECTION
from services.platforms.calls import text_at
from services.platforms.ports import JSON
from tests.contract.platforms import samples
from tests.contract.platforms.bluesky.place import Place
from tests.unit.platforms.bluesky.format_samples import SAMPLES
from tests.unit.platforms.bluesky.post_samples import (
    A_CID,
    INVALID,
    LINK,
    POST,
    SOMEBODY,
    TAKEN,
    facet,
    image,
    images,
    reply,
)  # fmt: skip

VIDEO_LIMITS = "app.bsky.video.getUploadLimits"

# Where a post has a string of this format.
IN_A_POST: Mapping[str, Callable[[str], dict[str, JSON]]] = {
    "language": lambda text: {"langs": [text]},
    "did": lambda text: facet({"$type": "app.bsky.richtext.facet#mention", "did": text}),
    "uri": lambda text: facet({"$type": "app.bsky.richtext.facet#link", "uri": text}),
    "at_uri": lambda text: reply(text, A_CID),
    "cid": lambda text: reply(f"at://{SOMEBODY}", text),
    "instant": lambda text: {"createdAt": text},
}


async def _create(place: Place, record: JSON, /, **changes: JSON) -> httpx.Response:
    asked: dict[str, JSON] = {"repo": place.identifier, "collection": COLLECTION, "record": record, **changes}
    headers = await place.authorized()
    return await place.ask("POST", "com.atproto.repo.createRecord", headers=headers, json=asked)


def _said(answer: httpx.Response) -> tuple[int, str, str]:
    found = answer.json()
    return answer.status_code, found["error"], found["message"]


@pytest.mark.parametrize(("changes", "why"), INVALID, ids=[why[:40] for _, why in INVALID])
async def test_a_record_that_is_no_post(place: Place, changes: dict[str, JSON], why: str) -> None:
    answer = await _create(place, {**POST, **changes})
    assert _said(answer) == (400, "InvalidRequest", f"Invalid {COLLECTION} record: {why}")


@pytest.mark.parametrize("missing", ["text", "createdAt"])
async def test_a_record_without_what_a_post_has(place: Place, missing: str) -> None:
    answer = await _create(place, {name: value for name, value in POST.items() if name != missing})
    why = f'Invalid {COLLECTION} record: Missing required key "{missing}" at $.record'
    assert _said(answer) == (400, "InvalidRequest", why)


@pytest.mark.parametrize("changes", TAKEN, ids=[str(it)[:40] for it in TAKEN])
async def test_a_record_within_the_limits_is_taken_and_has_its_cid(place: Place, changes: dict[str, JSON]) -> None:
    answer = await _create(place, {**POST, **changes})
    assert answer.status_code == 200, answer.text
    query = dict(zip(("repo", "collection", "rkey"), answer.json()["uri"][5:].split("/"), strict=True))
    found = (await place.ask("GET", "com.atproto.repo.getRecord", params=query)).json()
    assert found["cid"] == answer.json()["cid"] == cid.of_record(found["value"])


@pytest.mark.parametrize(
    ("rkey", "why"),
    [
        ("", 'Invalid record key (got "") at $.rkey'),
        ("..", 'Invalid record key (got "..") at $.rkey'),
        ("self", f'Invalid record key for {COLLECTION}: Invalid TID string (got "self") at $'),
        ("zm2aaaaaaaa2a", f'Invalid record key for {COLLECTION}: Invalid TID string (got "zm2aaaaaaaa2a") at $'),
    ],
)
async def test_a_key_that_is_none(place: Place, rkey: str, why: str) -> None:
    assert _said(await _create(place, POST, rkey=rkey)) == (400, "InvalidRequest", why)


async def test_a_float(place: Place) -> None:
    status, error, why = _said(await _create(place, {**POST, "x": 1.5}))
    assert (status, error) == (400, "InvalidRequest")
    assert why.startswith("Expected one of null, boolean, integer")
    assert why.endswith("(got 1.5) at $.record.x")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"repo": SOMEBODY}, (403, "AccountNotFound", "Account not found")),
        ({"repo": "x y"}, (400, "InvalidRequest", 'Invalid AT identifier (got "x y") at $.repo')),
        ({"record": []}, (400, "InvalidRequest", "Expected object value type (got []) at $.record")),
        ({"record": {**POST, "$type": "app.bsky.feed.like"}},
         (400, "InvalidRequest", f"Invalid $type: expected {COLLECTION}, got app.bsky.feed.like")),
        ({"record": {**POST, "x": "y" * 1_100_000}}, (413, "PayloadTooLargeError", "request entity too large")),
    ],
    ids=["nobody", "no identifier", "no object", "another type", "too large"],
)  # fmt: skip
async def test_a_request_that_is_none(place: Place, changes: dict[str, JSON], said: tuple[int, str, str]) -> None:
    assert _said(await _create(place, POST, **changes)) == said


async def test_a_blob_that_is_not_as_it_was_uploaded(place: Place) -> None:
    data = samples.picture()
    headers = {**await place.authorized(), "Content-Type": "image/png"}
    uploaded = await place.ask("POST", "com.atproto.repo.uploadBlob", headers=headers, content=data)
    blob = uploaded.json()["blob"]
    assert (blob["mimeType"], blob["size"]) == ("image/jpeg", len(data))
    query = {"did": place.identifier, "cid": blob["ref"]["$link"]}
    assert (await place.ask("GET", "com.atproto.sync.getBlob", params=query)).status_code == 400
    why = "Referenced {} does not match stored blob. Expected: {}, Got: {}"
    larger = await _create(place, {**POST, **images(image(image={**blob, "size": len(data) + 1}))})
    assert _said(larger) == (400, "InvalidSize", why.format("Size", len(data), len(data) + 1))
    other = await _create(place, {**POST, **images(image(image={**blob, "mimeType": "image/png"}))})
    assert _said(other) == (400, "InvalidMimeType", why.format("Mimetype", "image/jpeg", "image/png"))


async def test_a_blob_nobody_uploaded(place: Place) -> None:
    answer = await _create(place, {**POST, **images(image())})
    assert _said(answer) == (400, "BlobNotFound", f"Could not find blob: {LINK}")


@pytest.mark.parametrize(
    ("data", "said", "found"),
    [
        (b"hello", "image/png", "image/png"),
        (samples.picture(kind="WEBP"), "image/x", "image/webp"),
        (samples.gif(), "image/x", "image/gif"),
        (samples.film(0.5), "application/x", "video/mp4"),
    ],
    ids=["text", "webp", "gif", "mp4"],
)
async def test_blobs_are_typed_by_their_bytes(place: Place, data: bytes, said: str, found: str) -> None:
    headers = {**await place.authorized(), "Content-Type": said}
    answer = await place.ask("POST", "com.atproto.repo.uploadBlob", headers=headers, content=data)
    assert answer.json()["blob"]["mimeType"] == found


async def test_requests_without_a_good_token(place: Place) -> None:
    async def upload(headers: Mapping[str, str]) -> tuple[int, str, str]:
        given = {"Content-Type": "image/png", **headers}
        return _said(await place.ask("POST", "com.atproto.repo.uploadBlob", headers=given, content=b"x"))

    refresh = (await place.publisher._sessions.open(place.http, place.account())).refresh_token
    assert await upload({}) == (401, "AuthMissing", "Authentication Required")
    assert (await upload({"Authorization": f"Bearer {refresh}"}))[:2] == (400, "InvalidToken")
    assert (await upload({"Authorization": "Basic eDp5"}))[:2] == (400, "InvalidToken")
    renewed = await place.ask("POST", "com.atproto.server.refreshSession", headers=await place.authorized())
    assert (renewed.status_code, renewed.json()["error"]) == (400, "InvalidToken")


@pytest.mark.parametrize(
    ("name", "params", "said"),
    [
        ("com.atproto.identity.resolveHandle", {"handle": "nobody.test"},
         (400, "HandleNotFound", "Unable to resolve handle")),
        ("com.atproto.identity.resolveHandle", {"handle": "nobody.invalid"},
         (400, "InvalidRequest", "Unable to resolve handle")),
        ("com.atproto.identity.resolveHandle", {"handle": "nobody"},
         (400, "InvalidRequest",
          'Invalid com.atproto.identity.resolveHandle params: Invalid handle (got "nobody")')),
        ("com.atproto.repo.getRecord", {"repo": "alice.test", "collection": COLLECTION},
         (400, "InvalidRequest", 'Invalid com.atproto.repo.getRecord params: Missing required key "rkey"')),
        ("com.example.unknown", {}, (400, "InvalidRequest", "No service configured for com.example.unknown")),
    ],
    ids=["nobody", "nobody elsewhere", "no handle", "no key", "no method"],
)  # fmt: skip
async def test_questions_without_an_answer(
    place: Place, name: str, params: dict[str, str], said: tuple[int, str, str]
) -> None:
    assert _said(await place.ask("GET", name, params=params)) == said


@pytest.mark.parametrize(
    ("params", "ahead_s", "error"),
    [
        ({"aud": "did:web:video.bsky.app", "lxm": VIDEO_LIMITS}, 1_800, ""),
        ({"aud": "did:web:localhost%3A3000", "lxm": VIDEO_LIMITS}, 1_800, ""),
        ({"aud": "did:web:127.0.0.1", "lxm": VIDEO_LIMITS}, 1_800, ""),
        ({"aud": "did:web:video.bsky.app", "lxm": VIDEO_LIMITS}, 3_700, "BadExpiration"),
        ({"aud": "did:web:video.bsky.app", "lxm": VIDEO_LIMITS}, -10, "BadExpiration"),
        ({"aud": "did:web:video.bsky.app"}, 120, "BadExpiration"),
        ({"aud": "video.bsky.app", "lxm": VIDEO_LIMITS}, 60, "InvalidRequest"),
        ({"lxm": VIDEO_LIMITS}, 60, "InvalidRequest"),
    ],
)
async def test_tokens_for_other_services(place: Place, params: dict[str, str], ahead_s: int, error: str) -> None:
    query = {**params, "exp": str(int(time.time()) + ahead_s)}
    answer = await place.ask("GET", "com.atproto.server.getServiceAuth", params=query, headers=await place.authorized())
    assert answer.status_code == (400 if error else 200), answer.text
    assert text_at(answer.json(), "error") == error
    assert bool(text_at(answer.json(), "token")) is not bool(error)


@pytest.mark.parametrize("name", sorted({name for name, _, _ in SAMPLES}))
async def test_strings_are_of_the_formats_we_take_them_for(place: Place, name: str) -> None:
    for text in [text for kind, text, _ in SAMPLES if kind == name]:
        answer = await _create(place, {**POST, **IN_A_POST[name](text)})
        assert answer.status_code == (200 if (name, text, True) in SAMPLES else 400), (text, answer.text)
