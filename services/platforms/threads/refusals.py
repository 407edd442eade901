"""What Threads' own refusals mean for us.

Source: developers.facebook.com/docs/threads/troubleshooting, …/docs/threads/posts, read 2026-10-10.
"""

from collections.abc import Mapping

from services.platforms.graph import Meaning
from services.platforms.ports import Fault, PlatformError

LINKS = "THREADS_API__LINK_LIMIT_EXCEEDED"
# Of a container whose status is ERROR: what may pass takes a new one.
_PASSING = {
    "FAILED_DOWNLOADING_VIDEO": "media_unreachable",
    "FAILED_PROCESSING_VIDEO": "upload_failed",
    "UNKNOWN": "upload_failed",
    "": "upload_failed",
}
_LASTING = {
    "FAILED_PROCESSING_AUDIO": "audio_refused",
    "INVALID_ASPEC_RATIO": "aspect_unsupported",  # as Threads spells it
    "INVALID_BIT_RATE": "bit_rate_unsupported",
    "INVALID_DURATION": "duration_unsupported",
    "INVALID_FRAME_RATE": "frame_rate_unsupported",
    "INVALID_AUDIO_CHANNELS": "audio_refused",
    "INVALID_AUDIO_CHANNEL_LAYOUT": "audio_refused",
}
_BY_CODE: Mapping[int, Meaning] = {
    9: (Fault.QUOTA, "daily_limit"),
    24: (Fault.REBUILD, "container_lost"),
    9004: (Fault.TRANSIENT, "media_unreachable"),
}


def meaning(code: int, subcode: int, message: str) -> Meaning | None:
    """Of an error; None where it is one of every Graph API."""
    if LINKS in message:
        return Fault.PERMANENT, "too_many_links"
    return _BY_CODE.get(code)


def failed(reason: str) -> PlatformError:
    """Of a container whose status is ERROR."""
    message = f"Threads could not take the media: {reason or 'it gave no reason'}."
    if reason in _PASSING:
        return PlatformError(Fault.REBUILD, _PASSING[reason], message)
    return PlatformError(Fault.PERMANENT, _LASTING.get(reason, "media_refused"), message)
