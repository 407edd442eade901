"""Idempotency-Key: what a repeated request gets, whoever else is asking."""

import asyncio
from dataclasses import dataclass, field

import pytest

from services.common.errors import Code, MediaError
from services.gateway import idempotency
from services.gateway.domain import replays
from services.gateway.domain.replays import Prior, Scope, StoredAnswer
from services.gateway.idempotency import Idempotency

SCOPE = Scope("ws_1", "test:/x", "key")
ANSWER = StoredAnswer(201, (("location", "/v1/x"),), b"{}")


@dataclass
class Table:
    """ports.Replays in memory; leases end when a test says so."""

    rows: dict[Scope, tuple[str, Prior]] = field(default_factory=dict)
    extended: int = 0
    away: bool = False

    async def claim(self, scope: Scope, *, token: str, fingerprint: bytes | None, lease_s: float) -> Prior | None:
        if scope in self.rows:
            return self.rows[scope][1]
        self.rows[scope] = (token, Prior(fingerprint, None))
        return None

    async def extend(self, scope: Scope, *, token: str, lease_s: float) -> None:
        if self.away:
            raise MediaError(Code.UNAVAILABLE)
        self.extended += self.rows[scope][0] == token

    async def settle(self, scope: Scope, *, token: str, fingerprint: bytes, answer: StoredAnswer) -> None:
        assert self.rows[scope][0] == token
        self.rows[scope] = (token, Prior(fingerprint, answer))

    async def release(self, scope: Scope, *, token: str) -> None:
        if self.rows.get(scope, ("",))[0] == token:
            del self.rows[scope]

    async def forget_old(self) -> int:
        return 0


def guard(table: Table) -> Idempotency:
    tokens = iter(f"tok_{number}" for number in range(100))
    return Idempotency(table, new_token=lambda: next(tokens))


async def code_of(once: Idempotency, fingerprint: bytes | None) -> Code:
    with pytest.raises(MediaError) as caught:
        async with once.claim(SCOPE, fingerprint) as claim:
            claim.replay(fingerprint or b"")
    return caught.value.code


@pytest.mark.parametrize(
    ("status", "kept"),
    [
        *((status, True) for status in (200, 201, 202, 204, 400, 404, 413, 422)),
        *((status, False) for status in (304, 401, 403, 408, 409, 423, 429, 500, 503)),
    ],
)
def test_only_the_last_word_is_kept(status: int, kept: bool) -> None:
    assert replays.worth_keeping(status) is kept


async def test_the_first_answer_is_shown_again() -> None:
    once = guard(Table())
    async with once.claim(SCOPE, b"a") as claim:
        assert claim.prior is None
        await claim.settle(b"a", ANSWER)
    async with once.claim(SCOPE, b"a") as claim:
        assert claim.replay(b"a") == ANSWER


async def test_other_content_is_a_conflict() -> None:
    once = guard(Table())
    async with once.claim(SCOPE, b"a") as claim:
        await claim.settle(b"a", ANSWER)
    assert await code_of(once, b"b") is Code.IDEMPOTENCY_CONFLICT


async def test_an_uploads_content_is_compared_once_it_is_known() -> None:
    once = guard(Table())
    async with once.claim(SCOPE, None) as claim:
        await claim.settle(b"a", ANSWER)
    async with once.claim(SCOPE, None) as claim:
        assert claim.replay(b"a") == ANSWER
        with pytest.raises(MediaError) as caught:
            claim.replay(b"b")
    assert caught.value.code is Code.IDEMPOTENCY_CONFLICT


@pytest.mark.parametrize("fingerprint", [b"a", None])
async def test_a_second_request_does_not_wait_for_the_first(fingerprint: bytes | None) -> None:
    once = guard(Table())
    async with once.claim(SCOPE, fingerprint):
        assert await code_of(once, fingerprint) is Code.IDEMPOTENCY_IN_PROGRESS


async def test_a_request_that_failed_leaves_the_key_free() -> None:
    table = Table()
    with pytest.raises(RuntimeError):
        async with guard(table).claim(SCOPE, b"a"):
            raise RuntimeError
    assert table.rows == {}


async def test_a_passing_fault_is_not_kept() -> None:
    table = Table()
    async with guard(table).claim(SCOPE, b"a") as claim:
        await claim.settle(b"a", StoredAnswer(503, (), b""))
    assert table.rows == {}


async def test_an_answer_is_kept_once() -> None:
    table = Table()
    async with guard(table).claim(SCOPE, b"a") as claim:
        await claim.settle(b"a", ANSWER)
        await claim.settle(b"a", StoredAnswer(200, (), b"other"))
    assert table.rows[SCOPE][1].answer == ANSWER


@pytest.mark.parametrize("away", [False, True])
async def test_a_long_request_holds_on(monkeypatch: pytest.MonkeyPatch, away: bool) -> None:
    monkeypatch.setattr(idempotency, "LEASE_S", 0.003)
    table = Table(away=away)
    async with guard(table).claim(SCOPE, b"a") as claim:
        await asyncio.sleep(0.02)
        table.away = False
        await asyncio.sleep(0.02)
        await claim.settle(b"a", ANSWER)
    extended = table.extended
    assert extended > 0
    await asyncio.sleep(0.01)
    assert table.extended == extended
