"""What a server's answers mean."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from services.platforms.mastodon.refusals import RESET, refusal
from services.platforms.ports import Fault


@pytest.mark.parametrize(
    ("status", "said", "fault", "code"),
    [
        (403, "This action is outside the authorized scopes", Fault.ACCOUNT, "scope_missing"),
        (403, "Your login is currently disabled", Fault.ACCOUNT, "account_suspended"),
        (403, "This action is not allowed", Fault.PERMANENT, "forbidden"),
        (404, "Record not found", Fault.PERMANENT, "not_found"),
        (413, "", Fault.PERMANENT, "media_too_large"),
        (422, "Validation failed: Text character limit of 500 exceeded", Fault.PERMANENT, "post_refused"),
        (422, "Cannot attach files that have not finished processing.", Fault.NOT_READY, "media_processing"),
        (422, "Media 7 not found or already attached to another post", Fault.REBUILD, "media_expired"),
        (429, "Too many requests", Fault.TRANSIENT, "rate_limited"),
    ],
)
def test_refusals_are_told_by_status_and_sentence(status: int, said: str, fault: Fault, code: str) -> None:
    found = refusal(httpx.Response(status, json={"error": said}))
    assert (found.fault, found.code) == (fault, code)


@pytest.mark.parametrize(("wait_s", "fault"), [(120, Fault.TRANSIENT), (9_000, Fault.QUOTA)])
def test_the_reset_is_a_date_and_far_ones_are_a_quota(wait_s: int, fault: Fault) -> None:
    reset = (datetime.now(UTC) + timedelta(seconds=wait_s)).isoformat().replace("+00:00", "Z")
    found = refusal(httpx.Response(429, json={"error": "Too many requests"}, headers={RESET: reset}))
    assert found.fault is fault
    assert found.retry_after_s == pytest.approx(wait_s, abs=30)


@pytest.mark.parametrize("reset", ["", "soon", "2026-13-01T00:00:00Z"])
def test_a_reset_nobody_can_read_is_none(reset: str) -> None:
    assert refusal(httpx.Response(429, headers={RESET: reset})).retry_after_s is None
