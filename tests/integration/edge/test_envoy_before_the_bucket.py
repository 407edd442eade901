"""The shipped Envoy configuration before the real object store."""

import http.client
from collections.abc import Iterator

import pytest

from deploy.local.ports import HOST, Ports
from deploy.local.s3 import ACTIVE, S3

KEY = "cdn/med_1/token/display@0123abcd.jpg"
BODY = bytes(range(256)) * 40


@pytest.fixture(scope="module")
def port(s3: S3, ports: Ports) -> Iterator[int]:
    """Where Envoy listens; one rendition and one source are in the bucket."""
    client = s3.client()
    client.put_object(Bucket=ACTIVE, Key=KEY, Body=BODY, ContentType="image/jpeg")
    client.put_object(Bucket=ACTIVE, Key="sources/med_1/original", Body=b"private", ContentType="image/jpeg")
    yield ports.edge
    for key in (KEY, "sources/med_1/original"):
        client.delete_object(Bucket=ACTIVE, Key=key)


def ask(
    port: int, path: str, method: str = "GET", headers: dict[str, str] | None = None
) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body; the path goes out as it is written here."""
    connection = http.client.HTTPConnection(HOST, port, timeout=10)
    try:
        connection.request(method, path, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def test_a_rendition_is_served_with_the_headers_that_keep_it_harmless(port: int) -> None:
    status, headers, body = ask(port, f"/{KEY}")
    assert (status, body) == (200, BODY)
    assert headers["content-type"] == "image/jpeg"
    assert headers["cache-control"] == "public, max-age=31536000, immutable"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert not [name for name in headers if name.startswith("x-amz")]


def test_what_is_not_there_yet_is_not_cached_and_tells_nothing_of_the_store(port: int) -> None:
    status, headers, body = ask(port, "/cdn/med_1/token/none.jpg")
    assert (status, headers["cache-control"]) == (404, "no-store")
    assert (headers["content-type"], body) == ("text/plain", b"There is nothing here.\n")
    assert ask(port, "/cdn/med_1/token/none.jpg", "HEAD")[0] == 404


def test_any_page_may_show_a_rendition_and_call_the_api_with_a_key(port: int) -> None:
    origin = {"Origin": "https://shop.example"}
    assert ask(port, f"/{KEY}", headers=origin)[1]["access-control-allow-origin"] == "*"
    asked = origin | {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    status, headers, _ = ask(port, "/v1/media", "OPTIONS", asked)
    assert (status, headers["access-control-allow-origin"]) == (200, "https://shop.example")
    assert "authorization" in headers["access-control-allow-headers"]
    assert "access-control-allow-credentials" not in headers


def test_ranges_and_etags_work(port: int) -> None:
    status, headers, body = ask(port, f"/{KEY}", headers={"Range": "bytes=10-19"})
    assert (status, body) == (206, BODY[10:20])
    assert ask(port, f"/{KEY}", headers={"If-None-Match": headers["etag"]})[0] == 304
    assert ask(port, f"/{KEY}", "HEAD")[2] == b""


def test_a_viewers_own_credentials_do_not_matter(port: int) -> None:
    assert ask(port, f"/{KEY}", headers={"Authorization": "Bearer x", "Cookie": "a=b"})[0] == 200


@pytest.mark.parametrize(
    "path",
    [
        "/cdn/../sources/med_1/original",
        "/cdn/%2e%2e/sources/med_1/original",
        "/cdn/..%2fsources/med_1/original",
        "/cdn/..%5csources/med_1/original",
        "/cdn//../sources/med_1/original",
        "/sources/med_1/original",
        f"/{ACTIVE}/sources/med_1/original",
        "/cdn/none/at/all.jpg",
        "/cdn/",
        "/cdn/med_1/",
        "/cdn/med_1/token/",
        f"/{KEY}?response-content-type=text/html",
        f"/{KEY}?acl",
    ],
)
def test_nothing_else_of_the_bucket_can_be_had(port: int, path: str) -> None:
    status, _, body = ask(port, path)
    assert status in (400, 403, 404, 503)
    assert b"private" not in body


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_the_bucket_is_read_only(port: int, method: str) -> None:
    assert ask(port, f"/{KEY}", method)[0] == 405
    assert ask(port, f"/{KEY}")[0] == 200


def test_metrics_stay_inside_and_a_gateway_that_is_away_is_503(port: int) -> None:
    assert ask(port, "/metrics")[0] == 404
    assert ask(port, "/v1/media")[0] == 503
