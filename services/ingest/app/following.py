"""How far films are, for those who look at them meanwhile."""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from services.ingest.ports import Ref, Wakeups

FORGOTTEN_AFTER_S = 60.0  # whoever makes it would have said something
MOST_ITEMS = 10_000


class Following:
    """What the transcoder said lately, in this process's memory alone: every process hears it, and what was missed is
    said again half a second later."""

    def __init__(self, wakeups: Wakeups, *, now: Callable[[], datetime]) -> None:
        self._wakeups = wakeups
        self._now = now
        self._items: OrderedDict[Ref, tuple[datetime, Mapping[str, int]]] = OrderedDict()

    def heard(self, ref: Ref, percent: Mapping[str, int]) -> None:
        """Percent by preset. It never goes back, even where a job begins anew."""
        before = self.of(ref)
        self._items[ref] = (self._now(), {**before, **{one: max(n, before.get(one, 0)) for one, n in percent.items()}})
        self._items.move_to_end(ref)
        while len(self._items) > MOST_ITEMS:
            self._items.popitem(last=False)
        self._wakeups.wake(ref.media_id)

    def of(self, ref: Ref) -> Mapping[str, int]:
        """Percent by preset, of those that are being made or were just now."""
        heard_at, percent = self._items.get(ref, (self._now(), {}))
        return percent if self._now() - heard_at < timedelta(seconds=FORGOTTEN_AFTER_S) else {}
