"""Bytes that arrive at a sandbox, as the store takes them."""

from collections.abc import AsyncIterator

from starlette.datastructures import UploadFile
from starlette.requests import ClientDisconnect, Request

PIECE_BYTES = 256 * 1024


async def of_file(file: UploadFile) -> AsyncIterator[bytes]:
    """Of a file in a form."""
    while piece := await file.read(PIECE_BYTES):
        yield piece


async def as_far_as_it_came(request: Request) -> AsyncIterator[bytes]:
    """Of a sender who may go away: what came until then."""
    try:
        async for piece in request.stream():
            yield piece
    except ClientDisconnect:
        return
