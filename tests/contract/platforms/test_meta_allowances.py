"""Our publishers against Meta's allowances of requests: told, kept, and refused past their end."""

import json

import httpx
import pytest

from services.platforms.graph import HEEDED_FROM, PAUSE_S
from services.platforms.ports import Account, Draft, Fault, PlatformError
from tests.contract.platforms import samples
from tests.contract.platforms.cdn import Cdn
from tests.contract.platforms.playing import Played, Sandboxes
from tests.contract.platforms.samples import Steps, draft

CODES = {"facebook": 80001, "instagram": 80002, "threads": 4}


def used(answer: httpx.Response) -> int:
    """Percent."""
    if "x-app-usage" in answer.headers:
        return int(json.loads(answer.headers["x-app-usage"])["call_count"])
    ((use,),) = json.loads(answer.headers["x-business-use-case-usage"]).values()
    assert use["estimated_time_to_regain_access"] == (use["call_count"] > 100)
    return int(use["call_count"])


async def asked(played: Played, token: str) -> httpx.Response:
    version = "v1.0" if played.publisher.id == "threads" else "v25.0"
    return await played.http.get(f"{played.url}/{version}/me", headers={"Authorization": f"Bearer {token}"})


async def refused(played: Played, account: Account, wanted: Draft) -> PlatformError:
    """Of posts one after the other, the first that is."""
    for _ in range(40):
        try:
            await played.published(account, wanted)
        except PlatformError as exc:
            return exc
    raise AssertionError("none was refused")


@pytest.mark.parametrize("platform", CODES)
async def test_posts_wait_before_the_allowance_is_used_up(sandboxes: Sandboxes, cdn: Cdn, platform: str) -> None:
    played = sandboxes.platform(platform)
    account = await played.connected(f"heeding-{platform}", access_token=f"sandbox-heeding-{platform}.busy")
    wanted = draft("one of many", cdn.asset(samples.picture(320, 320)))
    caught = await refused(played, account, wanted)
    assert (caught.fault, caught.code) == (Fault.TRANSIENT, "rate_limited")
    assert 0 < (caught.retry_after_s or 0) <= PAUSE_S
    assert "nearly used up" in caught.message
    before = used(await asked(played, account.credentials["access_token"])) - 2
    assert HEEDED_FROM <= before <= 100, "none of ours was refused"


@pytest.mark.parametrize(("platform", "code"), CODES.items())
async def test_past_the_end_requests_are_refused_and_the_account_is_left_alone(
    sandboxes: Sandboxes, platform: str, code: int
) -> None:
    played, token = sandboxes.platform(platform), f"sandbox-spent-{platform}.busy"
    answers = [await asked(played, token) for _ in range(42)]
    assert [one.is_success for one in answers] == [True] * 40 + [False] * 2
    assert [used(one) for one in answers[-6:]] == [92, 95, 97, 100, 102, 105]
    assert answers[-1].json()["error"]["code"] == code
    account = played.account("spent", access_token=token, page_id="1", user_id="1", refreshed_at="9999999999")
    late = draft("late", samples.asset(samples.picture()))
    for _ in range(2):  # the first is refused, and the second not asked
        with pytest.raises(PlatformError) as caught:
            await played.publisher.prepare(played.http, account, late, Steps())
        assert (caught.value.fault, caught.value.code) == (Fault.TRANSIENT, "rate_limited")
    assert (caught.value.retry_after_s or 0) > 50
    assert used(await asked(played, token)) == 110
