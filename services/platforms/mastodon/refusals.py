"""What a Mastodon server's refusals mean for us. They have a sentence and no code.

Source: docs.joinmastodon.org/entities/Error, docs.joinmastodon.org/api/rate-limits.
"""

import re
from datetime import UTC, datetime

import httpx

from services.platforms.calls import body, retry_after_s, text_at
from services.platforms.ports import Fault, PlatformError

RESET = "x-ratelimit-reset"  # a date and time, unlike other platforms'
SOON_S = 1_800.0  # the longest window of the general limits; that of posts is three hours
MAX_MESSAGE_CHARS = 300

_BY_SENTENCE = (
    (403, re.compile(r"outside the authorized scopes", re.IGNORECASE), Fault.ACCOUNT, "scope_missing"),
    (403, re.compile(r"your login is|your account", re.IGNORECASE), Fault.ACCOUNT, "account_suspended"),
    (422, re.compile(r"not finished processing", re.IGNORECASE), Fault.NOT_READY, "media_processing"),
    (422, re.compile(r"media .*not found", re.IGNORECASE), Fault.REBUILD, "media_expired"),
)


def refusal(answer: httpx.Response) -> PlatformError:
    """The error of an answer that is neither a success nor a 5xx."""
    said = error_of(answer) or "The server gave no reason."
    for status, pattern, fault, code in _BY_SENTENCE:
        if answer.status_code == status and pattern.search(said):
            return PlatformError(fault, code, said)
    match answer.status_code:
        case 403:
            return PlatformError(Fault.PERMANENT, "forbidden", said)
        case 404 | 410:
            return PlatformError(Fault.PERMANENT, "not_found", said)
        case 408:
            return PlatformError(Fault.TRANSIENT, "upstream_busy", "The server did not get the whole request in time.")
        case 413:
            return PlatformError(Fault.PERMANENT, "media_too_large", "The server takes no request as large as this.")
        case 429:
            return _too_many(answer)
        case _:
            return PlatformError(Fault.PERMANENT, "post_refused", said)


def error_of(answer: httpx.Response) -> str:
    """The server's sentence, cut if it is long; "" if there is none."""
    found = body(answer)
    return (text_at(found, "error_description") or text_at(found, "error"))[:MAX_MESSAGE_CHARS]


def _too_many(answer: httpx.Response) -> PlatformError:
    wait_s = _wait_s(answer)
    if wait_s is not None and wait_s > SOON_S:
        message = "The account's allowance at its server is used up."
        return PlatformError(Fault.QUOTA, "allowance_used_up", message, retry_after_s=wait_s)
    message = "The server limits how often this is done."
    return PlatformError(Fault.TRANSIENT, "rate_limited", message, retry_after_s=wait_s)


def _wait_s(answer: httpx.Response) -> float | None:
    if "retry-after" in answer.headers:
        return retry_after_s(answer)
    try:
        reset = datetime.fromisoformat(answer.headers.get(RESET, ""))
    except ValueError:
        return None
    aware = reset if reset.tzinfo else reset.replace(tzinfo=UTC)
    return max(0.0, (aware - datetime.now(UTC)).total_seconds())
