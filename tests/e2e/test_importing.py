"""Imports by URL as a client makes them, through Envoy; every answer is held against the API reference."""

import uuid

import httpx
import pytest

from deploy.local.stack import Stack
from tests import media
from tests.e2e.client import Json
from tests.e2e.shelf import Shelf
from tests.hostile.attacker import Attacker, served


def imported(attacker: Attacker, url: str, **headers: str) -> httpx.Response:
    return attacker.client.imported(url, headers, altText="Dusk.")


def pictures(item: Json) -> set[bytes]:
    return {answer.content for answer in served(item).values()}


def test_a_photo_by_its_url_is_ready_and_the_same_as_the_uploaded_one(attacker: Attacker, shelf: Shelf) -> None:
    data = media.jpeg(1600, 1200, gps=True)
    answer = imported(attacker, shelf.put("/2026/Stra%C3%9Fe.jpg", data), Prefer="wait=30")
    assert answer.status_code == 201, answer.text
    assert answer.headers["preference-applied"] == "wait=30"
    item = attacker.client.settled_media(answer.json()["id"])
    twin = attacker.stores(data, "Straße.jpg", altText="Dusk.")
    own = ("id", "createdAt", "expiresAt", "url", "posterUrl", "variants")
    assert item["status"] == "ready"
    assert {name: item[name] for name in item if name not in own} == {
        name: twin[name] for name in twin if name not in own
    }
    assert pictures(item) == pictures(twin)
    source = attacker.client.http.get(f"/v1/media/{item['id']}/source")
    assert source.content == data


def test_what_the_scanner_objects_to_is_told_as_of_an_upload(attacker: Attacker, shelf: Shelf) -> None:
    answer = imported(attacker, shelf.put("/infected.jpg", media.infected_jpeg()), Prefer="wait=30")
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "media_rejected_security")


def test_a_repeated_import_is_fetched_once(attacker: Attacker, shelf: Shelf) -> None:
    url, key = shelf.put("/once.jpg", media.jpeg()), {"Idempotency-Key": uuid.uuid4().hex}
    first, again = imported(attacker, url, **key), imported(attacker, url, **key)
    assert (first.status_code, again.status_code) == (201, 201)
    assert (again.json()["id"], again.headers["idempotent-replayed"]) == (first.json()["id"], "true")
    other = imported(attacker, url + "?other", **key)
    assert (other.status_code, other.json()["error"]["code"]) == (409, "idempotency_conflict")
    assert shelf.asked.count("/once.jpg") == 1


@pytest.mark.parametrize("where", ["s3", "ingest_metrics", "nats_monitor"])
def test_r1_our_own_daemons_are_not_fetched_from(attacker: Attacker, stack: Stack, where: str) -> None:
    port = getattr(stack.ports, where)
    urls = [f"http://127.0.0.1:{port}/", f"https://localhost:{port}/", "https://localhost/", "https://2130706433/"]
    for url in urls:
        answer = imported(attacker, url)
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, "media_url_not_allowed")


def test_a_url_without_a_file_is_told_with_its_reason(attacker: Attacker, shelf: Shelf) -> None:
    answer = imported(attacker, f"{shelf.url}/missing.jpg")
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (422, "media_url_unreachable")
    assert error["details"] == {"reason": "its server answered 404"}
