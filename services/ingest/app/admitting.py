"""Who and what is let in, whatever way the bytes come."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from services.common.errors import Code, MediaError
from services.common.plans import Plans
from services.ingest.domain import formats
from services.ingest.domain.formats import SNIFF_BYTES, Format
from services.ingest.domain.quotas import Quota
from services.ingest.ports import MediaTable, SecondOpinion

RETRY_AFTER_S = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadLimits:
    """What is refused at the door. backlog: media whose scan failed and is still owed."""

    at_once: int
    backlog_workspace: int
    backlog_total: int
    quotas: Plans[Quota]


class Door:
    """Bounds what is taken in at once, and in advance of its scan."""

    def __init__(self, table: MediaTable, limits: UploadLimits) -> None:
        self._table = table
        self._limits = limits
        self._under_way = 0

    async def admit(self, workspace_id: str) -> None:
        """Raises MediaError: UPSTREAM_BUSY, SCANNER_UNAVAILABLE."""
        self._check()
        owed = await self._table.backlog(workspace_id)
        if owed.workspace >= self._limits.backlog_workspace or owed.total >= self._limits.backlog_total:
            raise MediaError(Code.SCANNER_UNAVAILABLE, retry_after_s=RETRY_AFTER_S)

    def quota(self, plan: str) -> Quota:
        """What a workspace of that plan may hold."""
        return self._limits.quotas.of(plan)

    @contextmanager
    def place(self) -> Iterator[None]:
        """Held while bytes come in. Raises MediaError: UPSTREAM_BUSY."""
        self._check()
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1

    def _check(self) -> None:
        if self._under_way >= self._limits.at_once:
            raise MediaError(Code.UPSTREAM_BUSY, upstream="ingest", retry_after_s=1)


async def recognise(opinion: SecondOpinion, head: bytes) -> Format:
    """Two tables must agree: ours picks the format, libmagic may object.

    Raises:
        MediaError: MEDIA_TYPE_UNSUPPORTED.
    """
    first = head[:SNIFF_BYTES]
    format_ = formats.sniff(first)
    if format_ is None or await opinion(first) not in format_.libmagic:
        raise MediaError(Code.MEDIA_TYPE_UNSUPPORTED)
    return format_
