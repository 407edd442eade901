"""Rendition bytes, read from the CDN they are served from: the publisher has no key to the object store."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from services.common import guarded_http
from services.common.guarded_http import Origin, origin_of
from services.publisher.ports import RenditionGoneError

PIECE_BYTES = 256 * 1024
MAX_FILE_BYTES = 500_000_000  # the largest video accepted as an upload, and no rendition is larger


class FileBrokenError(Exception):
    """The CDN did not answer with the file the transcoder told of."""


@asynccontextmanager
async def connect(cdn_url: str) -> AsyncIterator["CdnFiles"]:
    """Files of that CDN, and of nowhere else."""
    async with guarded_http.connect(trusted=[cdn_url], max_answer_bytes=MAX_FILE_BYTES) as client:
        yield CdnFiles(client, cdn_url)


class CdnFiles:
    """ports.Files over HTTP."""

    def __init__(self, client: httpx.AsyncClient, cdn_url: str) -> None:
        self._client = client
        self._origin: Origin = origin_of(cdn_url)

    async def read(self, url: str, size_bytes: int) -> AsyncIterator[bytes]:
        """The file in pieces. Raises RenditionGoneError, FileBrokenError, or httpx's errors."""
        if origin_of(url) != self._origin:
            raise FileBrokenError("the rendition is not on the CDN")
        got = 0
        async with self._client.stream("GET", url) as answer:
            if answer.status_code in (httpx.codes.NOT_FOUND, httpx.codes.GONE):
                raise RenditionGoneError("The file made for this platform is gone.")
            if answer.status_code != httpx.codes.OK:
                raise FileBrokenError(f"the CDN answered {answer.status_code}")
            async for piece in answer.aiter_bytes(PIECE_BYTES):
                got += len(piece)
                if got > size_bytes:
                    break
                yield piece
        if got != size_bytes:
            raise FileBrokenError(f"the CDN served {got} B or more of {size_bytes} B")
