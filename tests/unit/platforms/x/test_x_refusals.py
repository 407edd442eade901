"""What X's answers mean."""

import time

import httpx
import pytest

from services.platforms.ports import Fault
from services.platforms.x.refusals import refusal

DUPLICATE = "You are not allowed to create a Tweet with duplicate content."
TOO_LONG = "You are not allowed to post a video longer than 2 minutes."
PROBLEM = "https://api.twitter.com/2/problems/"


@pytest.mark.parametrize(
    ("status", "body", "fault", "code"),
    [
        (400, {"errors": [{"message": "Your media IDs are invalid."}]}, Fault.REBUILD, "media_expired"),
        (400, {"title": "Invalid Request", "type": PROBLEM + "invalid-request"}, Fault.PERMANENT, "post_refused"),
        (401, {"title": "Unauthorized"}, Fault.ACCOUNT, "credentials_refused"),
        (402, {"title": "Payment Required"}, Fault.QUOTA, "credits_used_up"),
        (403, {"detail": DUPLICATE}, Fault.PERMANENT, "duplicate_post"),
        (403, {"detail": TOO_LONG}, Fault.PERMANENT, "video_too_long"),
        (403, {"type": PROBLEM + "user-suspended", "detail": "User suspended"}, Fault.ACCOUNT, "account_suspended"),
        (403, {"type": PROBLEM + "client-forbidden"}, Fault.ACCOUNT, "app_not_permitted"),
        (403, {"detail": "You are not permitted to perform this action."}, Fault.PERMANENT, "post_refused"),
        (404, {}, Fault.PERMANENT, "not_found"),
        (408, None, Fault.TRANSIENT, "upstream_busy"),
        (413, None, Fault.PERMANENT, "media_too_large"),
        (429, {"type": PROBLEM + "usage-capped"}, Fault.QUOTA, "usage_capped"),
    ],
)  # fmt: skip
def test_by_status_type_or_sentence(status: int, body: object, fault: Fault, code: str) -> None:
    answer = httpx.Response(status, json=body) if body is not None else httpx.Response(status)
    found = refusal(answer)
    assert (found.fault, found.code) == (fault, code)
    assert found.message


def test_a_used_up_window_is_waited_out() -> None:
    headers = {"x-rate-limit-remaining": "0", "x-rate-limit-reset": str(int(time.time()) + 600)}
    found = refusal(httpx.Response(429, headers=headers))
    assert (found.fault, found.code) == (Fault.TRANSIENT, "rate_limited")
    assert found.retry_after_s == pytest.approx(600, abs=2)


def test_a_window_with_requests_left_means_another_allowance() -> None:
    assert refusal(httpx.Response(429, headers={"x-rate-limit-remaining": "7"})).fault is Fault.QUOTA


def test_the_posts_of_a_day() -> None:
    reset = str(int(time.time()) + 3_600)
    headers = {"x-user-limit-24hour-remaining": "0", "x-user-limit-24hour-reset": reset}
    found = refusal(httpx.Response(429, headers=headers))
    assert (found.fault, found.code) == (Fault.QUOTA, "daily_limit")
    assert found.retry_after_s == pytest.approx(3_600, abs=2)
