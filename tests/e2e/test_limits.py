"""Quotas and rates through the public API, on a plan that includes next to nothing.

The names of the cases are the rows of the list of attacks.
"""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from deploy.local.stack import Stack
from services.common import ids
from tests import media
from tests.e2e.client import Client, body

# `make creates` makes so many that a large plan is full.
CREATES = int(os.environ.get("CREATES", "30"))
PLAN, MOST = ("business", 1_000) if CREATES > 1_000 else ("free", 2)


def customer(stack: Stack, plan: str) -> Client:
    workspace_id = ids.new("ws")
    stack.tenant.create_workspace(workspace_id, "Test", plan=plan)
    return Client(stack.url, stack.tenant.issue_key(workspace_id))


@pytest.fixture
def free(tight: Stack) -> Iterator[Client]:
    """A workspace that may hold four items and two uploads, of a megabyte in all."""
    found = customer(tight, "free")
    yield found
    found.close()


def full(answer: httpx.Response) -> tuple[str, int, int]:
    """Which quota it is, its limit and what is used."""
    assert answer.status_code == 429, answer.text
    error = answer.json()["error"]
    assert error["code"] == "quota_exceeded"
    assert int(answer.headers["retry-after"]) == error["details"]["retryAfterS"] > 0
    return error["details"]["quota"], error["details"]["limit"], error["details"]["used"]


def begin(client: Client, size_bytes: int = 1_000, **fields: object) -> httpx.Response:
    return client.http.post("/v1/uploads", json={"filename": "a.jpg", "sizeBytes": size_bytes, **fields})


def test_b11_items_are_bounded_and_a_deleted_one_makes_room(free: Client) -> None:
    data = media.jpeg(64, 64)
    stored = [body(free.upload(data))["id"] for _ in range(4)]
    assert full(free.upload(data)) == ("media", 4, 4)
    assert full(begin(free)) == ("media", 4, 4)
    assert free.http.delete(f"/v1/media/{stored[0]}").status_code == 204
    body(free.upload(data))


def test_b11_bytes_are_bounded_as_declared_and_as_they_come(free: Client) -> None:
    url = begin(free, 950_000).headers["location"]
    assert full(begin(free, 50_001)) == ("bytes", 1_000_000, 950_000)
    assert full(free.upload(media.jpeg(64, 64) + bytes(60_000))) == ("bytes", 1_000_000, 950_000)
    assert free.http.delete(url).status_code == 204
    body(free.upload(media.jpeg(64, 64) + bytes(60_000)))


def test_b11_of_many_uploads_begun_at_once_as_many_are_as_may_be(free: Client) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: begin(free), range(8)))
    assert sorted(answer.status_code for answer in answers) == [201] * 2 + [429] * 6
    assert {full(answer) for answer in answers if answer.status_code == 429} == {("uploads", 2, 2)}
    refused = httpx.Headers(next(answer.headers for answer in answers if answer.status_code == 429))
    assert int(refused["retry-after"]) <= 60


def test_b11_ten_thousand_creates_hold_what_the_plan_holds(tight: Stack) -> None:
    client = customer(tight, PLAN)
    headers = {"tus-resumable": "1.0.0", "upload-length": "10"}
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: client.http.post("/v1/uploads", headers=headers), range(CREATES)))
    made = [answer for answer in answers if answer.status_code == 201]
    codes = {answer.json()["error"]["code"] for answer in answers if answer.status_code != 201}
    assert (len(made), codes) == (MOST, {"quota_exceeded"})
    client.close()


def test_requests_are_bounded_by_kind_and_every_answer_tells_how_many_are_left(free: Client) -> None:
    answers = [free.http.get("/v1/media") for _ in range(45)]
    assert {answer.headers["ratelimit-policy"] for answer in answers} == {'"reads";q=40;w=240'}
    allowed = [answer for answer in answers if answer.status_code == 200]
    refused = [answer for answer in answers if answer.status_code == 429]
    # One comes back every six seconds.
    assert len(allowed) + len(refused) == 45
    assert 40 <= len(allowed) < 45
    assert answers[0].headers["ratelimit"].startswith('"reads";r=39;t=')
    error = refused[0].json()["error"]
    assert (error["code"], error["details"]["kind"]) == ("rate_limited", "reads")
    assert 1 <= int(refused[0].headers["retry-after"]) <= 6
    assert refused[0].headers["ratelimit"].startswith('"reads";r=0;t=')
    written = begin(free)
    assert written.status_code == 201
    assert written.headers["ratelimit"].startswith('"writes";r=39;')
    asked = free.http.put(written.headers["location"], headers={"content-range": "bytes */1000"})
    assert (asked.status_code, asked.headers["ratelimit"][:12]) == (308, '"pieces";r=3')


def test_who_has_no_key_is_told_of_no_limits(tight: Stack) -> None:
    with httpx.Client(base_url=tight.url, trust_env=False) as nobody:
        answer = nobody.get("/v1/media")
    assert answer.status_code == 401
    assert "ratelimit" not in answer.headers
