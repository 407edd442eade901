"""A refresh token that is taken once, wanted by many targets of several publishers at once."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace

import httpx
import pytest

from services.common import db
from services.platforms import oauth
from services.platforms.ports import JSON, Account, Draft, Fault, PlatformError, Progress, VerifiedAccount
from services.publisher.adapters.postgres import accounts, deliveries, posts
from services.publisher.app.connecting import AccountInput
from services.publisher.domain.account import AccountStatus
from services.publisher.domain.post import PostStatus
from tests.integration.publisher.conftest import POLICY, TOKEN, Stage
from tests.integration.publisher.upstream import Gazette

TARGETS = 8
CREDENTIALS = {"token": TOKEN, "access_token": "old", "refresh_token": "first", "client_id": "app"}
END_S = 60.0


@dataclass
class Subscribed(Gazette):
    """The Gazette for whoever has a new token. tried: how often accounts were; refuses: them all."""

    tried: int = 0
    refuses: bool = False

    async def verify(self, http: httpx.AsyncClient, account: Account) -> VerifiedAccount:
        self.tried += 1
        if self.refuses:
            raise PlatformError(Fault.ACCOUNT, "credentials_refused", "No.")
        return await Gazette.verify(self, http, account)

    async def prepare(
        self, http: httpx.AsyncClient, account: Account, draft: Draft, progress: Progress
    ) -> Mapping[str, JSON]:
        if account.credentials["access_token"] == "old":
            raise await oauth.renew(http, account, f"{account.base_url}/token", platform="The Gazette")
        return await Gazette.prepare(self, http, account, draft, progress)


@pytest.fixture
async def publishers(stage: Stage, publisher_url: str) -> AsyncIterator[tuple[Stage, Stage]]:
    """Two, each with connections of its own, and the account of both."""
    first = stage.rebuilt(publishers={"gazette": Subscribed()}, policy=replace(POLICY, lease_s=END_S))
    wanted = AccountInput(platform="gazette", display_name="", credentials=CREDENTIALS, service_url=stage.upstream.url)
    await first.app.connect.create(stage.caller, wanted, "acc_1")
    async with db.connect(publisher_url, schema=posts.SCHEMA) as database:
        yield (
            first,
            first.rebuilt(
                accounts=accounts.PostgresAccounts(database), deliveries=deliveries.PostgresDeliveries(database)
            ),
        )


async def test_one_renews_and_the_others_take_it_up(publishers: tuple[Stage, Stage]) -> None:
    one, other = publishers
    begun, may_answer = asyncio.Event(), asyncio.Event()

    async def slowly(token: str) -> None:
        begun.set()
        await may_answer.wait()

    one.upstream.renewing = slowly
    made = [await one.post() for _ in range(TARGETS)]
    async with asyncio.timeout(END_S):
        claims = await one.claim()
        assert len(claims) == TARGETS
        renewing = asyncio.create_task(one.app.engine.deliver(claims[0]))
        await begun.wait()
        waiting = [(one, other)[n % 2].app.engine.deliver(claim) for n, claim in enumerate(claims[1:])]
        assert None not in await asyncio.gather(*waiting)  # each is due again, none has failed
        may_answer.set()
        assert await renewing is not None
        ends = await asyncio.gather(*((one, other)[n % 2].settled(post, END_S) for n, post in enumerate(made)))
    assert {post.status for post in ends} == {PostStatus.PUBLISHED}
    assert one.upstream.renewals == ["first"]
    assert (await one.app.connect.get(one.caller, "acc_1")).status is AccountStatus.ACTIVE


async def test_many_at_once_spend_it_once(publishers: tuple[Stage, Stage]) -> None:
    one, other = publishers
    made = [await one.post() for _ in range(TARGETS)]
    async with asyncio.timeout(END_S):
        claims = await one.claim()
        await asyncio.gather(*((one, other)[n % 2].app.engine.deliver(claim) for n, claim in enumerate(claims)))
        ends = await asyncio.gather(*((one, other)[n % 2].settled(post, END_S) for n, post in enumerate(made)))
    assert {post.status for post in ends} == {PostStatus.PUBLISHED}
    assert one.upstream.renewals == ["first"]
    assert (await one.app.connect.get(one.caller, "acc_1")).status is AccountStatus.ACTIVE


async def test_what_was_renewed_is_dropped_if_the_owner_connected_the_account_again_meanwhile(
    publishers: tuple[Stage, Stage],
) -> None:
    one, _ = publishers

    async def reconnects(token: str) -> None:
        again = {**CREDENTIALS, "access_token": "of the owner", "refresh_token": "of the owner"}
        wanted = AccountInput(platform="gazette", display_name="", credentials=again, service_url=one.upstream.url)
        await one.app.connect.create(one.caller, wanted, "acc_1")

    one.upstream.renewing = reconnects
    made = await one.post()
    async with asyncio.timeout(END_S):
        assert (await one.settled(made, END_S)).status is PostStatus.PUBLISHED
    assert one.upstream.renewals == ["first"]
    sealed = await one.world.accounts.sealed(one.caller, "acc_1")
    assert sealed is not None
    kept = await one.world.vault.open(one.caller.workspace_id, "acc_1", sealed)
    assert (kept["access_token"], kept["refresh_token"]) == ("of the owner", "of the owner")


async def test_an_account_nobody_used_for_a_week_is_tried_by_one_and_then_left_for_a_week(
    publishers: tuple[Stage, Stage],
) -> None:
    one, other = publishers
    accounts, gazette = one.world.accounts, one.world.publishers["gazette"]
    assert isinstance(gazette, Subscribed)

    def pass_days(days: float) -> None:
        one.sql("UPDATE publisher.accounts SET verify_at = verify_at - make_interval(secs => %s)", days * 86_400)

    pass_days(6.9)
    assert await accounts.take_unverified(10) == []
    pass_days(0.2)
    await asyncio.gather(one.app.verify_account.due(), other.app.verify_account.due())
    assert gazette.tried == 2  # once when it was connected
    pass_days(6.2)
    await one.app.verify_account.due()
    assert gazette.tried == 2
    pass_days(1.5)
    gazette.refuses = True
    await one.app.verify_account.due()
    assert (await one.app.connect.get(one.caller, "acc_1")).status is AccountStatus.INVALID
    assert one.told_of("acc_1") == ["account_invalid"]
    pass_days(30)
    assert await accounts.take_unverified(10) == []  # its owner knows
    gazette.refuses = False
    assert (await one.app.verify_account(one.caller, "acc_1")).status is AccountStatus.ACTIVE


async def test_an_account_connected_again_is_found_by_what_its_platform_calls_it(
    publishers: tuple[Stage, Stage],
) -> None:
    one, _ = publishers
    again = AccountInput(platform="gazette", display_name="", credentials=CREDENTIALS, service_url=one.upstream.url)
    assert (await one.app.connect.create(one.caller, again)).account_id == "acc_1"
    accounts, other = one.world.accounts, replace(one.caller, live=not one.caller.live)
    assert (found := await accounts.same(one.caller, "gazette", "gazette-1", one.upstream.url))
    assert found.account_id == "acc_1"
    for who, platform, external_id, service_url in (
        (other, "gazette", "gazette-1", one.upstream.url),
        (one.caller, "other", "gazette-1", one.upstream.url),
        (one.caller, "gazette", "gazette-2", one.upstream.url),
        (one.caller, "gazette", "gazette-1", None),
    ):
        assert await accounts.same(who, platform, external_id, service_url) is None


async def test_an_account_whose_platform_is_away_is_tried_again_within_the_hour(
    publishers: tuple[Stage, Stage],
) -> None:
    one, _ = publishers
    one.sql("UPDATE publisher.accounts SET verify_at = now()")
    [(caller, account_id)] = await one.world.accounts.take_unverified(10)
    assert (caller, account_id) == (one.caller, "acc_1")
    assert await one.world.accounts.take_unverified(10) == []
    one.sql("UPDATE publisher.accounts SET verify_at = verify_at - interval '1 hour'")
    assert len(await one.world.accounts.take_unverified(10)) == 1


async def test_the_right_ends_with_who_died_and_is_not_given_for_credentials_of_yesterday(
    publishers: tuple[Stage, Stage],
) -> None:
    mine, theirs = (stage.world.accounts for stage in publishers)
    caller = publishers[0].caller
    sealed = await mine.sealed(caller, "acc_1")
    assert sealed is not None
    async with mine.renewing(caller, "acc_1", sealed.blob, END_S) as first:
        async with theirs.renewing(caller, "acc_1", sealed.blob, END_S) as second:
            assert (first, second) == (True, False)
        async with theirs.renewing(caller, "acc_1", sealed.blob, END_S) as third:
            assert not third  # whoever was refused has not ended the other's
    async with (
        mine.renewing(caller, "acc_1", sealed.blob, 0) as late,
        theirs.renewing(caller, "acc_1", sealed.blob, END_S) as heir,
    ):
        assert late
        assert heir  # the first one's time was over
    async with mine.renewing(caller, "acc_1", b"yesterday", END_S) as outdated:
        assert not outdated
