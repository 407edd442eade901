"""What Facebook's own refusals mean for us, and the status of a video.

Source: developers.facebook.com/docs/graph-api/guides/error-handling, …/docs/video-api/guides/reels-publishing, read
2026-11-24.
"""

from collections.abc import Mapping

import httpx

from services.platforms.calls import body, text_at
from services.platforms.graph import BUSY, RATE, Meaning, Service, refusal
from services.platforms.ports import DUPLICATE_POST, Fault, PlatformError

OFFSET_WRONG = "upload_offset_wrong"

_BY_SUBCODE: Mapping[int, Meaning] = {
    33: (Fault.REBUILD, "upload_lost"),
    1363030: BUSY,
    1363037: (Fault.TRANSIENT, OFFSET_WRONG),
    1363041: (Fault.REBUILD, "upload_lost"),
    1363047: BUSY,
    1609010: BUSY,
    1390008: RATE,
    1366046: (Fault.PERMANENT, "media_too_large"),
    1366051: (Fault.PERMANENT, DUPLICATE_POST),
    1346003: (Fault.PERMANENT, "policy_refused"),
    1404102: (Fault.PERMANENT, "policy_refused"),
}
_BY_CODE: Mapping[int, Meaning] = {
    9: (Fault.QUOTA, "daily_limit"),
    368: (Fault.QUOTA, "held_for_spam"),
    506: (Fault.PERMANENT, DUPLICATE_POST),
}


def meaning(code: int, subcode: int, message: str) -> Meaning | None:
    """Of an error; None where it is one of every Graph API."""
    return _BY_SUBCODE.get(subcode) or _BY_CODE.get(code)


def of_store(service: Service, answer: httpx.Response) -> PlatformError:
    """Of the store reels are sent to: `{"debug_info": {"type", "retriable", "message"}}`, or as everywhere."""
    kind = text_at(body(answer), "debug_info", "type")
    if not kind:
        return refusal(service, answer)
    message = f"Facebook's store did not take the upload: {kind}."
    if kind == "OffsetInvalidError":
        return PlatformError(Fault.TRANSIENT, OFFSET_WRONG, message)
    if kind == "PartialRequestError":
        return PlatformError(Fault.TRANSIENT, "upload_broken", message)
    return PlatformError(Fault.REBUILD, "upload_lost", message)


def failed(word: str, said: str) -> PlatformError:
    """Of a video whose status says that nothing comes of it. What did not arrive whole takes a new upload."""
    if word in ("expired", "upload_failed"):
        return PlatformError(Fault.REBUILD, "upload_lost", f"Facebook gave the upload up: {word}.")
    return PlatformError(Fault.PERMANENT, "media_refused", said or "Facebook could not process the video.")
