"""What YouTube's refusals mean for us: `{"error": {"code", "message", "errors": [{"domain", "reason"}]}}`.

Source: developers.google.com/youtube/v3/docs/errors, …/docs/videos/insert, …/docs/core_errors, read 2026-10-08.
"""

import httpx

from services.platforms.calls import body, retry_after_s, text_at
from services.platforms.oauth import refused
from services.platforms.ports import DUPLICATE_POST, Fault, PlatformError

MAX_MESSAGE_CHARS = 300
NOT_PERMITTED = "not_permitted"

Meaning = tuple[Fault, str]
RATE: Meaning = (Fault.TRANSIENT, "rate_limited")
BUSY: Meaning = (Fault.TRANSIENT, "upstream_busy")
USED_UP: Meaning = (Fault.QUOTA, "quota_used_up")
SCOPE: Meaning = (Fault.ACCOUNT, "scope_missing")
SUSPENDED: Meaning = (Fault.ACCOUNT, "account_suspended")

_BY_REASON: dict[str, Meaning] = {
    # The app's allowance ends at midnight, Pacific time; the channel's own after a day.
    "quotaExceeded": USED_UP,
    "dailyLimitExceeded": USED_UP,
    "uploadLimitExceeded": (Fault.QUOTA, "daily_limit"),
    "rateLimitExceeded": RATE,
    "userRateLimitExceeded": RATE,
    "concurrentLimitExceeded": RATE,
    "backendError": BUSY,
    "internalError": BUSY,
    "authError": (Fault.ACCOUNT, "credentials_refused"),
    "insufficientPermissions": SCOPE,
    "ACCESS_TOKEN_SCOPE_INSUFFICIENT": SCOPE,
    "accessNotConfigured": (Fault.ACCOUNT, "app_not_permitted"),
    "youtubeSignupRequired": (Fault.ACCOUNT, "channel_missing"),
    "channelSuspended": SUSPENDED,
    "channelClosed": SUSPENDED,
    "authenticatedUserAccountSuspended": SUSPENDED,
    "authenticatedUserAccountClosed": SUSPENDED,
    "videoNotFound": (Fault.REBUILD, "upload_lost"),
    "invalidTitle": (Fault.PERMANENT, "title_refused"),
    "invalidDescription": (Fault.PERMANENT, "text_refused"),
    "invalidTags": (Fault.PERMANENT, "tags_refused"),
    "invalidCategoryId": (Fault.PERMANENT, "category_refused"),
    "invalidImage": (Fault.PERMANENT, "thumbnail_refused"),
    "mediaBodyRequired": (Fault.PERMANENT, "media_refused"),
    # Of thumbnails: too many of them lately.
    "uploadRateLimitExceeded": (Fault.PERMANENT, "thumbnail_refused"),
    "forbidden": (Fault.PERMANENT, NOT_PERMITTED),
}
_BY_STATUS: dict[int, Meaning] = {
    401: (Fault.ACCOUNT, "credentials_refused"),
    403: (Fault.PERMANENT, NOT_PERMITTED),
    408: BUSY,
    413: (Fault.PERMANENT, "media_too_large"),
    429: RATE,
}


def refusal(answer: httpx.Response) -> PlatformError:
    """The error of an answer that is neither a success nor a 5xx."""
    found = body(answer)
    said = text_at(found, "error", "message")[:MAX_MESSAGE_CHARS] or "YouTube gave no reason."
    reason = text_at(found, "error", "errors", 0, "reason")
    fault, code = _BY_REASON.get(reason) or _BY_STATUS.get(answer.status_code, (Fault.PERMANENT, "post_refused"))
    if code == "credentials_refused":
        return refused("YouTube")
    return PlatformError(fault, code, said, retry_after_s=retry_after_s(answer))


# What became of a video's processing, by failureReason or rejectionReason.
_UNPROCESSED: dict[str, Meaning] = {
    "uploadAborted": (Fault.REBUILD, "upload_lost"),
    "length": (Fault.PERMANENT, "video_too_long"),
    "duplicate": (Fault.PERMANENT, DUPLICATE_POST),
    "uploaderAccountClosed": SUSPENDED,
    "uploaderAccountSuspended": SUSPENDED,
}


def unprocessed(status: str, reason: str) -> PlatformError:
    """Of a video that is "failed", "rejected" or "deleted"."""
    fault, code = _UNPROCESSED.get(reason, (Fault.PERMANENT, "media_refused"))
    return PlatformError(fault, code, f"YouTube did not take the video: {status}{f', {reason}' if reason else ''}.")
