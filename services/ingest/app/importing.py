"""Takes one file in from a URL. Once it flows it is an upload like any other."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

from services.common.context import CallContext
from services.ingest.app.frames import End, Frame, Start
from services.ingest.app.uploading import Uploading
from services.ingest.domain import texts
from services.ingest.domain.formats import Kind
from services.ingest.domain.media import Media
from services.ingest.ports import Remote


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """What to fetch, and what the caller says of it. kind None: whatever the bytes are."""

    url: str
    kind: Kind | None = None
    alt_text: str | None = None


class Importing:
    """The use case of ImportMedia."""

    def __init__(self, uploading: Uploading, remote: Remote) -> None:
        self._uploading = uploading
        self._remote = remote

    async def fetch(self, caller: CallContext, wanted: Import) -> Media:
        """Stores the file at a URL. Returns it sealed, its scan owed.

        Raises:
            MediaError: MEDIA_URL_NOT_ALLOWED, MEDIA_URL_UNREACHABLE, and what an upload of these bytes would raise.
        """
        texts.check_alt_text(wanted.alt_text)
        async with aclosing(self._frames(wanted)) as frames:
            return await self._uploading.upload(caller, frames)

    async def _frames(self, wanted: Import) -> AsyncGenerator[Frame, None]:
        """Nothing is fetched before the door lets the upload in and asks for its first frame."""
        async with self._remote.open(wanted.url) as file:
            yield Start(file.filename)
            async for chunk in file.chunks:
                yield chunk
            yield End(wanted.kind, wanted.alt_text)
