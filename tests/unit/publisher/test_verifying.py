"""Accounts tried again: active or invalid as the platform says now, and as they were where it says nothing."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

import httpx
import pytest

from services.common.errors import Code, MediaError
from services.platforms.ports import Account, Fault, PlatformError, ScopeMissingError, VerifiedAccount
from services.publisher.app import verifying
from services.publisher.domain.account import AccountStatus
from services.publisher.ports import Caller
from tests.unit.publisher.bench import ACCOUNT_ID, Bench, Paper
from tests.unit.publisher.fakes import ALICE

BOB = Caller("ws_b", live=False)


@pytest.fixture
def bench() -> Bench:
    return Bench()


async def keeps(bench: Bench, credentials: Mapping[str, str]) -> bool:
    """Whether these are the account's. The vault here seals the same to the same."""
    sealed = await bench.accounts.sealed(ALICE, ACCOUNT_ID)
    assert sealed is not None
    return sealed.blob == (await bench.vault.seal("ws_a", ACCOUNT_ID, credentials)).blob


async def refused(awaitable: object) -> MediaError:
    with pytest.raises(MediaError) as caught:
        await awaitable  # type: ignore[misc]
    return caught.value


async def test_one_the_platform_takes_is_active_also_if_it_was_not(bench: Bench) -> None:
    assert (await bench.app.verify_account(ALICE, ACCOUNT_ID)).status is AccountStatus.ACTIVE
    await bench.accounts.invalidate(ALICE, ACCOUNT_ID, bench.accounts.rows["ws_a", ACCOUNT_ID][1].blob)
    assert (await bench.app.connect.get(ALICE, ACCOUNT_ID)).status is AccountStatus.INVALID
    assert (await bench.app.verify_account(ALICE, ACCOUNT_ID)).status is AccountStatus.ACTIVE
    assert [it.base_url for it in bench.paper.accounts] == ["http://sandbox/paper"] * 2


@pytest.mark.parametrize(
    "answer",
    [
        PlatformError(Fault.ACCOUNT, "credentials_refused", "No."),
        PlatformError(Fault.PERMANENT, "account_gone", "No."),
        ScopeMissingError("Paper", ["print"]),
    ],
)
async def test_one_the_platform_refuses_is_invalid(bench: Bench, answer: Exception) -> None:
    bench.paper.verifying.append(answer)
    assert (await bench.app.verify_account(ALICE, ACCOUNT_ID)).status is AccountStatus.INVALID


@pytest.mark.parametrize(
    "answer",
    [
        PlatformError(Fault.TRANSIENT, "upstream_unavailable", "Later."),
        PlatformError(Fault.NOT_READY, "token_renewing", "Another post does."),
        PlatformError(Fault.QUOTA, "daily_limit", "Tomorrow."),
        httpx.ReadTimeout("slow"),
        TimeoutError(),
    ],
)
async def test_one_the_platform_says_nothing_of_is_as_it_was(bench: Bench, answer: Exception) -> None:
    bench.paper.verifying.append(answer)
    assert (await refused(bench.app.verify_account(ALICE, ACCOUNT_ID))).code is Code.UPSTREAM_BUSY
    assert (await bench.app.connect.get(ALICE, ACCOUNT_ID)).status is AccountStatus.ACTIVE


async def test_a_platform_that_never_answers_is_not_waited_for(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(*_: object) -> None:
        await asyncio.sleep(60)

    monkeypatch.setattr(verifying, "VERIFY_MAX_S", 0.01)
    monkeypatch.setattr(bench.paper, "verify", never)
    assert (await refused(bench.app.verify_account(ALICE, ACCOUNT_ID))).code is Code.UPSTREAM_BUSY


async def test_anothers_account_and_one_that_is_gone_are_unknown(bench: Bench) -> None:
    assert (await refused(bench.app.verify_account(BOB, ACCOUNT_ID))).code is Code.ACCOUNT_NOT_FOUND
    await bench.app.connect.delete(ALICE, ACCOUNT_ID)
    assert (await refused(bench.app.verify_account(ALICE, ACCOUNT_ID))).code is Code.ACCOUNT_NOT_FOUND
    assert bench.paper.accounts == []


@dataclass
class Renewing(Paper):
    """A platform whose tokens are renewed when they are tried."""

    async def verify(self, http: httpx.AsyncClient, account: Account) -> VerifiedAccount:
        async with account.renewing() as ours:
            assert ours
            await account.save({"token": "new"})
        return VerifiedAccount("Paper", "ext_1", {"token": "new", "name": "known"})


async def test_what_was_renewed_and_learned_is_kept() -> None:
    bench = Bench(paper=Renewing())
    assert (await bench.app.verify_account(ALICE, ACCOUNT_ID)).status is AccountStatus.ACTIVE
    assert await keeps(bench, {"token": "new", "name": "known"})


async def test_what_the_owner_gave_meanwhile_is_not_replaced(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    async def reconnected(http: httpx.AsyncClient, account: Account) -> VerifiedAccount:
        old = await bench.accounts.sealed(ALICE, ACCOUNT_ID)
        assert old is not None
        given = await bench.vault.seal("ws_a", ACCOUNT_ID, {"token": "of the owner"})
        await bench.accounts.replace_credentials(ALICE, ACCOUNT_ID, given, instead_of=old.blob)
        return VerifiedAccount("Paper", "ext_1", account.credentials)

    monkeypatch.setattr(bench.paper, "verify", reconnected)
    await bench.app.verify_account(ALICE, ACCOUNT_ID)
    assert await keeps(bench, {"token": "of the owner"})


async def test_a_round_tries_all_that_are_due_whatever_becomes_of_one(bench: Bench) -> None:
    bench.accounts.connect("paper", "acc_2")
    bench.accounts.connect("radio", "acc_3")
    bench.accounts.unverified = [(ALICE, "acc_3"), (ALICE, "acc_gone"), (ALICE, ACCOUNT_ID), (ALICE, "acc_2")]
    bench.paper.verifying.append(PlatformError(Fault.ACCOUNT, "credentials_refused", "No."))
    await bench.app.verify_account.due()
    statuses = [(await bench.app.connect.get(ALICE, it)).status for it in (ACCOUNT_ID, "acc_2", "acc_3")]
    assert statuses == [AccountStatus.INVALID, AccountStatus.ACTIVE, AccountStatus.ACTIVE]
    assert bench.accounts.unverified == []
