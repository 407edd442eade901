"""What YouTube's answers mean."""

import httpx
import pytest

from services.platforms.ports import Fault
from services.platforms.youtube.refusals import refusal, unprocessed


@pytest.mark.parametrize(
    ("status", "reason", "fault", "code"),
    [
        (400, "invalidTitle", Fault.PERMANENT, "title_refused"),
        (400, "invalidDescription", Fault.PERMANENT, "text_refused"),
        (400, "invalidTags", Fault.PERMANENT, "tags_refused"),
        (400, "invalidCategoryId", Fault.PERMANENT, "category_refused"),
        (400, "mediaBodyRequired", Fault.PERMANENT, "media_refused"),
        (400, "uploadLimitExceeded", Fault.QUOTA, "daily_limit"),
        (400, "somethingNew", Fault.PERMANENT, "post_refused"),
        (401, "authError", Fault.ACCOUNT, "credentials_refused"),
        (401, "youtubeSignupRequired", Fault.ACCOUNT, "channel_missing"),
        (401, "", Fault.ACCOUNT, "credentials_refused"),
        (403, "forbidden", Fault.PERMANENT, "not_permitted"),
        (403, "quotaExceeded", Fault.QUOTA, "quota_used_up"),
        (403, "dailyLimitExceeded", Fault.QUOTA, "quota_used_up"),
        (403, "rateLimitExceeded", Fault.TRANSIENT, "rate_limited"),
        (403, "userRateLimitExceeded", Fault.TRANSIENT, "rate_limited"),
        (403, "insufficientPermissions", Fault.ACCOUNT, "scope_missing"),
        (403, "channelSuspended", Fault.ACCOUNT, "account_suspended"),
        (403, "accessNotConfigured", Fault.ACCOUNT, "app_not_permitted"),
        (404, "videoNotFound", Fault.REBUILD, "upload_lost"),
        (404, "", Fault.PERMANENT, "post_refused"),
        (408, "", Fault.TRANSIENT, "upstream_busy"),
        (413, "uploadTooLarge", Fault.PERMANENT, "media_too_large"),
        (429, "uploadRateLimitExceeded", Fault.PERMANENT, "thumbnail_refused"),
        (429, "", Fault.TRANSIENT, "rate_limited"),
    ],
)
def test_by_reason_or_status(status: int, reason: str, fault: Fault, code: str) -> None:
    errors = [{"reason": reason}] if reason else []
    found = refusal(httpx.Response(status, json={"error": {"code": status, "message": "No.", "errors": errors}}))
    assert (found.fault, found.code) == (fault, code)
    assert found.message


def test_an_answer_nobody_can_read_is_still_told() -> None:
    found = refusal(httpx.Response(429, text="<html>", headers={"retry-after": "7"}))
    assert (found.fault, found.code, found.retry_after_s) == (Fault.TRANSIENT, "rate_limited", 7.0)


@pytest.mark.parametrize(
    ("status", "reason", "fault", "code"),
    [
        ("failed", "uploadAborted", Fault.REBUILD, "upload_lost"),
        ("failed", "codec", Fault.PERMANENT, "media_refused"),
        ("failed", "", Fault.PERMANENT, "media_refused"),
        ("rejected", "length", Fault.PERMANENT, "video_too_long"),
        ("rejected", "duplicate", Fault.PERMANENT, "duplicate_post"),
        ("rejected", "uploaderAccountSuspended", Fault.ACCOUNT, "account_suspended"),
        ("deleted", "", Fault.PERMANENT, "media_refused"),
    ],
)
def test_what_became_of_the_processing(status: str, reason: str, fault: Fault, code: str) -> None:
    found = unprocessed(status, reason)
    assert (found.fault, found.code) == (fault, code)
