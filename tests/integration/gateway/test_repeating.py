"""Idempotency-Key: a request sent again, at once or later, has its effect once."""

import uuid
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.integration.gateway.conftest import Service, Workspace, done, refused
from tests.media import infected_jpeg, jpeg


def key() -> dict[str, str]:
    return {"idempotency-key": uuid.uuid4().hex}


def form(
    data: bytes, *, alt: str = "A lighthouse.", file_first: bool = True
) -> list[tuple[str, tuple[str | None, bytes]]]:
    parts: list[tuple[str, tuple[str | None, bytes]]] = [("file", ("a.jpg", data)), ("altText", (None, alt.encode()))]
    return parts if file_first else parts[::-1]


def stored(customer: Workspace, filename: str) -> int:
    return len(done(customer.http.get("/v1/media", params={"q": filename, "limit": 100}))["data"])


def test_an_upload_is_told_by_its_content_not_by_its_bytes(service: Service) -> None:
    photo, headers = jpeg(), key()
    with service.customer() as customer:
        first = customer.http.post("/v1/media", files=form(photo), headers=headers)
        again = customer.http.post("/v1/media", files=form(photo, file_first=False), headers=headers)
        assert first.request.headers["content-type"] != again.request.headers["content-type"]
        assert again.headers["idempotent-replayed"] == "true"
        assert (again.status_code, done(again)["id"]) == (201, done(first)["id"])
        assert again.headers["location"] == first.headers["location"] == f"/v1/media/{done(first)['id']}"
        for other in (form(jpeg()), form(photo, alt="A tower."), [("file", ("b.jpg", photo))]):
            refusal = customer.http.post("/v1/media", files=other, headers=headers)
            assert refused(refusal) == (409, "idempotency_conflict")
        assert stored(customer, "a.jpg") == 1


def test_a_refused_file_is_refused_again_without_a_scan(service: Service) -> None:
    bad, headers = infected_jpeg(), key()
    first = service.one.http.post("/v1/media", files=form(bad), headers=headers)
    again = service.one.http.post("/v1/media", files=form(bad), headers=headers)
    assert refused(first) == refused(again) == (422, "media_rejected_security")
    assert first.json()["error"]["details"]["threat"]
    assert again.headers["idempotent-replayed"] == "true"
    assert again.content == first.content


@pytest.mark.parametrize("what", ["upload", "post", "key"])
def test_of_many_at_once_one_is_done(service: Service, what: str) -> None:
    photo, headers = jpeg(), key()
    with service.customer() as customer:
        account = customer.account()["id"]

        def send(_: int) -> httpx.Response:
            with httpx.Client(base_url=customer.http.base_url, headers=customer.http.headers, timeout=60) as http:
                if what == "upload":
                    return http.post("/v1/media", files=form(photo), headers=headers)
                if what == "post":
                    body = {"text": "Once.", "targets": [{"accountId": account}]}
                    return http.post("/v1/posts", json=body, headers=headers)
                return http.post("/v1/api-keys", json={"name": "once"}, headers=headers)

        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(send, range(8)))
        good = [answer for answer in answers if answer.is_success]
        for answer in answers:
            service.described.check(answer)
            if not answer.is_success:
                assert refused(answer) == (409, "idempotency_in_progress")
                assert int(answer.headers["retry-after"]) > 0
        assert len([answer for answer in good if "idempotent-replayed" not in answer.headers]) == 1
        route = {"upload": "/v1/media", "post": "/v1/posts", "key": "/v1/api-keys"}[what]
        assert len(done(customer.http.get(route))["data"]) == (2 if what == "key" else 1)


def test_without_a_key_each_request_is_one_of_its_own(service: Service) -> None:
    photo = jpeg()
    first, second = (service.one.media(photo) for _ in range(2))
    assert first["id"] != second["id"]
    assert first["sha256"] == second["sha256"]


def test_the_key_counts_for_posts_alone(service: Service) -> None:
    media, headers = service.one.media(), key()
    path = f"/v1/media/{media['id']}"
    for text in ("One.", "Two."):
        assert done(service.one.http.patch(path, json={"altText": text}, headers=headers))["altText"] == text
