"""What X's refusals mean for us.

Source: docs.x.com/x-api/fundamentals/response-codes-and-errors, docs.x.com/x-api/fundamentals/rate-limits.
"""

import re

import httpx

from services.platforms.calls import body, list_at, retry_after_s, text_at
from services.platforms.ports import DUPLICATE_POST, Fault, PlatformError

RESET = "x-rate-limit-reset"
UNAUTHORIZED = "credentials_refused"
MAX_MESSAGE_CHARS = 300

# By the last part of the problem's `type`, whatever the status.
_BY_TYPE = {
    "usage-capped": (Fault.QUOTA, "usage_capped"),
    "credits": (Fault.QUOTA, "credits_used_up"),
    "user-suspended": (Fault.ACCOUNT, "account_suspended"),
    "client-forbidden": (Fault.ACCOUNT, "app_not_permitted"),
    "unsupported-authentication": (Fault.ACCOUNT, "scope_missing"),
    "oauth1-permissions": (Fault.ACCOUNT, "scope_missing"),
}
# Told by sentence only.
_BY_SENTENCE = (
    (re.compile(r"duplicate content", re.IGNORECASE), Fault.PERMANENT, DUPLICATE_POST),
    (re.compile(r"media ids? (is|are) invalid", re.IGNORECASE), Fault.REBUILD, "media_expired"),
    (re.compile(r"post a video longer than", re.IGNORECASE), Fault.PERMANENT, "video_too_long"),
    (re.compile(r"(suspended|temporarily locked)", re.IGNORECASE), Fault.ACCOUNT, "account_suspended"),
    (re.compile(r"daily limit|limit for creating", re.IGNORECASE), Fault.QUOTA, "daily_limit"),
)


def refusal(answer: httpx.Response) -> PlatformError:
    """The error of an answer that is neither a success nor a 5xx."""
    found = body(answer)
    sentences = [
        text_at(found, "detail"),
        text_at(found, "title"),
        *(_message(one) for one in list_at(found, "errors")),
    ]
    said = " ".join(dict.fromkeys(it for it in sentences if it))[:MAX_MESSAGE_CHARS] or "X gave no reason."
    kind = text_at(found, "type").rstrip("/").rpartition("/")[2]
    if kind in _BY_TYPE:
        fault, code = _BY_TYPE[kind]
        return PlatformError(fault, code, said)
    for pattern, fault, code in _BY_SENTENCE:
        if pattern.search(said):
            return PlatformError(fault, code, said)
    return _by_status(answer, said)


def _by_status(answer: httpx.Response, said: str) -> PlatformError:
    match answer.status_code:
        case 401:
            return PlatformError(Fault.ACCOUNT, UNAUTHORIZED, "X refuses the account's credentials. Connect it again.")
        case 402:
            return PlatformError(Fault.QUOTA, "credits_used_up", said)
        case 408:
            return PlatformError(Fault.TRANSIENT, "upstream_busy", "X did not get the whole request in time.")
        case 413:
            return PlatformError(Fault.PERMANENT, "media_too_large", "X takes no request as large as this one.")
        case 429:
            return _too_many(answer)
        case _:
            return PlatformError(Fault.PERMANENT, "post_refused" if answer.status_code != 404 else "not_found", said)


def _too_many(answer: httpx.Response) -> PlatformError:
    """A window of 15 minutes is waited out; requests left in it mean that another allowance is used up."""
    if answer.headers.get("x-user-limit-24hour-remaining") == "0":
        wait_s = retry_after_s(answer, "x-user-limit-24hour-reset")
        return PlatformError(
            Fault.QUOTA, "daily_limit", "The account's posts of today are used up.", retry_after_s=wait_s
        )
    if answer.headers.get("x-rate-limit-remaining", "0") != "0":
        return PlatformError(Fault.QUOTA, "usage_capped", "The app's allowance at X is used up.")
    message = "X limits how often this is done."
    return PlatformError(Fault.TRANSIENT, "rate_limited", message, retry_after_s=retry_after_s(answer, RESET))


def _message(error: object) -> str:
    if not isinstance(error, dict):
        return ""
    return text_at(error, "message") or text_at(error, "detail")
