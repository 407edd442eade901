"""How long platforms want accounts left alone, as they tell before they refuse."""

import time
from collections.abc import Callable


class Pauses:
    """Of all accounts of one process, in memory: whoever forgot one is told again by the platform's next answer."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._ends: dict[str, float] = {}

    def begin(self, account_id: str, seconds: float) -> None:
        """From now on. One that lasts longer already is not shortened."""
        now = self._clock()
        self._ends = {one: end for one, end in self._ends.items() if end > now}
        self._ends[account_id] = max(now + seconds, self._ends.get(account_id, now))

    def left_s(self, account_id: str) -> float:
        """Seconds; 0 where there is no pause."""
        return max(0.0, self._ends.get(account_id, 0.0) - self._clock())
