"""The little an owner may change of an item."""

from dataclasses import dataclass
from datetime import timedelta

from services.ingest.app.reading import known, unknown
from services.ingest.domain import texts
from services.ingest.domain.media import COVERED, Media
from services.ingest.ports import Announcement, Change, MediaTable, Ref, Row

HEARD_WITHIN_S = 30.0  # else the transcoder is told again


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What is left out (None) stays. alt_text: "" takes it away.   thumbnail_time: seconds from a film's start."""

    alt_text: str | None = None
    thumbnail_time: float | None = None


class Describing:
    """The use case of UpdateMedia."""

    def __init__(self, table: MediaTable) -> None:
        self._table = table

    async def describe(self, ref: Ref, said: Description) -> Media:
        """Raises MediaError: MEDIA_NOT_FOUND, INVALID_REQUEST."""
        alt_text = texts.check_alt_text(said.alt_text)

        def step(row: Row) -> Change | None:
            if not row.media.visible(row.now):
                return None
            media = row.media
            if said.alt_text is not None:
                media = media.described(alt_text)
            if said.thumbnail_time is not None:
                media = media.covered(said.thumbnail_time, tell_again_at=row.now + timedelta(seconds=HEARD_WITHIN_S))
            told = media.state in COVERED and media.thumbnail_time != row.media.thumbnail_time
            return Change(media=media, announce=(Announcement.PROMOTED,) if told else (), release=False)

        done = await self._table.change(known(ref), step)
        if done is None:
            raise unknown(ref)
        return done

    async def remind(self, ref: Ref) -> None:
        """Tells the transcoder again which covers are wanted, if it still did not say that it heard."""

        def step(row: Row) -> Change | None:
            if row.media.state not in COVERED or not row.media.cover_owed(row.now):
                return None
            media = row.media.reminded(row.now + timedelta(seconds=HEARD_WITHIN_S))
            return Change(media=media, announce=(Announcement.PROMOTED,), release=False)

        await self._table.change(ref, step)
