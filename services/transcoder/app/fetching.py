"""The source, as it was scanned."""

from pathlib import Path

from services.common.errors import Code, MediaError
from services.transcoder.domain.item import Item
from services.transcoder.ports import Store


async def fetch_source(store: Store, item: Item, path: Path) -> None:
    """Writes its bytes there. Raises MediaError: OBJECT_CHANGED, they are others now."""
    sha256 = await store.fetch(item.source.key, path, if_match=item.source.etag)
    if sha256 != item.source.sha256:
        raise MediaError(Code.OBJECT_CHANGED, why=f"{item.source.key} is not what was scanned")
