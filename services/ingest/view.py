"""A media item as the public message: what ingest knows, and what the transcoder said."""

from collections.abc import Mapping
from types import MappingProxyType

from google.protobuf.json_format import Parse
from mediaapi.v1 import events_pb2, media_pb2

from services.ingest.domain.media import Media
from services.ingest.events import KINDS, STATUSES

NOTHING: Mapping[str, int] = MappingProxyType({})
_UNDER_WAY = (media_pb2.VARIANT_STATUS_PENDING, media_pb2.VARIANT_STATUS_PROCESSING)
_SAME = ("width", "height", "duration_seconds", "has_audio", "url", "poster_url", "thumbhash")


def message(media: Media, percent: Mapping[str, int] = NOTHING) -> media_pb2.Media:
    """The public message of a visible item. percent: how far its films are, by preset."""
    result = media_pb2.Media(
        id=media.media_id,
        kind=KINDS[media.kind],
        status=STATUSES[media.state],
        filename=media.filename,
        alt_text=media.alt_text,
        content_type=media.content_type,
        size_bytes=media.size_bytes,
        sha256=media.sha256 or None,
        thumbnail_time=media.thumbnail_time,
    )
    result.created_at.FromDatetime(media.created_at)
    result.expires_at.FromDatetime(media.expires_at)
    if media.fault is not None:
        fault = media.fault
        result.error.CopyFrom(media_pb2.MediaError(code=fault.code, message=fault.message, threat=fault.threat))
    if media.view is not None:
        _add_view(result, Parse(media.view, events_pb2.MediaRendered(), ignore_unknown_fields=True))
    for one in result.variants:
        if one.status in _UNDER_WAY and one.preset in percent:
            one.status, one.progress = media_pb2.VARIANT_STATUS_PROCESSING, percent[one.preset]
    return result


def _add_view(result: media_pb2.Media, said: events_pb2.MediaRendered) -> None:
    # ListFields leaves out what is not set, and so does the public message then.
    for field, value in said.ListFields():
        if field.name in _SAME:
            setattr(result, field.name, value)
    result.variants.extend(said.variants)
    for platform, fit in said.fit.items():
        result.fit[platform].CopyFrom(fit)
