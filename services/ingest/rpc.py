"""IngestService over the use cases."""

import time
from collections.abc import AsyncIterator
from datetime import UTC

from mediaapi.v1 import ingest_service_pb2 as pb
from mediaapi.v1 import media_pb2

from services.common import context
from services.ingest.app.describing import Description
from services.ingest.app.frames import End, Frame, Start
from services.ingest.app.importing import Import
from services.ingest.assembly import Ingest
from services.ingest.events import STATUSES
from services.ingest.ports import Query, Ref
from services.ingest.upload_rpc import CHUNK_LIMIT_BYTES, Rpc, UploadRpc, invalid, kind_of, wait_s
from services.ingest.view import message

PAGE_DEFAULT, PAGE_MOST = 20, 100
IMPORT_ANSWER_S = 55.0  # the edge ends a request that is silent for 60 s

_STATE = {number: state for state, number in STATUSES.items()}

# A servicer's methods are named by the proto.
# ruff: noqa: N802


class IngestRpc(UploadRpc):
    """One RPC, one use case."""

    def __init__(self, ingest: Ingest) -> None:
        super().__init__(ingest.resuming, ingest.reading)
        self._uploading = ingest.uploading
        self._importing = ingest.importing
        self._removing = ingest.removing
        self._describing = ingest.describing

    async def UploadMedia(
        self, request_iterator: AsyncIterator[pb.UploadMediaRequest], context_: Rpc
    ) -> media_pb2.Media:
        """See IngestService.UploadMedia."""
        caller = context.current()
        media = await self._uploading.upload(caller, _frames(request_iterator))
        return message(await self._reading.settled(_ref(media.media_id), wait_s()))

    async def ImportMedia(self, request: pb.ImportMediaRequest, context_: Rpc) -> media_pb2.Media:
        """See IngestService.ImportMedia."""
        ends = time.monotonic() + IMPORT_ANSWER_S
        alt_text = request.alt_text if request.HasField("alt_text") else None
        wanted = Import(url=request.url, kind=kind_of(request.kind), alt_text=alt_text)
        media = await self._importing.fetch(context.current(), wanted)
        return message(await self._reading.settled(_ref(media.media_id), min(wait_s(), ends - time.monotonic())))

    async def GetMedia(self, request: pb.GetMediaRequest, context_: Rpc) -> media_pb2.Media:
        """See IngestService.GetMedia."""
        ref = _ref(request.id)
        return message(await self._reading.get(ref), self._reading.following.of(ref))

    async def ListMedia(self, request: pb.ListMediaRequest, context_: Rpc) -> pb.ListMediaResponse:
        """See IngestService.ListMedia."""
        page = await self._reading.page(context.current().workspace_id, _query(request))
        return pb.ListMediaResponse(data=[message(media) for media in page.media], next_cursor=page.next_id)

    async def UpdateMedia(self, request: pb.UpdateMediaRequest, context_: Rpc) -> media_pb2.Media:
        """See IngestService.UpdateMedia."""
        said = Description(
            alt_text=request.alt_text if request.HasField("alt_text") else None,
            thumbnail_time=request.thumbnail_time if request.HasField("thumbnail_time") else None,
        )
        return message(await self._describing.describe(_ref(request.id), said))

    async def DeleteMedia(self, request: pb.DeleteMediaRequest, context_: Rpc) -> pb.DeleteMediaResponse:
        """See IngestService.DeleteMedia."""
        await self._removing.delete(_ref(request.id))
        return pb.DeleteMediaResponse()

    async def WatchMedia(self, request: pb.WatchMediaRequest, context_: Rpc) -> AsyncIterator[media_pb2.Media]:
        """See IngestService.WatchMedia."""
        async for media, percent in self._reading.changes(_ref(request.id)):
            yield message(media, percent)

    async def DownloadSource(
        self, request: pb.DownloadSourceRequest, context_: Rpc
    ) -> AsyncIterator[pb.DownloadSourceResponse]:
        """See IngestService.DownloadSource."""
        first = request.first_byte if request.HasField("first_byte") else None
        last = request.last_byte if request.HasField("last_byte") else None
        source = await self._reading.source(_ref(request.id), first, last)
        header = pb.SourceHeader(
            filename=source.media.filename,
            content_type=source.media.content_type,
            first_byte=source.first,
            last_byte=source.last,
            size_bytes=source.media.size_bytes,
            sha256=source.media.sha256,
        )
        yield pb.DownloadSourceResponse(header=header)
        async for chunk in source.chunks:
            for at in range(0, len(chunk), CHUNK_LIMIT_BYTES):
                yield pb.DownloadSourceResponse(chunk=chunk[at : at + CHUNK_LIMIT_BYTES])

    async def PinMedia(self, request: pb.PinMediaRequest, context_: Rpc) -> media_pb2.Media:
        """See IngestService.PinMedia."""
        until = request.until.ToDatetime(tzinfo=UTC)
        return message(await self._removing.pin(_ref(request.media_id), request.holder, until))

    async def UnpinMedia(self, request: pb.UnpinMediaRequest, context_: Rpc) -> pb.UnpinMediaResponse:
        """See IngestService.UnpinMedia."""
        await self._removing.unpin(_ref(request.media_id), request.holder)
        return pb.UnpinMediaResponse()


async def _frames(requests: AsyncIterator[pb.UploadMediaRequest]) -> AsyncIterator[Frame]:
    async for request in requests:
        match request.WhichOneof("frame"):
            case "header":
                yield Start(request.header.filename)
            case "chunk":
                if len(request.chunk) > CHUNK_LIMIT_BYTES:
                    raise invalid("file", f"A chunk has at most {CHUNK_LIMIT_BYTES} bytes.")
                yield request.chunk
            case "trailer":
                trailer = request.trailer
                alt_text = trailer.alt_text if trailer.HasField("alt_text") else None
                yield End(kind_of(trailer.kind), alt_text)
            case _:
                raise invalid("file", "An empty frame.")


def _query(request: pb.ListMediaRequest) -> Query:
    limit = request.limit or PAGE_DEFAULT
    if not 1 <= limit <= PAGE_MOST:
        raise invalid("limit", f"Between 1 and {PAGE_MOST}.")
    if "\x00" in request.q:
        raise invalid("q", "Must not contain U+0000.")
    if request.status and request.status not in _STATE:
        raise invalid("status", "No such status.")
    return Query(
        limit=limit,
        before=request.cursor or None,
        kind=kind_of(request.kind),
        state=_STATE.get(request.status),
        name_part=request.q,
    )


def _ref(media_id: str) -> Ref:
    return Ref(context.current().workspace_id, media_id)
