"""What the errors of a PDS and of the video service mean for us.

Source: bluesky-social/atproto lexicons/com/atproto/{server,repo}/*.json, lexicons/app/bsky/video/*.json,
packages/pds/src/auth-verifier.ts; social-app src/state/queries/video for the service's sentences.
"""

import re

import httpx

from services.platforms.calls import body, retry_after_s, text_at
from services.platforms.ports import Fault, PlatformError

EXPIRED = "ExpiredToken"  # answered as 400, not 401

_BY_NAME = {
    EXPIRED: Fault.NOT_READY,
    "BlobNotFound": Fault.REBUILD,
    "InvalidMimeType": Fault.REBUILD,  # of a blob that is not what it was when it was uploaded
    "InvalidSize": Fault.REBUILD,
    "AuthenticationRequired": Fault.ACCOUNT,
    "AuthMissing": Fault.ACCOUNT,
    "InvalidToken": Fault.ACCOUNT,
    "AuthFactorTokenRequired": Fault.ACCOUNT,
    "AccountTakedown": Fault.ACCOUNT,
    "AccountDeactivated": Fault.ACCOUNT,
    "AccountNotFound": Fault.ACCOUNT,
    "RateLimitExceeded": Fault.TRANSIENT,
    "UpstreamTimeout": Fault.TRANSIENT,
    "UpstreamFailure": Fault.TRANSIENT,
    "ServiceOverloaded": Fault.TRANSIENT,
    "NotEnoughResources": Fault.TRANSIENT,
    "UploadNotReady": Fault.NOT_READY,
    "UploadNotFound": Fault.REBUILD,
    "UploadExpired": Fault.REBUILD,
    "UploadAborted": Fault.REBUILD,
    "UploadFailed": Fault.REBUILD,
    "UploadAlreadyCompleted": Fault.REBUILD,  # the same bytes then are a video the service knows
    "MissingParts": Fault.REBUILD,
    "DailyLimitExceeded": Fault.QUOTA,
    "pds_upload_failure": Fault.REBUILD,
    "generic_failure": Fault.REBUILD,
}

# The service tells these only by sentence.
_BY_SENTENCE = (
    (re.compile(r"exceeded daily upload", re.IGNORECASE), Fault.QUOTA, "daily_video_limit"),
    (re.compile(r"confirm your email", re.IGNORECASE), Fault.PERMANENT, "email_unconfirmed"),
    (re.compile(r"not old enough", re.IGNORECASE), Fault.PERMANENT, "account_too_new"),
)

MAX_MESSAGE_CHARS = 300


def refusal(answer: httpx.Response) -> PlatformError:
    """The error of an answer that is neither a success nor a 5xx."""
    found = body(answer)
    wait_s = retry_after_s(answer, "ratelimit-reset")
    name = text_at(found, "error")
    if answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
        name = "RateLimitExceeded"
    if not name:
        name = {401: "AuthenticationRequired", 413: "PayloadTooLarge"}.get(answer.status_code, "InvalidRequest")
    return named(name, text_at(found, "message"), wait_s)


def named(name: str, message: str, wait_s: float | None = None) -> PlatformError:
    """The error of that name; one we do not know is a refusal of the post."""
    sentence = message[:MAX_MESSAGE_CHARS] or "Bluesky gave no reason."
    for pattern, fault, code in _BY_SENTENCE:
        if pattern.search(message):
            return PlatformError(fault, code, sentence)
    return PlatformError(_BY_NAME.get(name, Fault.PERMANENT), _snake(name), sentence, retry_after_s=wait_s)


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
