"""What LinkedIn's refusals mean for us: `{"status", "code", "message"}`.

What is wrong with a post has its code in `{"errorDetails": {"inputErrors": [{"code", "description"}, …]}}` instead.

Source: learn.microsoft.com/linkedin/shared/api-guide/concepts/{error-handling,rate-limits}, read 2026-09-19.
"""

from datetime import UTC, datetime, timedelta

import httpx

from services.platforms.calls import body, list_at, retry_after_s, text_at
from services.platforms.oauth import refused
from services.platforms.ports import DUPLICATE_POST, Fault, PlatformError

MAX_MESSAGE_CHARS = 300
NOT_PERMITTED = "not_permitted"

Meaning = tuple[Fault, str]
REFUSED: Meaning = (Fault.PERMANENT, "post_refused")
LOST: Meaning = (Fault.REBUILD, "upload_lost")
DAILY: Meaning = (Fault.QUOTA, "daily_limit")
_BY_CODE: dict[str, Meaning] = {
    "DUPLICATE_POST": (Fault.PERMANENT, DUPLICATE_POST),
    "NONEXISTENT_VERSION": (Fault.TRANSIENT, "version_retired"),
    "VERSION_MISSING": (Fault.TRANSIENT, "version_retired"),
    "MEDIA_ASSET_PROCESSING_FAILED": (Fault.REBUILD, "media_processing_failed"),
    "MEDIA_ASSET_WAITING_UPLOAD": LOST,
}
_BY_STATUS: dict[int, Meaning] = {
    403: (Fault.ACCOUNT, NOT_PERMITTED),
    404: LOST,
    408: (Fault.TRANSIENT, "upstream_busy"),
    409: (Fault.TRANSIENT, "upstream_busy"),
    413: (Fault.PERMANENT, "media_too_large"),
    426: (Fault.TRANSIENT, "version_retired"),
    429: DAILY,
}


def refusal(answer: httpx.Response) -> PlatformError:
    """The error of an answer that is neither a success nor a 5xx."""
    if answer.status_code == httpx.codes.UNAUTHORIZED:
        return refused("LinkedIn")
    found = body(answer)
    said = text_at(found, "message")[:MAX_MESSAGE_CHARS] or "LinkedIn gave no reason."
    inputs = (text_at(one, "code") for one in list_at(found, "errorDetails", "inputErrors"))
    known = (_BY_CODE[code] for code in (text_at(found, "code"), *inputs) if code in _BY_CODE)
    meant = next(known, None) or _BY_STATUS.get(answer.status_code, REFUSED)
    wait_s = retry_after_s(answer)
    if meant == DAILY and wait_s is None:
        wait_s = until_midnight_s(datetime.now(UTC))
    fault, code = meant
    return PlatformError(fault, code, said, retry_after_s=wait_s)


def until_midnight_s(now: datetime) -> float:
    """Allowances begin anew at midnight, UTC. now: aware UTC."""
    return (now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1) - now).total_seconds()
