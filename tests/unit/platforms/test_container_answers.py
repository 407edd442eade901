"""What a service says of a publish, held against what its container says. Answers are scripted."""

from datetime import UTC, datetime, timedelta
from typing import TypeAlias

import httpx
import pytest

from services.platforms.containers import Containers, Dialect, earliest
from services.platforms.graph import Graph, Meaning, Service
from services.platforms.ports import (
    JSON,
    Absent,
    Account,
    CannotTell,
    Fault,
    OutcomeUnknown,
    PlatformError,
    Receipt,
)  # fmt: skip

Answer: TypeAlias = tuple[int, dict[str, JSON]]

NOW = datetime.now(UTC)
LOST = {"error": {"code": 24}}
FAILED = PlatformError(Fault.PERMANENT, "media_refused", "It is broken.")
DIALECT = Dialect("/make", "/publish", "status", "why", lambda reason: FAILED, ("/quota", "used", "config"))


def meaning(code: int, subcode: int, message: str) -> Meaning | None:
    """One of its own."""
    return (Fault.REBUILD, "container_lost") if code == 24 else None


SERVICE = Service("Paper", "https://graph.example", "/v1", "paper_refresh", "id", meaning)


def containers(*answers: Answer) -> Containers:
    """An account whose requests are answered so, one after the other."""
    left = list(answers)

    def answer(_: httpx.Request) -> httpx.Response:
        status, said = left.pop(0)
        return httpx.Response(status, json=said)

    http = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    return Containers(Graph(SERVICE, http, Account("acc", None, {"access_token": "t"})), DIALECT, "7")


@pytest.mark.parametrize(
    "answers",
    [
        [(503, {})],
        [(302, {})],
        [(200, {})],
        [(400, {"error": {"code": 2}})],
        [(400, {"error": {"code": -1}})],
        [(400, LOST), (200, {"status": "PUBLISHED"})],
        [(400, {"error": {"code": 100}}), (200, {"status": "PUBLISHED"})],
        [(400, {"error": {"code": 100}}), (503, {})],
    ],
)
async def test_it_may_have_been_published(answers: list[Answer]) -> None:
    with pytest.raises(OutcomeUnknown):
        await containers(*answers).publish("1")


@pytest.mark.parametrize(
    ("answers", "fault", "code"),
    [
        ([(400, {"error": {"code": 190}})], Fault.ACCOUNT, "credentials_refused"),
        ([(400, {"error": {"code": 4}})], Fault.TRANSIENT, "rate_limited"),
        ([(400, LOST), (200, {"status": "IN_PROGRESS"})], Fault.NOT_READY, "media_processing"),
        ([(400, LOST), (200, {"status": "EXPIRED"})], Fault.REBUILD, "container_expired"),
        ([(400, LOST), (200, {"status": "ERROR", "why": "X"})], Fault.PERMANENT, "media_refused"),
        ([(400, LOST), (200, {"status": "FINISHED"})], Fault.TRANSIENT, "container_lost"),
        ([(400, LOST), (400, {"error": {"code": 100}})], Fault.REBUILD, "container_lost"),
        ([(400, {"error": {"code": 100}}), (200, {"status": "FINISHED"})], Fault.PERMANENT, "post_refused"),
    ],
)
async def test_it_was_not_published(answers: list[Answer], fault: Fault, code: str) -> None:
    with pytest.raises(PlatformError) as caught:
        await containers(*answers).publish("1")
    assert (caught.value.fault, caught.value.code) == (fault, code)


async def nobody(since: datetime) -> Receipt | None:
    """A list without the post."""
    return None


async def forbidden(since: datetime) -> Receipt | None:
    """A list the account may not see."""
    raise PlatformError(Fault.ACCOUNT, "not_permitted", "No.")


async def test_a_post_that_is_live_is_so_whoever_may_list_it() -> None:
    now = datetime.now(UTC)
    for find in (nobody, forbidden):
        for began, outcome in ((now, CannotTell()), (now - timedelta(minutes=3), Receipt("", None))):
            found = await containers((200, {"status": "PUBLISHED"})).outcome("1", began, find)
            assert found == outcome


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ((200, {"status": "FINISHED"}), Absent(safe_to_send=True)),
        ((200, {"status": "EXPIRED"}), Absent(safe_to_send=True)),
        ((200, {"status": "ERROR"}), Absent(safe_to_send=True)),
        ((200, {"status": "IN_PROGRESS"}), CannotTell()),
        ((200, {"status": "SOMETHING"}), CannotTell()),
        ((400, {"error": {"code": 100}}), CannotTell()),
    ],
)
async def test_what_a_container_says_afterwards(answer: Answer, outcome: Absent | CannotTell) -> None:
    assert await containers(answer).outcome("1", NOW, nobody) == outcome


def test_the_first_post_of_these_words_since_then() -> None:
    data: list[JSON] = [
        {"id": "4", "text": "words", "timestamp": "2026-11-25T10:00:30+0000"},
        {"id": "3", "text": " the\nwords ", "timestamp": "2026-11-25T10:00:20+0000"},
        {"id": "2", "text": "the words", "timestamp": "2026-11-25T10:00:10+0000"},
        {"id": "1", "text": "the words", "timestamp": "2026-11-25T09:00:00+0000"},
        {"id": "0", "text": "the words", "timestamp": "once"},
        "no post",
    ]
    since = datetime(2026, 11, 25, 10, tzinfo=UTC)
    assert earliest({"data": data}, "text", "the words", since)["id"] == "2"
    assert earliest({"data": data}, "text", None, since)["id"] == "2"
    assert earliest({"data": data}, "text", "other", since) == {}
