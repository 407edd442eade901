"""How much a workspace may hold at once. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, fields

from services.common.errors import Code, MediaError

# An upload ends within minutes; what is stored goes when its owner deletes it, or its time is over.
RETRY_AFTER_S = {"uploads": 30, "media": 3600, "bytes": 3600}


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What a workspace holds, or a change of it.

    Attributes:
        media: Items that are not gone, uploads in pieces among them.
        bytes: Of their originals; an upload in pieces counts as it was declared, from its beginning.
        uploads: Those whose bytes still come in.
    """

    media: int = 0
    bytes: int = 0
    uploads: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """The most a workspace may hold, in the same terms."""

    media: int
    bytes: int
    uploads: int

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ValueError(f"{field.name}: {value!r} is no number of at least 1")

    @classmethod
    def of(cls, row: Mapping[str, int]) -> "Quota":
        """As a plan's data have it. Raises: TypeError, ValueError."""
        return cls(**row)


def check(quota: Quota, held: Held, added: Held) -> None:
    """Whether a workspace may hold this much.

    Args:
        held: All of it, `added` included.   added: What is asked for.

    Raises:
        MediaError: QUOTA_EXCEEDED, naming the quota, its limit and what was used before.
    """
    for field in fields(quota):
        limit, much = getattr(quota, field.name), getattr(held, field.name)
        if much > limit:
            raise MediaError(
                Code.QUOTA_EXCEEDED,
                quota=field.name,
                limit=limit,
                used=much - getattr(added, field.name),
                retry_after_s=RETRY_AFTER_S[field.name],
            )
