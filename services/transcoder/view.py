"""An item as others see it: the public messages, with URLs."""

import logging

from mediaapi.v1 import events_pb2, media_pb2

from services.common import context, events
from services.common.context import CallContext
from services.common.errors import Code, MediaError
from services.platforms import catalog
from services.transcoder.domain.item import COVER, DISPLAY, SERVED, Item, Variant
from services.transcoder.domain.work import Fit, How, Status

log = logging.getLogger(__name__)

_STATUSES = {
    Status.READY: media_pb2.VARIANT_STATUS_READY,
    Status.REJECTED: media_pb2.VARIANT_STATUS_REJECTED,
    Status.FAILED: media_pb2.VARIANT_STATUS_FAILED,
}
_HOWS = {
    How.AS_IS: media_pb2.VARIANT_HOW_AS_IS,
    How.STRIP: media_pb2.VARIANT_HOW_STRIP,
    How.REMUX: media_pb2.VARIANT_HOW_REMUX,
    How.ENCODE: media_pb2.VARIANT_HOW_ENCODE,
}


class View:
    """Messages about items.

    Args:
        cdn_url: What the public finds the bucket's cdn/ folder under.
    """

    def __init__(self, cdn_url: str) -> None:
        self._cdn_url = cdn_url.rstrip("/")

    def rendered(self, item: Item) -> events_pb2.Event:
        """Everything about it, for ingest; it belongs to the request that once brought the bytes in."""
        finding = item.finding
        payload = events_pb2.MediaRendered(
            settled=item.settled,
            url=self._url_of(item, DISPLAY),
            poster_url=self._url_of(item, COVER),
            thumbnail_time=item.cover_at_s,
            variants=[self.variant(item, one) for one in item.in_order()],
        )
        if item.fault is not None:
            payload.error.CopyFrom(media_pb2.MediaError(code=item.fault, message=sentence(item)))
        if finding is not None:
            payload.width, payload.height, payload.thumbhash = finding.width, finding.height, finding.thumbhash
            if item.kind == "video":
                payload.duration_seconds, payload.has_audio = finding.duration_s, finding.has_audio
            for platform, fit in finding.fit.items():
                payload.fit[platform].CopyFrom(_fit(fit))
        return _event(item, payload, item.version)

    def wanted(self, item: Item, preset: str) -> events_pb2.Event:
        """One preset of it was asked for."""
        return _event(item, events_pb2.VariantWanted(preset=preset), item.version)

    def variant(self, item: Item, one: Variant) -> media_pb2.Variant:
        """What one preset became."""
        waiting = media_pb2.VARIANT_STATUS_PROCESSING if item.held else media_pb2.VARIANT_STATUS_PENDING
        result = media_pb2.Variant(
            preset=one.preset,
            platforms=_platforms(item, one.preset),
            status=waiting if one.status is None else _STATUSES[one.status],
            reason=one.reason,
        )
        if one.key is not None:
            result.url = self._url(one.key)
            result.content_type, result.size_bytes = one.content_type, one.size_bytes
            result.width, result.height = one.width, one.height
            if one.how is not None:
                result.how = _HOWS[one.how]
            if one.duration_s:
                result.duration_seconds = one.duration_s
        return result

    def _url_of(self, item: Item, preset: str) -> str | None:
        one = item.variants.get(preset)
        return self._url(one.key) if one and one.key else None

    def _url(self, key: str) -> str:
        return f"{self._cdn_url}/{key.removeprefix(SERVED + '/')}"


def sentence(item: Item) -> str:
    """Why nothing can come of it, for people."""
    try:
        return MediaError(Code(item.fault or ""), kind=item.kind).message
    except ValueError:
        return MediaError(Code.PROCESSING_FAILED).message


def _platforms(item: Item, preset: str) -> list[str]:
    known = catalog.presets(item.kind).get(preset)
    return [known.platform] if known and known.platform else []


def _fit(fit: Fit) -> media_pb2.Fit:
    return media_pb2.Fit(ok=fit.ok, preset=fit.preset, reason=fit.reason, detail=fit.detail)


def _event(item: Item, payload: events_pb2.MediaRendered | events_pb2.VariantWanted, version: int) -> events_pb2.Event:
    with context.use(CallContext(workspace_id=item.workspace_id, request_id=item.request_id)):
        return events.event(payload, workspace_id=item.workspace_id, subject_id=item.media_id, version=version)
