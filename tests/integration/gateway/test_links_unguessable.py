"""Links to renditions: nobody finds one who was not told, and a deleted item's end with it."""

import base64
import time
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest

from deploy.local.ports import HOST
from deploy.local.s3 import ACTIVE
from tests.integration.gateway.conftest import Service, Workspace
from tests.media import jpeg

MIN_BITS = 128


@dataclass(frozen=True, slots=True)
class Link:
    """`/cdn/<media_id>/<token>/<name>`, and whose it is."""

    customer: Workspace
    media_id: str
    token: str
    name: str

    @property
    def path(self) -> str:
        return f"/cdn/{self.media_id}/{self.token}/{self.name}"


def links(customer: Workspace, media_id: str) -> list[Link]:
    """All that the item's representation tells."""
    variants = customer.http.get(f"/v1/media/{media_id}").json()["variants"]
    urls = [httpx.URL(variant["url"]) for variant in variants if variant.get("url")]
    assert urls
    return [Link(customer, media_id, *url.path.split("/")[3:]) for url in urls]


@pytest.fixture(scope="module")
def link(service: Service) -> Iterator[Link]:
    """One of an item that stays."""
    with service.customer() as customer:
        yield links(customer, customer.media()["id"])[0]


def fetched(service: Service, path: str) -> int:
    """Status of a GET through Envoy, without any key."""
    return httpx.get(f"http://{HOST}:{service.stack.ports.edge}{path}", timeout=20, trust_env=False).status_code


@pytest.mark.parametrize("count", [4], ids=["S4-bits"])
def test_a_link_holds_as_much_chance_as_a_key(service: Service, count: int) -> None:
    """The same picture, the same workspace, the same name: what differs is chance alone."""
    with service.customer() as customer:
        items = [customer.media(jpeg(320, 240))["id"] for _ in range(count)]
        found = [{link.token for link in links(customer, media_id)} for media_id in items]
    assert len(set().union(*found)) == count  # one each, and no two alike
    for token in set().union(*found):
        chance = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        assert len(chance) * 8 >= MIN_BITS
        assert len(set(chance)) > len(chance) // 2  # not a number with zeros before it


@pytest.mark.parametrize(
    "cut", [pytest.param(cut, id=f"S4-listing-{cut}") for cut in ("bucket", "cdn", "item", "token", "bare-item")]
)
def test_no_folder_is_listed(service: Service, link: Link, cut: str) -> None:
    folders = {
        "bucket": f"/{ACTIVE}/",
        "cdn": "/cdn/",
        "item": f"/cdn/{link.media_id}/",
        "token": f"/cdn/{link.media_id}/{link.token}/",
        "bare-item": f"/cdn/{link.media_id}",
    }
    assert fetched(service, link.path) == 200
    assert fetched(service, folders[cut]) == 404


@pytest.mark.parametrize(
    "query",
    [
        pytest.param(query, id=f"S4-query-{query.partition('=')[0]}")
        for query in (
            "list-type=2",
            "prefix=cdn/",
            "acl",
            "uploads",
            "versions",
            "X-Amz-Signature=0",
            "response-content-type=text/html",
            "x=1",
            "",
        )
    ],
)
def test_a_query_is_refused(service: Service, link: Link, query: str) -> None:
    assert fetched(service, f"{link.path}?{query}") == 404
    assert fetched(service, f"/cdn/?{query}") == 404


@pytest.mark.parametrize("guess", [pytest.param(guess, id=f"S4-guess-{guess}") for guess in ("none", "other", "near")])
def test_a_link_that_is_not_quite_right_is_nothing(service: Service, link: Link, guess: str) -> None:
    with service.customer() as customer:
        other = links(customer, customer.media()["id"])[0].token
    near = link.token[:-2] + ("AA" if link.token[-2:] != "AA" else "BA")
    token = {"none": "original", "other": other, "near": near}[guess]
    assert fetched(service, f"/cdn/{link.media_id}/{token}/{link.name}") == 404


@pytest.mark.parametrize("times", [3], ids=["S4-deleted"])
def test_a_deleted_items_links_are_nothing_and_stay_so(service: Service, times: int) -> None:
    with service.customer() as customer:
        media_id = customer.media()["id"]
        paths = [link.path for link in links(customer, media_id)]
        assert {fetched(service, path) for path in paths} == {200}
        assert customer.http.delete(f"/v1/media/{media_id}").status_code == 204
        until_gone(service, paths)
        for _ in range(times):
            assert {fetched(service, path) for path in paths} == {404}


def until_gone(service: Service, paths: list[str], *, within_s: float = 20) -> None:
    """The item is gone at once; its objects go behind it."""
    ends = time.monotonic() + within_s
    while {fetched(service, path) for path in paths} != {404}:
        assert time.monotonic() < ends
        time.sleep(0.1)
