"""P13: pictures inside a post, as base64."""

import base64
import uuid

import pytest

from deploy.local.stack import Stack
from services.publisher.domain.post import MAX_INLINE_BYTES
from tests import media
from tests.e2e.client import Json, body
from tests.e2e.tenants import Tenancy, received


def wanted(tenancy: Tenancy, text: str, *data: str, count: int = 1) -> Json:
    return {
        "text": text,
        "targets": tenancy.targets[:count],
        "media": [{"data": one, "altText": "It."} for one in data],
    }


def test_a_picture_in_a_post_is_stored_once_and_published(stack: Stack, tenancy: Tenancy) -> None:
    picture, text = media.jpeg(640, 480, gps=True), f"inline {uuid.uuid4().hex}"
    asked = wanted(tenancy, text, base64.b64encode(picture).decode(), count=3)
    headers = {"Idempotency-Key": uuid.uuid4().hex}
    ids = {body(tenancy.client.http.post("/v1/posts", json=asked, headers=headers))["id"] for _ in range(2)}
    [post_id] = ids
    post = tenancy.client.settled_post(post_id)
    assert post["status"] == "published", post
    [item] = tenancy.client.all_media()
    assert [it["mediaId"] for it in post["media"]] == [item["id"]]
    assert item["sizeBytes"] == len(picture)
    for target in post["targets"]:
        [there] = [it for it in received(stack, target["platform"]) if it["text"] == text]
        assert [it["altText"] for it in there["media"]] == ["It."]


GOOD = base64.b64encode(media.jpeg()).decode()
REFUSED = {
    "a bad alphabet": (GOOD[:-8] + "*_-!" + GOOD[-4:], 400, "inline_media_invalid"),
    "half a character": (GOOD.rstrip("=") + "A" * (5 - len(GOOD.rstrip("=")) % 4), 400, "inline_media_invalid"),
    "a flood of white space": (GOOD + " \r\n" * 50_000, 400, "inline_media_invalid"),
    "a data URL": (f"data:image/jpeg;base64,{GOOD}", 400, "inline_media_invalid"),
    "nothing": ("", 400, "inline_media_invalid"),
    "1.01 MB": (base64.b64encode(bytes(MAX_INLINE_BYTES + 10_000)).decode(), 400, "inline_media_invalid"),
    "malware": (base64.b64encode(media.infected_jpeg()).decode(), 422, "media_rejected_security"),
    "no picture": (base64.b64encode(b"#!/bin/sh\n" * 100).decode(), 415, "media_type_unsupported"),
}


@pytest.mark.parametrize("name", [pytest.param(name, id=f"P13-{name}") for name in REFUSED])
def test_what_is_none_is_refused_and_nothing_is_posted(tenancy: Tenancy, name: str) -> None:
    data, status, code = REFUSED[name]
    before = {it["id"] for it in tenancy.client.all_media()}
    answer = tenancy.client.http.post("/v1/posts", json=wanted(tenancy, "no", data))
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code), answer.text
    assert "no" not in [it["text"] for it in body(tenancy.client.http.get("/v1/posts"))["data"]]
    stored = [it for it in tenancy.client.all_media() if it["id"] not in before]
    assert [it["status"] for it in stored] == (["rejected"] if code == "media_rejected_security" else [])


def test_the_largest_picture_that_fits_is_taken(tenancy: Tenancy) -> None:
    photo = media.jpeg()
    picture = photo + bytes(MAX_INLINE_BYTES - len(photo))
    asked = wanted(tenancy, f"large {uuid.uuid4().hex}", base64.b64encode(picture).decode())
    post = tenancy.client.settled_post(body(tenancy.client.http.post("/v1/posts", json=asked))["id"])
    assert post["status"] == "published", post
    assert tenancy.client.media(post["media"][0]["mediaId"])["sizeBytes"] == MAX_INLINE_BYTES
