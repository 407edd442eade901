"""Accounts: tried upstream, sealed, kept for one workspace and mode."""

import asyncio

import httpx
import pytest

from services.common.errors import Code, MediaError
from services.platforms.ports import Fault, PlatformError, ScopeMissingError
from services.publisher.app import connecting
from services.publisher.app.connecting import AccountInput
from services.publisher.domain.account import AccountStatus
from services.publisher.ports import Caller
from tests.unit.publisher.bench import ACCOUNT_ID, Bench
from tests.unit.publisher.fakes import ALICE

LIVE = Caller("ws_a", live=True)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def given(**changed: object) -> AccountInput:
    fields: dict[str, object] = {
        "platform": "paper", "display_name": "", "credentials": {"token": "t"}, "service_url": None,
    }  # fmt: skip
    return AccountInput(**{**fields, **changed})  # type: ignore[arg-type]


async def refused(awaitable: object) -> MediaError:
    with pytest.raises(MediaError) as caught:
        await awaitable  # type: ignore[misc]
    return caught.value


async def test_an_account_is_tried_upstream_and_named_as_the_platform_does(bench: Bench) -> None:
    account = await bench.app.connect.create(ALICE, given())
    assert (account.display_name, account.external_id) == ("Paper of record", "ext_1")
    [tried] = bench.paper.accounts
    assert (tried.base_url, tried.credentials) == ("http://sandbox/paper", {"token": "t"})
    assert await bench.app.connect.get(ALICE, account.account_id) == account


async def test_the_callers_name_wins(bench: Bench) -> None:
    assert (await bench.app.connect.create(ALICE, given(display_name="Mine"))).display_name == "Mine"


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (PlatformError(Fault.ACCOUNT, "session_refused", "No."), Code.ACCOUNT_CREDENTIALS_INVALID),
        (ScopeMissingError("Paper", ["print", "fold"]), Code.ACCOUNT_SCOPE_MISSING),
        (PlatformError(Fault.PERMANENT, "handle_unknown", "No."), Code.ACCOUNT_CREDENTIALS_INVALID),
        (PlatformError(Fault.TRANSIENT, "upstream_unavailable", "Later."), Code.UPSTREAM_BUSY),
        (httpx.ReadTimeout("slow"), Code.UPSTREAM_BUSY),
        (TimeoutError(), Code.UPSTREAM_BUSY),
    ],
)
async def test_what_the_platform_does_not_take_is_not_kept(bench: Bench, answer: Exception, code: Code) -> None:
    bench.paper.verifying.append(answer)
    before = dict(bench.accounts.rows)
    assert (await refused(bench.app.connect.create(ALICE, given()))).code is code
    assert bench.accounts.rows == before


async def test_a_missing_scope_is_named(bench: Bench) -> None:
    bench.paper.verifying.append(ScopeMissingError("Paper", ["print", "fold"]))
    error = await refused(bench.app.connect.create(ALICE, given()))
    assert error.message == "paper did not grant: print, fold."


async def test_an_unknown_platform_is_said_so(bench: Bench) -> None:
    assert (await refused(bench.app.connect.create(ALICE, given(platform="radio")))).code is Code.PLATFORM_UNKNOWN


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"credentials": {}}, "credentials"),
        ({"credentials": {f"k{n}": "v" for n in range(33)}}, "credentials"),
        ({"credentials": {"token": ""}}, "credentials.token"),
        ({"credentials": {"token": 7}}, "credentials.token"),
        ({"credentials": {"token": "x" * 20_000}}, "credentials.token"),
        ({"display_name": "x" * 201}, "displayName"),
        ({"service_url": "https://paper.example"}, "serviceUrl"),
    ],
)
async def test_a_malformed_request_is_refused_before_anybody_is_asked(
    bench: Bench, changed: dict[str, object], field: str
) -> None:
    error = await refused(bench.app.connect.create(ALICE, given(**changed)))
    assert (error.code, [it.field for it in error.violations]) == (Code.INVALID_REQUEST, [field])
    assert "xxx" not in error.violations[0].message
    assert bench.paper.accounts == []


@pytest.mark.parametrize(
    "url", ["paper.example", "ftp://paper.example", "https://u:p@paper.example", "https://p.example/?a", "https://"]
)
async def test_a_service_url_is_plain(bench: Bench, url: str) -> None:
    error = await refused(bench.app.connect.create(LIVE, given(service_url=url)))
    assert [it.field for it in error.violations] == ["serviceUrl"]


@pytest.mark.parametrize("url", ["http://sandbox/paper", "HTTP://SANDBOX:80", "http://sandbox"])
async def test_a_live_account_does_not_reach_the_sandbox(bench: Bench, url: str) -> None:
    error = await refused(bench.app.connect.create(LIVE, given(service_url=url)))
    assert [it.field for it in error.violations] == ["serviceUrl"]
    assert bench.paper.accounts == []


async def test_a_live_account_is_reached_where_it_says_or_in_public(bench: Bench) -> None:
    await bench.app.connect.create(LIVE, given(service_url="https://paper.example"))
    await bench.app.connect.create(LIVE, given())
    assert [it.base_url for it in bench.paper.accounts] == ["https://paper.example", None]


async def test_connecting_under_the_same_id_again_mends_the_account(bench: Bench) -> None:
    await bench.accounts.invalidate(ALICE, ACCOUNT_ID, b"{}")
    again = await bench.app.connect.create(ALICE, given(credentials={"token": "new"}), ACCOUNT_ID)
    assert (again.account_id, again.status) == (ACCOUNT_ID, AccountStatus.ACTIVE)
    assert len(bench.accounts.rows) == 1


async def test_an_account_connected_again_is_the_same_one(bench: Bench) -> None:
    first = await bench.app.connect.create(ALICE, given(display_name="Mine"))
    sealed = await bench.accounts.sealed(ALICE, first.account_id)
    assert sealed is not None
    await bench.accounts.invalidate(ALICE, first.account_id, sealed.blob)
    again = await bench.app.connect.create(ALICE, given(credentials={"token": "new"}))
    assert (again.account_id, again.display_name, again.status) == (first.account_id, "Mine", AccountStatus.ACTIVE)
    renamed = await bench.app.connect.create(ALICE, given(display_name="Ours"))
    assert (renamed.account_id, renamed.display_name) == (first.account_id, "Ours")


async def test_others_are_not_the_same_one(bench: Bench) -> None:
    first = await bench.app.connect.create(LIVE, given())
    ids = {
        first.account_id,
        (await bench.app.connect.create(ALICE, given())).account_id,
        (await bench.app.connect.create(LIVE, given(service_url="https://paper.example"))).account_id,
        (await bench.app.connect.create(Caller("ws_b", live=True), given())).account_id,
    }
    assert len(ids) == 4


async def test_an_id_taken_in_the_other_mode_is_refused(bench: Bench) -> None:
    error = await refused(bench.app.connect.create(LIVE, given(), ACCOUNT_ID))
    assert [it.field for it in error.violations] == ["id"]


async def test_a_deleted_account_is_gone(bench: Bench) -> None:
    await bench.app.connect.delete(ALICE, ACCOUNT_ID)
    assert (await refused(bench.app.connect.get(ALICE, ACCOUNT_ID))).code is Code.ACCOUNT_NOT_FOUND
    assert (await refused(bench.app.connect.delete(ALICE, ACCOUNT_ID))).code is Code.ACCOUNT_NOT_FOUND


async def test_a_platform_that_never_answers_is_not_waited_for_for_ever(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hangs(*_: object) -> None:
        await asyncio.sleep(10)

    monkeypatch.setattr(connecting, "VERIFY_MAX_S", 0.01)
    monkeypatch.setattr(bench.paper, "verify", hangs)
    assert (await refused(bench.app.connect.create(ALICE, given()))).code is Code.UPSTREAM_BUSY
