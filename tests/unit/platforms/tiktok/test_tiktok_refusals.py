"""What TikTok's answers mean."""

import httpx
import pytest

from services.platforms.ports import Fault
from services.platforms.tiktok.refusals import failed, refusal


@pytest.mark.parametrize(
    ("status", "code", "fault", "meant"),
    [
        (400, "invalid_params", Fault.PERMANENT, "post_refused"),
        (400, "invalid_publish_id", Fault.REBUILD, "upload_lost"),
        (403, "token_not_authorized_for_specified_publish_id", Fault.REBUILD, "upload_lost"),
        (401, "access_token_invalid", Fault.ACCOUNT, "credentials_refused"),
        (401, "scope_not_authorized", Fault.ACCOUNT, "scope_missing"),
        (400, "scope_permission_missed", Fault.ACCOUNT, "scope_missing"),
        (401, "", Fault.ACCOUNT, "credentials_refused"),
        (403, "spam_risk_too_many_posts", Fault.QUOTA, "daily_limit"),
        (403, "spam_risk_too_many_pending_share", Fault.QUOTA, "daily_limit"),
        (403, "reached_active_user_cap", Fault.QUOTA, "app_limit"),
        (403, "spam_risk_user_banned_from_posting", Fault.ACCOUNT, "account_suspended"),
        (403, "privacy_level_option_mismatch", Fault.PERMANENT, "privacy_refused"),
        (403, "url_ownership_unverified", Fault.PERMANENT, "media_host_unverified"),
        (403, "unaudited_client_can_only_post_to_private_accounts", Fault.PERMANENT, "app_not_audited"),
        (408, "", Fault.TRANSIENT, "upstream_busy"),
        (413, "", Fault.PERMANENT, "media_too_large"),
        (429, "rate_limit_exceeded", Fault.TRANSIENT, "rate_limited"),
        (429, "", Fault.TRANSIENT, "rate_limited"),
    ],
)
def test_by_code_or_status(status: int, code: str, fault: Fault, meant: str) -> None:
    found = refusal(httpx.Response(status, json={"error": {"code": code, "message": "No.", "log_id": "1"}}))
    assert (found.fault, found.code) == (fault, meant)
    assert found.message


def test_an_answer_nobody_can_read_is_still_told() -> None:
    found = refusal(httpx.Response(429, text="<html>", headers={"retry-after": "7"}))
    assert (found.fault, found.code, found.retry_after_s) == (Fault.TRANSIENT, "rate_limited", 7.0)


@pytest.mark.parametrize(
    ("reason", "fault", "meant"),
    [
        ("internal", Fault.REBUILD, "media_processing_failed"),
        ("video_pull_failed", Fault.REBUILD, "media_unreachable"),
        ("photo_pull_failed", Fault.REBUILD, "media_unreachable"),
        ("file_format_check_failed", Fault.PERMANENT, "media_refused"),
        ("frame_rate_check_failed", Fault.PERMANENT, "media_refused"),
        ("picture_size_check_failed", Fault.PERMANENT, "media_refused"),
        ("duration_check_failed", Fault.PERMANENT, "video_too_long"),
        ("publish_cancelled", Fault.PERMANENT, "publish_cancelled"),
        ("auth_removed", Fault.ACCOUNT, "credentials_refused"),
        ("spam_risk_too_many_posts", Fault.QUOTA, "daily_limit"),
        ("spam_risk_text", Fault.PERMANENT, "text_refused"),
        ("something_new", Fault.PERMANENT, "post_refused"),
        ("", Fault.PERMANENT, "post_refused"),
    ],
)
def test_why_a_post_failed(reason: str, fault: Fault, meant: str) -> None:
    found = failed(reason)
    assert (found.fault, found.code) == (fault, meant)
