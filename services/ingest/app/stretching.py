"""The bytes of one piece: from a client, or from partial uploads one behind the other."""

from collections.abc import AsyncIterator, Sequence

from services.common.errors import Code, MediaError
from services.ingest.domain.upload import Upload
from services.ingest.ports import Store


class Whole:
    """Ends a piece whose sender sent all of it; a piece without it was cut off."""


async def stretched(store: Store, uploads: Sequence[Upload]) -> AsyncIterator[bytes | Whole]:
    """All bytes of whole partial uploads. Safe to repeat. Raises: MediaError UNAVAILABLE."""
    for upload in uploads:
        if upload.parts:
            await _readable(store, upload)
        keys = [*([upload.quarantine_key] if upload.parts else ()), *([upload.tail_key] if upload.tail_bytes else ())]
        for key in keys:
            async for chunk in store.read(key):
                yield chunk
    yield Whole()


async def _readable(store: Store, upload: Upload) -> None:
    """Parts can be read once they are an object; an earlier try may have got as far."""
    try:
        await store.complete(
            upload.quarantine_key, upload.multipart_id, [(part.number, part.etag) for part in upload.parts]
        )
    except MediaError as exc:
        if exc.code is not Code.NOT_FOUND or await store.head(upload.quarantine_key) is None:
            raise
