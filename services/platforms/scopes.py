"""What a token may do, where a platform tells it: a scope that posts need is missed when the account is connected."""

import re
from collections.abc import Iterable

from services.platforms.ports import ScopeMissingError

# A scope, or all that include it; people are told the first.
Needed = tuple[str, ...]


def require(platform: str, granted: str | Iterable[str], needed: Iterable[Needed]) -> None:
    """Raises ScopeMissingError unless one of each is granted.

    granted: As platforms write them, with spaces or commas between; nothing at all is taken as not told.
    """
    given = set(re.split(r"[\s,]+", granted) if isinstance(granted, str) else granted) - {""}
    missing = [one[0] for one in needed if given.isdisjoint(one)]
    if given and missing:
        raise ScopeMissingError(platform, missing)
