"""What Pinterest's refusals mean for us.

Source: developers.pinterest.com/docs/api/v5 (errors `{code, message}`), …/docs/reference/rate-limits.
"""

import re

import httpx

from services.platforms.calls import body, retry_after_s, text_at
from services.platforms.ports import Fault, PlatformError

MAX_MESSAGE_CHARS = 300
RESET = "x-ratelimit-reset"  # seconds from now

# Told by sentence only, whatever the status.
_BY_SENTENCE = (
    (re.compile(r"unable to reach the url|could not fetch", re.IGNORECASE), Fault.TRANSIENT, "media_unreachable"),
    (re.compile(r"suspended|deactivated", re.IGNORECASE), Fault.ACCOUNT, "account_suspended"),
    (re.compile(r"board not found", re.IGNORECASE), Fault.PERMANENT, "board_not_found"),
    (re.compile(r"daily limit|per day", re.IGNORECASE), Fault.QUOTA, "daily_limit"),
)
_BY_STATUS = {
    401: (Fault.ACCOUNT, "credentials_refused"),
    403: (Fault.PERMANENT, "not_permitted"),
    404: (Fault.PERMANENT, "not_found"),
    408: (Fault.TRANSIENT, "upstream_busy"),
    413: (Fault.PERMANENT, "media_too_large"),
    429: (Fault.TRANSIENT, "rate_limited"),
}


def refusal(answer: httpx.Response) -> PlatformError:
    """The error of an answer that is neither a success nor a 5xx."""
    said = text_at(body(answer), "message")[:MAX_MESSAGE_CHARS] or "Pinterest gave no reason."
    fault, code = _BY_STATUS.get(answer.status_code, (Fault.PERMANENT, "post_refused"))
    for pattern, meant, named in _BY_SENTENCE:
        if pattern.search(said):
            fault, code = meant, named
    return PlatformError(fault, code, said, retry_after_s=_wait_s(answer))


def _wait_s(answer: httpx.Response) -> float | None:
    if (wait_s := retry_after_s(answer)) is not None:
        return wait_s
    reset = answer.headers.get(RESET, "")
    return float(reset) if reset.isdigit() and answer.status_code == httpx.codes.TOO_MANY_REQUESTS else None
