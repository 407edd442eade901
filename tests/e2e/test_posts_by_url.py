"""Posts that name their pictures by URL, as a client makes them: fetched once, published, or failed with the reason."""

import socket
import uuid

import httpx
import pytest

from deploy.local.stack import Stack
from tests import media
from tests.e2e.client import Json, body
from tests.e2e.shelf import Shelf
from tests.e2e.tenants import Tenancy, received


def wanted(tenancy: Tenancy, text: str, *urls: str, count: int = 1) -> Json:
    return {
        "text": text,
        "targets": tenancy.targets[:count],
        "media": [{"url": url, "altText": "Dusk."} for url in urls],
    }


def test_a_picture_is_fetched_once_for_all_targets_and_published(stack: Stack, tenancy: Tenancy, shelf: Shelf) -> None:
    http, text = tenancy.client.http, f"by its URL {uuid.uuid4().hex}"
    path = f"/{uuid.uuid4().hex}.jpg"
    asked = wanted(tenancy, text, shelf.put(path, media.jpeg(640, 480, gps=True)), count=3)
    headers = {"Idempotency-Key": uuid.uuid4().hex}
    accepted = body(http.post("/v1/posts", json=asked, headers=headers))
    assert body(http.post("/v1/posts", json=asked, headers=headers))["id"] == accepted["id"]
    post = tenancy.client.settled_post(accepted["id"])
    assert post["status"] == "published", post
    [item] = post["media"]
    assert (item["altText"], item["url"]) == ("Dusk.", None)
    assert tenancy.client.media(item["mediaId"])["status"] == "ready"
    assert [it["id"] for it in tenancy.client.all_media()] == [item["mediaId"]]
    assert shelf.asked.count(path) == 1
    for target in post["targets"]:
        [there] = [it for it in received(stack, target["platform"]) if it["text"] == text]
        assert [picture["altText"] for picture in there["media"]] == ["Dusk."]


def test_a_picture_that_is_not_there_fails_the_post_with_the_reason(tenancy: Tenancy, shelf: Shelf) -> None:
    url = f"{shelf.url}/{uuid.uuid4().hex}.jpg"
    post = tenancy.client.settled_post(
        body(tenancy.client.http.post("/v1/posts", json=wanted(tenancy, "lost", url)))["id"]
    )
    [target] = post["targets"]
    assert (post["status"], target["status"], target["attempts"]) == ("failed", "failed", 0)
    assert target["error"]["code"] == "media_url_unreachable"
    assert "404" in target["error"]["message"]
    assert post["media"] == [{"mediaId": None, "altText": "Dusk.", "url": url}]


def test_what_the_scanner_objects_to_is_not_published(tenancy: Tenancy, shelf: Shelf) -> None:
    asked = wanted(tenancy, "infected", shelf.put(f"/{uuid.uuid4().hex}.jpg", media.infected_jpeg()))
    post = tenancy.client.settled_post(body(tenancy.client.http.post("/v1/posts", json=asked))["id"])
    assert [target["error"]["code"] for target in post["targets"]] == ["media_rejected_security"]


def test_r1_a_post_fetches_nothing_from_this_side_of_the_guard(tenancy: Tenancy, stack: Stack) -> None:
    with socket.create_server(("127.0.0.1", 0)) as canary:
        canary.setblocking(False)
        port = canary.getsockname()[1]
        urls = [
            *(f"http://127.0.0.1:{getattr(stack.ports, name)}/" for name in ("s3", "ingest_metrics", "nats_monitor")),
            f"http://127.0.0.1:{port}/a.jpg", f"https://localhost:{port}/a.jpg", f"https://[::ffff:127.0.0.1]:{port}/",
            "https://2130706433/",
        ]  # fmt: skip
        made = [body(tenancy.client.http.post("/v1/posts", json=wanted(tenancy, url, url))) for url in urls]
        for post in made:
            [target] = tenancy.client.settled_post(post["id"])["targets"]
            assert (target["status"], target["error"]["code"]) == ("failed", "media_url_not_allowed")
        with pytest.raises(BlockingIOError):
            canary.accept()
    assert list(tenancy.client.all_media()) == []


def test_what_can_be_known_beforehand_is_told_and_nothing_is_fetched(tenancy: Tenancy, shelf: Shelf) -> None:
    http = tenancy.client.http
    path = f"/{uuid.uuid4().hex}.jpg"
    fine = wanted(tenancy, "fine", shelf.put(path, media.jpeg()))
    assert body(http.post("/v1/posts/validate", json=fine)) == {"valid": True, "errors": []}
    for item in ({"url": "no URL"}, {"url": "https://u:p@example.com/a.jpg"}, {"url": shelf.url, "mediaId": "med_1"}):
        asked = {**fine, "media": [item]}
        told = body(http.post("/v1/posts/validate", json=asked))
        assert {error["field"] for error in told["errors"]} <= {"media[0]", "media[0].url", "media[0].mediaId"}
        assert not told["valid"]
        assert refused(http.post("/v1/posts", json=asked))[0] == 422
    too_many = {**fine, "media": [{"url": f"{shelf.url}/{n}", "kind": "image"} for n in range(11)]}
    assert {error["field"] for error in body(http.post("/v1/posts/validate", json=too_many))["errors"]} == {"media"}
    assert path not in shelf.asked


def refused(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]
