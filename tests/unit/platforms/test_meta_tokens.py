"""Tokens of 60 days: refreshed in time, by one post at a time, and never instead of posting."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx
import pytest

from services.platforms import graph
from services.platforms.graph import REFRESH_EVERY_S, Graph, Service
from services.platforms.ports import Account, Fault, PlatformError

SERVICE = Service("Paper", "https://graph.example", "/v1", "paper_refresh", "id", lambda code, subcode, message: None)
NOW = 1_800_000_000


@dataclass
class Kept:
    """What became of an account. ours: who refreshes is this post; held: it holds the right to while it saves."""

    ours: bool = True
    held: bool = False
    saved: list[tuple[Mapping[str, str], bool]] = field(default_factory=list)
    asked: int = 0

    async def save(self, credentials: Mapping[str, str]) -> None:
        self.saved.append((credentials, self.held))

    @asynccontextmanager
    async def renewing(self) -> AsyncIterator[bool]:
        self.held = self.ours
        yield self.ours
        self.held = False


async def keep_fresh(
    kept: Kept, answer: Callable[[], httpx.Response], refreshed_at: int | None = None
) -> PlatformError | None:
    """How it ended."""

    def refresh(request: httpx.Request) -> httpx.Response:
        kept.asked += 1
        assert (request.url.path, dict(request.url.params)) == (
            "/refresh_access_token", {"grant_type": "paper_refresh", "access_token": "old"},
        )  # fmt: skip
        return answer()

    since = {} if refreshed_at is None else {"refreshed_at": str(refreshed_at)}
    account = Account("acc_1", None, {"access_token": "old", "user_id": "7", **since}, kept.save, kept.renewing)
    async with httpx.AsyncClient(transport=httpx.MockTransport(refresh)) as http:
        try:
            await Graph(SERVICE, http, account).keep_fresh()
        except PlatformError as exc:
            return exc
    return None


@pytest.fixture(autouse=True)
def now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: float(NOW))


def new_token() -> httpx.Response:
    return httpx.Response(200, json={"access_token": "new"})


@pytest.mark.parametrize("age_s", [None, REFRESH_EVERY_S])
async def test_a_token_of_a_week_is_refreshed_and_kept_by_who_may(age_s: int | None) -> None:
    kept = Kept()
    ended = await keep_fresh(kept, new_token, None if age_s is None else NOW - age_s)
    assert ended is not None
    assert (ended.fault, ended.code) == (Fault.NOT_READY, "token_renewed")
    assert kept.saved == [({"access_token": "new", "user_id": "7", "refreshed_at": str(NOW)}, True)]


async def test_a_younger_one_is_left_alone() -> None:
    kept = Kept()
    assert await keep_fresh(kept, new_token, NOW - REFRESH_EVERY_S + 1) is None
    assert (kept.asked, kept.saved) == (0, [])


async def test_what_another_post_refreshes_is_used_as_it_is() -> None:
    kept = Kept(ours=False)
    assert await keep_fresh(kept, new_token) is None
    assert (kept.asked, kept.saved) == (0, [])


def unreachable() -> httpx.Response:
    raise httpx.ConnectError("refused")


@pytest.mark.parametrize(
    "answer",
    [
        unreachable,
        lambda: httpx.Response(503),
        lambda: httpx.Response(429),
        lambda: httpx.Response(400, json={"error": {"code": 2, "message": "Try again"}}),
    ],
    ids=["unreachable", "unavailable", "too-many", "busy"],
)
async def test_a_refresh_that_cannot_be_had_now_keeps_no_post_waiting(answer: Callable[[], httpx.Response]) -> None:
    kept = Kept()
    assert await keep_fresh(kept, answer) is None
    assert (kept.asked, kept.saved, kept.held) == (1, [], False)


async def test_a_platform_that_does_not_answer_is_not_waited_for_past_the_right(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(graph, "EXCHANGE_MAX_S", 0.05)

    async def never(self: Graph) -> None:
        await asyncio.sleep(60)

    monkeypatch.setattr(Graph, "refreshed", never)
    kept = Kept()
    assert await keep_fresh(kept, new_token) is None
    assert (kept.saved, kept.held) == ([], False)


async def test_a_token_that_is_refused_wants_the_account_connected_again() -> None:
    kept = Kept()
    ended = await keep_fresh(kept, lambda: httpx.Response(400, json={"error": {"code": 190}}))
    assert ended is not None
    assert (ended.fault, ended.code, kept.saved) == (Fault.ACCOUNT, "credentials_refused", [])


async def test_a_sort_of_token_that_is_never_refreshed_is_not_asked_for_again() -> None:
    kept = Kept()
    ended = await keep_fresh(kept, lambda: httpx.Response(400, json={"error": {"code": 100}}))
    assert ended is not None
    assert ended.code == "token_renewed"
    assert [credentials["access_token"] for credentials, _ in kept.saved] == ["old"]
