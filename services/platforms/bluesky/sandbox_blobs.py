"""The sandbox's blobs: kept by account and CID, typed by what they are.

Source: bluesky-social/atproto packages/pds/src/actor-store/blob/transactor.ts.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from starlette.requests import Request

from services.platforms.bluesky import cid
from services.platforms.bluesky.sandbox_accounts import refused
from services.platforms.calls import text_at
from services.platforms.ports import JSON
from services.platforms.sandboxing.sniff import UNKNOWN, Facts, sniff
from services.platforms.sandboxing.store import Store, StoredFile, TooLargeError
from services.platforms.sandboxing.web import media_doc

# What bsky.social documents; a PDS says its own in describeServer, and has 5 MiB unless told otherwise.
UPLOAD_MAX_BYTES = 52_428_800


@dataclass(frozen=True, slots=True)
class Arrived:
    """Bytes that came, and what they are."""

    file: StoredFile
    facts: Facts

    def reference(self, fallback: str) -> dict[str, JSON]:
        """As records name it. fallback: its type, where its bytes tell none."""
        sniffed = self.facts.content_type
        return {
            "$type": "blob",
            "ref": {"$link": cid.of_blob(self.file.sha256)},
            "mimeType": fallback if sniffed == UNKNOWN else sniffed,
            "size": self.file.size_bytes,
        }


class Blobs:
    """Those of all accounts."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def receive(self, request: Request, max_bytes: int) -> Arrived:
        """Keeps the request's body. Raises RefusedError past max_bytes."""
        too_large = refused(413, "PayloadTooLarge", "request entity too large")
        announced = request.headers.get("content-length", "")
        if announced.isdigit() and int(announced) > max_bytes:
            raise too_large
        try:
            file = await self._store.keep(request.stream(), max_bytes)
        except TooLargeError as exc:
            raise too_large from exc
        return await self.recognised(file)

    async def recognised(self, file: StoredFile) -> Arrived:
        """What those bytes are."""
        return Arrived(file, await asyncio.to_thread(sniff, file.path))

    async def track(self, did: str, arrived: Arrived, fallback: str) -> Mapping[str, JSON]:
        """Makes it a blob of that account; the reference records must give."""
        reference = arrived.reference(fallback)
        media = media_doc(arrived.file.sha256, arrived.file.size_bytes, arrived.facts, alt_text=None)
        doc: dict[str, JSON] = {"reference": reference, "media": media, "referenced": False}
        await self._store.add("blob", _key(did, reference), doc)
        return reference

    async def use(self, did: str, reference: Mapping[str, JSON]) -> dict[str, JSON]:
        """The medium a record refers to. Raises RefusedError, unless it is as it was answered.

        As on the PDS, one that a record refers to already is not compared again.
        """
        found = await self._store.get("blob", _key(did, reference))
        if found is None:
            raise refused(400, "BlobNotFound", f"Could not find blob: {text_at(reference, 'ref', '$link')}")
        if not found["referenced"]:
            _compare(reference, cast(Mapping[str, JSON], found["reference"]))
        await self._store.update("blob", _key(did, reference), lambda doc: {**doc, "referenced": True})
        return dict(cast(Mapping[str, JSON], found["media"]))

    async def find(self, did: str, link: str) -> Mapping[str, JSON] | None:
        """The blob of that account and CID, once a record refers to it."""
        found = await self._store.get("blob", f"{did}/{link}")
        return found if found is not None and found["referenced"] else None


def _key(did: str, reference: Mapping[str, JSON]) -> str:
    return f"{did}/{text_at(reference, 'ref', '$link')}"


def _compare(given: Mapping[str, JSON], known: Mapping[str, JSON]) -> None:
    for name, what, error in (("mimeType", "Mimetype", "InvalidMimeType"), ("size", "Size", "InvalidSize")):
        if given.get(name) != known[name]:
            message = f"Referenced {what} does not match stored blob. Expected: {known[name]}, Got: {given.get(name)}"
            raise refused(400, error, message)
