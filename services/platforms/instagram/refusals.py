"""What Instagram's own refusals mean for us.

Source: developers.facebook.com/docs/instagram-platform/instagram-graph-api/reference/error-codes, read 2026-10-10.
"""

import re
from collections.abc import Mapping

from services.platforms.graph import BUSY, Meaning
from services.platforms.ports import Fault, PlatformError

_BY_SUBCODE: Mapping[int, Meaning] = {
    2207001: BUSY,
    2207003: (Fault.TRANSIENT, "media_unreachable"),
    2207052: (Fault.TRANSIENT, "media_unreachable"),
    2207008: (Fault.TRANSIENT, "container_unavailable"),
    2207027: (Fault.NOT_READY, "media_processing"),
    2207006: (Fault.REBUILD, "container_lost"),
    2207020: (Fault.REBUILD, "container_expired"),
    2207032: (Fault.REBUILD, "container_failed"),
    2207053: (Fault.REBUILD, "upload_failed"),
    2207004: (Fault.PERMANENT, "media_too_large"),
    2207005: (Fault.PERMANENT, "media_type_unsupported"),
    2207009: (Fault.PERMANENT, "aspect_unsupported"),
    2207010: (Fault.PERMANENT, "text_too_long"),
    2207023: (Fault.PERMANENT, "media_type_unsupported"),
    2207026: (Fault.PERMANENT, "video_refused"),
    2207028: (Fault.PERMANENT, "carousel_refused"),
    2207040: (Fault.PERMANENT, "too_many_tags"),
    2207057: (Fault.PERMANENT, "cover_offset_invalid"),
    2207042: (Fault.QUOTA, "daily_limit"),
    2207050: (Fault.ACCOUNT, "account_restricted"),
    2207051: (Fault.QUOTA, "held_for_spam"),
}
_BY_CODE: Mapping[int, Meaning] = {
    9: (Fault.QUOTA, "daily_limit"),
    24: (Fault.REBUILD, "container_lost"),
    25: (Fault.ACCOUNT, "account_restricted"),
    9004: (Fault.TRANSIENT, "media_unreachable"),
}
_SUBCODE = re.compile(r"\b2207\d{3}\b")
_WAITS = frozenset([Fault.TRANSIENT, Fault.NOT_READY])


def meaning(code: int, subcode: int, message: str) -> Meaning | None:
    """Of an error; None where it is one of every Graph API."""
    return _BY_SUBCODE.get(subcode) or _BY_CODE.get(code)


def failed(status: str) -> PlatformError:
    """Of a container whose status is ERROR, whose sentence names a subcode. What may pass takes a new container."""
    found = _SUBCODE.search(status)
    fault, code = _BY_SUBCODE.get(int(found[0]) if found else 0, (Fault.REBUILD, "upload_failed"))
    return PlatformError(Fault.REBUILD if fault in _WAITS else fault, code, status or "Instagram gave no reason.")
