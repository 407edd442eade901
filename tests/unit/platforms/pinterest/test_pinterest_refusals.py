"""What Pinterest's answers mean."""

import httpx
import pytest

from services.platforms.pinterest.refusals import refusal
from services.platforms.ports import Fault


@pytest.mark.parametrize(
    ("status", "message", "fault", "code"),
    [
        (400, "Invalid request: title", Fault.PERMANENT, "post_refused"),
        (400, "Sorry! Unable to reach the URL. Please check it.", Fault.TRANSIENT, "media_unreachable"),
        (401, "Authentication failed.", Fault.ACCOUNT, "credentials_refused"),
        (403, "You are not permitted to access that resource.", Fault.PERMANENT, "not_permitted"),
        (403, "Your account is suspended.", Fault.ACCOUNT, "account_suspended"),
        (404, "Board not found.", Fault.PERMANENT, "board_not_found"),
        (404, "Media not found.", Fault.PERMANENT, "not_found"),
        (408, "", Fault.TRANSIENT, "upstream_busy"),
        (413, "", Fault.PERMANENT, "media_too_large"),
        (429, "You have exceeded your rate limit.", Fault.TRANSIENT, "rate_limited"),
        (429, "You have reached your daily limit.", Fault.QUOTA, "daily_limit"),
    ],
)
def test_by_status_or_sentence(status: int, message: str, fault: Fault, code: str) -> None:
    found = refusal(httpx.Response(status, json={"code": 1, "message": message}))
    assert (found.fault, found.code) == (fault, code)
    assert found.message


@pytest.mark.parametrize(
    ("headers", "wait_s"), [({}, None), ({"retry-after": "7"}, 7.0), ({"x-ratelimit-reset": "30"}, 30.0)]
)
def test_how_long_to_wait(headers: dict[str, str], wait_s: float | None) -> None:
    assert refusal(httpx.Response(429, headers=headers)).retry_after_s == wait_s
