"""How long accounts are left alone, and by what Meta's answers they are."""

import httpx
import pytest

from services.platforms.graph import PAUSE_S, Graph, Service, wanted_pause_s
from services.platforms.pauses import Pauses
from services.platforms.ports import Account, Fault, PlatformError

SERVICE = Service("Paper", "https://graph.example", "/v1", "paper_refresh", "id", lambda code, subcode, message: None)


def test_a_pause_ends_and_is_not_shortened_by_a_later_one() -> None:
    hour = [100.0]
    pauses = Pauses(lambda: hour[0])
    pauses.begin("acc_a", 60)
    pauses.begin("acc_a", 5)
    assert (pauses.left_s("acc_a"), pauses.left_s("acc_b")) == (60, 0)
    hour[0] += 59
    assert pauses.left_s("acc_a") == 1
    hour[0] += 1
    assert pauses.left_s("acc_a") == 0
    pauses.begin("acc_a", 5)
    assert pauses.left_s("acc_a") == 5


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({}, 0),
        ({"x-app-usage": '{"call_count": 94, "total_time": 25, "total_cputime": 25}'}, 0),
        ({"x-app-usage": '{"call_count": 95, "total_time": 25, "total_cputime": 25}'}, PAUSE_S),
        ({"x-app-usage": '{"call_count": 1, "total_time": 25, "total_cputime": 110}'}, PAUSE_S),
        ({"x-app-usage": '{"call_count": 1, "total_time": 96}'}, PAUSE_S),
        ({"x-app-usage": '{"call_count": "95"}'}, 0),
        ({"x-app-usage": "full"}, 0),
        ({"x-app-usage": "[95]"}, 0),
        ({"x-business-use-case-usage": '{"1": [{"call_count": 3}, {"call_count": 97}]}'}, PAUSE_S),
        (
            {
                "x-business-use-case-usage": '{"1": [{"call_count": 97, "estimated_time_to_regain_access": 7}]}',
                "x-app-usage": '{"call_count": 99}',
            },
            420,
        ),
    ],
)
def test_the_wait_is_told_before_anything_is_refused(headers: dict[str, str], wait_s: float) -> None:
    assert wanted_pause_s(httpx.Response(200, json={}, headers=headers)) == wait_s


async def test_only_what_may_wait_keeps_a_pause_and_all_of_the_accounts_requests_know_of_it() -> None:
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        return httpx.Response(200, json={"id": "1"}, headers={"x-app-usage": '{"call_count": 95}'})

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
        account = Account("acc_a", None, {"access_token": "t"})
        other = Account("acc_b", None, {"access_token": "t"}, pauses=account.pauses)
        assert (await Graph(SERVICE, http, account).send("/post", {})).is_success
        with pytest.raises(PlatformError) as caught:
            await Graph(SERVICE, http, account, waits=True).get("/me", {})
        assert (caught.value.fault, caught.value.code) == (Fault.TRANSIENT, "rate_limited")
        assert PAUSE_S - 5 < (caught.value.retry_after_s or 0) <= PAUSE_S
        await Graph(SERVICE, http, account).get("/look", {})
        await Graph(SERVICE, http, other, waits=True).get("/other", {})
    assert asked == ["/v1/post", "/v1/look", "/v1/other"]
