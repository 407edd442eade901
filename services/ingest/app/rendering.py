"""What the transcoder says, as part of the item callers see."""

from dataclasses import dataclass
from datetime import timedelta

from services.ingest.domain.media import GONE, SETTLED, Fault, State, settle
from services.ingest.ports import Announcement, Change, MediaTable, Meter, Receipt, Ref, Row

WORKING_GRACE_S = 120.0  # after a word without an end


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """The transcoder's whole view of one item. `view` is its JSON; a higher version replaces a lower one."""

    version: int
    view: str
    settled: bool
    fault: Fault | None = None
    thumbnail_time: float | None = None


class Rendering:
    """The use case behind media_rendered."""

    def __init__(self, table: MediaTable, meter: Meter) -> None:
        self._table = table
        self._meter = meter

    async def rendered(self, ref: Ref, word: Word, receipt: Receipt) -> None:
        """Keeps the word if it is newer; settles the item when it is the last word on its eager presets."""
        settled_s: list[float] = []

        def step(row: Row) -> Change | None:
            if row.media.state in GONE or word.version <= row.view_version:
                return None
            after = settle(
                row.media,
                view=word.view,
                settled=word.settled,
                fault=word.fault,
                thumbnail_time=word.thumbnail_time,
            )
            told = after.state in SETTLED and row.media.state not in SETTLED
            if told:
                settled_s.append((row.now - row.media.created_at).total_seconds())
            due_at = row.now + timedelta(seconds=WORKING_GRACE_S) if after.state is State.PROCESSING else None
            announce = (Announcement.SETTLED,) if told else ()
            return Change(media=after, view_version=word.version, announce=announce, due_at=due_at)

        after = await self._table.change(ref, step, receipt=receipt)
        if after is not None and settled_s:
            self._meter.settled(after.state.value, settled_s[-1])
