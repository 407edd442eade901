"""Entity tags, waits, pages and ranges."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from services.common.clock import utc_now
from tests.integration.gateway.conftest import Service, Workspace, done, refused
from tests.media import jpeg


def settled(customer: Workspace, media_id: str) -> dict[str, Any]:
    """Once nothing changes it but us."""
    ends = time.monotonic() + 60
    while (media := done(customer.http.get(f"/v1/media/{media_id}")))["status"] != "ready":
        assert time.monotonic() < ends, media
        time.sleep(0.1)
    return media


def test_what_one_has_is_not_sent_again(service: Service) -> None:
    media_id = settled(service.one, service.one.media()["id"])["id"]
    for path in (f"/v1/media/{media_id}", "/v1/accounts", "/v1/usage", "/v1/platforms"):
        first = service.one.http.get(path)
        tag = first.headers["etag"]
        for condition in (tag, f"W/{tag}", f'"other", {tag}', "*"):
            again = service.one.http.get(path, headers={"if-none-match": condition})
            assert (again.status_code, again.content) == (304, b"")
            assert again.headers["etag"] == tag
        assert service.one.http.get(path, headers={"if-none-match": '"other"'}).status_code == 200
        assert first.headers["cache-control"] == "private, no-cache"


def test_of_many_changes_of_one_state_one_is_made(service: Service) -> None:
    media = settled(service.one, service.one.media()["id"])
    path = f"/v1/media/{media['id']}"
    tag = service.one.http.get(path).headers["etag"]

    def change(number: int) -> httpx.Response:
        return service.one.http.patch(path, json={"altText": f"Number {number}."}, headers={"if-match": tag})

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(change, range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] + [412] * 7
    (winner,) = [answer for answer in answers if answer.is_success]
    shown = service.one.http.get(path)
    assert done(shown)["altText"] == done(winner)["altText"]
    assert shown.headers["etag"] == winner.headers["etag"]
    assert refused(service.one.http.patch(path, json={"altText": ""}, headers={"if-match": f"W/{tag}"})) == (
        412,
        "precondition_failed",
    )


@pytest.mark.parametrize(
    ("prefer", "applied"),
    [("wait=0", "wait=0"), ("wait=999", "wait=30"), ("respond-async, wait=5", "wait=5"), ("wait=soon", None)],
)
def test_a_wait_is_bounded_and_told(service: Service, prefer: str, applied: str | None) -> None:
    answer = service.one.http.post("/v1/media", files={"file": ("a.jpg", jpeg())}, headers={"prefer": prefer})
    assert answer.headers.get("preference-applied") == applied
    assert (done(answer)["status"] == "ready") is (applied != "wait=0")


def test_who_does_not_wait_finds_it_later(service: Service) -> None:
    answer = service.one.http.post("/v1/media", files={"file": ("a.jpg", jpeg())}, headers={"prefer": "wait=0"})
    assert done(answer)["status"] in ("scanning", "processing")
    assert settled(service.one, done(answer)["id"])["url"]


@pytest.mark.parametrize("resource", ["api-keys", "accounts", "posts", "media"])
def test_pages_follow_each_other_without_gap_or_repetition(service: Service, resource: str) -> None:
    with service.customer() as customer:
        account, tomorrow = customer.account()["id"], (utc_now() + timedelta(days=1)).isoformat()
        bodies: dict[str, Any] = {
            "api-keys": {"name": "k"},
            "posts": {"text": "x", "targets": [{"accountId": account}], "scheduledAt": tomorrow},
        }

        def make() -> str:
            if resource == "media":
                return str(customer.media()["id"])
            if resource == "accounts":
                return str(customer.account(f"{uuid4().hex}.test")["id"])
            made = done(customer.http.post(f"/v1/{resource}", json=bodies[resource]))
            return str(made["apiKey"]["id"] if resource == "api-keys" else made["id"])

        before = [row["id"] for row in done(customer.http.get(f"/v1/{resource}"))["data"]]
        made = [make() for _ in range(5)]
        expected = [*reversed(made), *before]
        found: list[str] = []
        url: str | None = f"/v1/{resource}?limit=2"
        while url is not None:
            page = customer.http.get(url)
            found += [row["id"] for row in done(page)["data"]]
            assert len(done(page)["data"]) <= 2
            assert ("next" in page.links) is (done(page)["nextCursor"] is not None)
            # Links name the public address, which is Envoy's.
            url = str(httpx.URL(page.links["next"]["url"]).raw_path, "ascii") if "next" in page.links else None
            if len(found) == 2:
                make()  # what comes in front moves nothing behind
        assert found == expected


@pytest.mark.parametrize("resource", ["api-keys", "accounts", "posts", "media"])
@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=101", "limit=x", "limit=", "limit=1&limit=2", "limit=1e1", "page=2", "cursor=%00", "cursor=bad"],
)
def test_a_page_that_cannot_be_is_refused(service: Service, resource: str, query: str) -> None:
    answer = service.one.http.get(f"/v1/{resource}?{query}")
    assert refused(answer) == (400, "invalid_request")
    assert answer.json()["errors"][0]["field"] == query.partition("=")[0]


def test_a_source_comes_whole_or_in_ranges(service: Service) -> None:
    photo = jpeg()
    path = f"/v1/media/{service.one.media(photo)['id']}/source"
    size = len(photo)
    whole = service.one.http.get(path)
    assert (whole.status_code, whole.content) == (200, photo)
    assert whole.headers["content-type"] == "image/jpeg"
    assert whole.headers["content-security-policy"].startswith("sandbox")
    for wanted, piece in {
        "bytes=0-9": photo[:10],
        "bytes=5-": photo[5:],
        "bytes=-7": photo[-7:],
        f"bytes=0-{size * 2}": photo,
        f"bytes={size - 1}-{size - 1}": photo[-1:],
    }.items():
        part = service.one.http.get(path, headers={"range": wanted})
        assert (part.status_code, part.content) == (206, piece), wanted
        first = photo.index(piece) if len(piece) > 1 else size - 1
        assert part.headers["content-range"] == f"bytes {first}-{first + len(piece) - 1}/{size}"
    for ignored in ("bytes=0-1,3-4", "bytes=9-3", "lines=1-2", "bytes=x"):
        assert service.one.http.get(path, headers={"range": ignored}).status_code == 200
    past = service.one.http.get(path, headers={"range": f"bytes={size}-"})
    assert refused(past) == (416, "range_not_satisfiable")
    assert past.headers["content-range"] == f"bytes */{size}"


def test_a_source_is_sent_under_conditions(service: Service) -> None:
    photo = jpeg()
    path = f"/v1/media/{service.one.media(photo)['id']}/source"
    tag = service.one.http.head(path).headers["etag"]
    assert service.one.http.get(path, headers={"if-none-match": tag}).status_code == 304
    same = service.one.http.get(path, headers={"range": "bytes=0-3", "if-range": tag})
    assert (same.status_code, same.content) == (206, photo[:4])
    other = service.one.http.get(path, headers={"range": "bytes=0-3", "if-range": '"other"'})
    assert (other.status_code, other.content) == (200, photo)
