"""What TikTok's refusals mean for us: `{"error": {"code", "message"}}`, and the fail_reason of a post.

Source: developers.tiktok.com/doc/tiktok-api-v2-error-handling, …/content-posting-api-reference-{direct-post,
get-video-status}, read 2026-10-08.
"""

import httpx

from services.platforms.calls import body, retry_after_s, text_at
from services.platforms.oauth import refused
from services.platforms.ports import Fault, PlatformError

MAX_MESSAGE_CHARS = 300
WINDOW_S = 60.0  # of TikTok's limits on requests, which its answers do not tell
SCOPE_MISSING = "scope_missing"

Meaning = tuple[Fault, str]
DAILY: Meaning = (Fault.QUOTA, "daily_limit")
BANNED: Meaning = (Fault.ACCOUNT, "account_suspended")
SCOPE: Meaning = (Fault.ACCOUNT, SCOPE_MISSING)
CREDENTIALS: Meaning = (Fault.ACCOUNT, "credentials_refused")
REFUSED: Meaning = (Fault.PERMANENT, "post_refused")
MEDIA: Meaning = (Fault.PERMANENT, "media_refused")
LOST: Meaning = (Fault.REBUILD, "upload_lost")
RATE: Meaning = (Fault.TRANSIENT, "rate_limited")

# Of requests and of posts alike.
_SPAM: dict[str, Meaning] = {
    "spam_risk_too_many_posts": DAILY,
    "spam_risk_too_many_pending_share": DAILY,
    "spam_risk_user_banned_from_posting": BANNED,
    "spam_risk_text": (Fault.PERMANENT, "text_refused"),
    "spam_risk": REFUSED,
    "reached_active_user_cap": (Fault.QUOTA, "app_limit"),
}
_BY_CODE: dict[str, Meaning] = {
    **_SPAM,
    "access_token_invalid": CREDENTIALS,
    "scope_not_authorized": SCOPE,
    "scope_permission_missed": SCOPE,
    "rate_limit_exceeded": RATE,
    "unaudited_client_can_only_post_to_private_accounts": (Fault.PERMANENT, "app_not_audited"),
    "url_ownership_unverified": (Fault.PERMANENT, "media_host_unverified"),
    "privacy_level_option_mismatch": (Fault.PERMANENT, "privacy_refused"),
    "invalid_publish_id": LOST,
    "token_not_authorized_for_specified_publish_id": LOST,
    "internal_error": (Fault.TRANSIENT, "upstream_busy"),
}
_BY_STATUS: dict[int, Meaning] = {
    401: CREDENTIALS,
    408: (Fault.TRANSIENT, "upstream_busy"),
    413: (Fault.PERMANENT, "media_too_large"),
    429: RATE,
}
# A post that failed stays so; where another one may come out, everything is made anew.
_BY_REASON: dict[str, Meaning] = {
    **_SPAM,
    "internal": (Fault.REBUILD, "media_processing_failed"),
    "video_pull_failed": (Fault.REBUILD, "media_unreachable"),
    "photo_pull_failed": (Fault.REBUILD, "media_unreachable"),
    "file_format_check_failed": MEDIA,
    "frame_rate_check_failed": MEDIA,
    "picture_size_check_failed": MEDIA,
    "duration_check_failed": (Fault.PERMANENT, "video_too_long"),
    "auth_removed": CREDENTIALS,
    "publish_cancelled": (Fault.PERMANENT, "publish_cancelled"),
}


def refusal(answer: httpx.Response) -> PlatformError:
    """The error of an answer that is neither a success nor a 5xx."""
    found = body(answer)
    said = text_at(found, "error", "message")[:MAX_MESSAGE_CHARS] or "TikTok gave no reason."
    meant = _BY_CODE.get(text_at(found, "error", "code")) or _BY_STATUS.get(answer.status_code, REFUSED)
    wait_s = retry_after_s(answer)
    return _error(meant, said, WINDOW_S if meant == RATE and wait_s is None else wait_s)


def failed(reason: str) -> PlatformError:
    """Of a post that TikTok gave up."""
    return _error(_BY_REASON.get(reason, REFUSED), f"TikTok did not publish the post: {reason or 'no reason given'}.")


def _error(meant: Meaning, said: str, wait_s: float | None = None) -> PlatformError:
    if meant == CREDENTIALS:
        return refused("TikTok")
    fault, code = meant
    return PlatformError(fault, code, said, retry_after_s=wait_s)
