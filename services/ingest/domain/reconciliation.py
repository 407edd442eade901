"""Which stored bytes belong to which item, told by their keys alone. Pure."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

# Rows come before their bytes and no key is used twice, so that an object nothing needs is never needed later. What is
# younger is left alone all the same: a request under way, or clocks that differ, must never matter.
GRACE = timedelta(hours=24)


class Place(StrEnum):
    """What is walked over, each by itself."""

    QUARANTINE = "quarantine"
    SOURCES = "sources"
    RENDITIONS = "renditions"
    QUARANTINE_PARTS = "quarantine_parts"  # open multipart uploads
    ACTIVE_PARTS = "active_parts"


IN_PARTS = frozenset((Place.QUARANTINE_PARTS, Place.ACTIVE_PARTS))

PREFIX = {Place.SOURCES: "sources/", Place.RENDITIONS: "cdn/"}

_ITEM = re.compile(r"(?:sources/|cdn/)?(med_[0-9A-HJKMNP-TV-Z]{26})/.+")


@dataclass(frozen=True, slots=True)
class Found:
    """An object, or an upload in parts where `upload_id` says which. changed_at: when it was stored, or begun.

    size_bytes: Of an object; stores do not list how much of an upload in parts has come.
    """

    key: str
    changed_at: datetime
    upload_id: str = ""
    size_bytes: int = 0

    def old(self, now: datetime) -> bool:
        """Nobody can be at work on it any more."""
        return self.changed_at < now - GRACE


def item_of(key: str) -> str | None:
    """The media item a key belongs to; None: no stage gives out such keys."""
    match = _ITEM.fullmatch(key)
    return match and match[1]
