"""The ingest and transcoder stages, by RPC."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime

import grpc
from mediaapi.v1 import ingest_service_pb2 as ingest
from mediaapi.v1 import ingest_service_pb2_grpc, transcoder_service_pb2_grpc
from mediaapi.v1 import media_pb2 as media
from mediaapi.v1 import transcoder_service_pb2 as transcoder

from services.common import context
from services.publisher.domain.post import TargetError
from services.publisher.ports import MediaFacts, Pending, Ready, Refused, Rendition

CHUNK_BYTES = 256 * 1024
# A photo's variant is made in this time; a video's is asked for again, since who waits holds a place of the dispatcher.
ENSURE_WAIT_S = 0.5
IMPORT_TIMEOUT_S = 60.0  # ingest gives a fetch 45
UPLOAD_WAIT_S = 10.0  # for the verdict on an inline image: what an upload by itself waits, too

Frame = ingest.UploadMediaRequest


class IngestMedia:
    """ports.MediaSource over the ingest stage's RPCs."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = ingest_service_pb2_grpc.IngestServiceStub(channel)

    async def get(self, media_id: str) -> MediaFacts:
        """Raises MEDIA_NOT_FOUND."""
        return facts(await self._stub.GetMedia(ingest.GetMediaRequest(id=media_id)))

    async def upload_image(self, data: bytes, alt_text: str | None, idempotency_key: str | None) -> MediaFacts:
        """Stores an image, once for a key, and waits for its verdict. Raises what UploadMedia raises."""
        with context.use(replace(context.current(), wait_s=UPLOAD_WAIT_S, idempotency_key=idempotency_key)):
            return facts(await self._stub.UploadMedia(_frames(data, alt_text)))

    async def import_url(self, url: str, kind: str, alt_text: str | None, idempotency_key: str) -> MediaFacts:
        """Has a file fetched, once for a key, and does not wait for its verdict. Raises what ImportMedia raises."""
        number = media.MediaKind.Value(f"MEDIA_KIND_{kind.upper()}") if kind else media.MEDIA_KIND_UNSPECIFIED
        request = ingest.ImportMediaRequest(url=url, kind=number, alt_text=alt_text)
        with context.use(replace(context.current(), wait_s=0.0, idempotency_key=idempotency_key)):
            return facts(await self._stub.ImportMedia(request, timeout=IMPORT_TIMEOUT_S))

    async def pin(self, media_id: str, holder: str, until: datetime) -> MediaFacts:
        """Raises MEDIA_NOT_FOUND."""
        request = ingest.PinMediaRequest(media_id=media_id, holder=holder)
        request.until.FromDatetime(until)
        return facts(await self._stub.PinMedia(request))

    async def unpin(self, media_id: str, holder: str) -> None:
        """Ends a pin, or finds it ended."""
        await self._stub.UnpinMedia(ingest.UnpinMediaRequest(media_id=media_id, holder=holder))


class TranscoderVariants:
    """ports.Variants over the transcoder stage's RPCs."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = transcoder_service_pb2_grpc.TranscoderServiceStub(channel)

    async def ensure(
        self, media_id: str, platform: str, preset: str = "", *, thumbnail_time: float | None = None
    ) -> Ready | Pending | Refused:
        """The variant by this preset, or the one that fits. Raises MEDIA_NOT_FOUND, MEDIA_NOT_READY."""
        request = transcoder.EnsureVariantRequest(
            media_id=media_id, platform=platform, preset=preset, thumbnail_time=thumbnail_time
        )
        with context.use(replace(context.current(), wait_s=ENSURE_WAIT_S)):
            answer = await self._stub.EnsureVariant(request)
        settled = (media.VARIANT_STATUS_READY, media.VARIANT_STATUS_REJECTED, media.VARIANT_STATUS_FAILED)
        if answer.variant.status not in settled:
            return Pending()
        if answer.variant.status != media.VARIANT_STATUS_READY:
            return Refused(_refusal(answer.variant, platform))
        if not answer.HasField("cover"):
            return Ready(_rendition(answer.variant), None)
        if answer.cover.status not in settled:
            return Pending()
        covered = answer.cover.status == media.VARIANT_STATUS_READY
        return Ready(_rendition(answer.variant), _rendition(answer.cover) if covered else None)


def facts(item: media.Media) -> MediaFacts:
    """A media item in the publisher's words."""
    return MediaFacts(
        media_id=item.id,
        kind=_word(media.MediaKind.Name(item.kind), "MEDIA_KIND_"),
        status=_word(media.MediaStatus.Name(item.status), "MEDIA_STATUS_"),
        content_type=item.content_type,
        size_bytes=item.size_bytes,
        alt_text=item.alt_text if item.HasField("alt_text") else None,
        width=item.width if item.HasField("width") else None,
        height=item.height if item.HasField("height") else None,
        duration_s=item.duration_seconds if item.HasField("duration_seconds") else None,
        thumbnail_time=item.thumbnail_time if item.HasField("thumbnail_time") else None,
        error=TargetError(item.error.code, item.error.message) if item.HasField("error") else None,
        misfits={name: fit.detail or fit.reason for name, fit in item.fit.items() if not fit.ok},
        presets={name: fit.preset for name, fit in item.fit.items() if fit.ok},
    )


def _rendition(variant: media.Variant) -> Rendition:
    return Rendition(
        preset=variant.preset,
        url=variant.url,
        content_type=variant.content_type,
        size_bytes=variant.size_bytes,
        width=variant.width,
        height=variant.height,
        duration_s=variant.duration_seconds if variant.HasField("duration_seconds") else None,
    )


def _refusal(variant: media.Variant, platform: str) -> TargetError:
    code = variant.reason or "variant_impossible"
    return TargetError(code, f"The media cannot be made into what {platform} takes: {code}.")


def _word(name: str, prefix: str) -> str:
    return name.removeprefix(prefix).lower()


async def _frames(data: bytes, alt_text: str | None) -> AsyncIterator[Frame]:
    yield Frame(header=ingest.UploadHeader(filename="inline"))
    for start in range(0, len(data), CHUNK_BYTES):
        yield Frame(chunk=data[start : start + CHUNK_BYTES])
    yield Frame(trailer=ingest.UploadTrailer(kind=media.MEDIA_KIND_IMAGE, alt_text=alt_text))
