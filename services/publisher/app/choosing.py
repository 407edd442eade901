"""Which renditions a target publishes."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import TypeVar

from services.common.errors import Code, MediaError
from services.platforms.ports import ChoosesPresets, Publisher
from services.publisher.domain.post import MediaRef, TargetError
from services.publisher.ports import Chosen, MediaFacts, MediaSource, Pending, Ready, Refused, Variants, Work

UNUSABLE = frozenset({"rejected", "failed"})
NOT_SCANNED = frozenset({"receiving", "scanning"})

T = TypeVar("T")


class Chooser:
    """Asks ingest and the transcoder until every item of a target has its rendition."""

    def __init__(self, media: MediaSource, variants: Variants, publishers: Mapping[str, Publisher]) -> None:
        self._media = media
        self._variants = variants
        self._publishers = publishers

    async def choose(self, work: Work) -> Chosen | Pending | Refused:
        """The renditions of all items, in order; Pending while one is being made; Refused if one cannot be."""
        found = await asyncio.gather(*(self._one(work, ref) for ref in work.media))
        refused = next((it for it in found if isinstance(it, Refused)), None)
        if refused is not None:
            return refused
        ready = [it for it in found if isinstance(it, Ready)]
        if len(ready) < len(found):
            return Pending()
        return Chosen(
            assets=tuple(it.rendition for it in ready), cover=next((it.cover for it in ready if it.cover), None)
        )

    async def _one(self, work: Work, ref: MediaRef) -> Ready | Pending | Refused:
        if ref.url is not None:
            error = work.import_errors.get(ref.media_id)
            return Pending() if error is None else Refused(error)
        facts = await _or_pending(lambda: self._media.get(ref.media_id), gone_is_fine=True)
        if isinstance(facts, Refused | Pending):
            return facts
        if facts is not None and facts.status in UNUSABLE:
            return Refused(facts.error or TargetError("media_rejected", f"The media is {facts.status}."))
        if facts is not None and facts.status in NOT_SCANNED:
            return Pending()
        platform, preset = work.target.platform, self._preset(work)
        moment = facts.thumbnail_time if facts is not None else None
        variant = await _or_pending(
            lambda: self._variants.ensure(ref.media_id, platform, preset, thumbnail_time=moment)
        )
        if not isinstance(variant, Ready):
            return variant or Pending()
        return replace(variant, rendition=replace(variant.rendition, alt_text=_alt_text(work, ref, facts)))

    def _preset(self, work: Work) -> str:
        publisher = self._publishers.get(work.target.platform)
        return publisher.preset(work.target.options) if isinstance(publisher, ChoosesPresets) else ""


def _alt_text(work: Work, ref: MediaRef, facts: MediaFacts | None) -> str | None:
    if ref.alt_text is not None:
        return ref.alt_text
    return facts.alt_text if facts is not None else work.media_alt.get(ref.media_id)


async def _or_pending(call: Callable[[], Awaitable[T]], *, gone_is_fine: bool = False) -> T | Pending | Refused | None:
    """The answer; Pending for what a later call may cure. An item that was deleted meanwhile still has its pinned
    renditions: None, where the caller can do without the answer."""
    try:
        return await call()
    except MediaError as exc:
        if exc.code is Code.MEDIA_NOT_FOUND and gone_is_fine:
            return None
        if exc.code is Code.MEDIA_NOT_READY or exc.row.retryable:
            return Pending()
        return Refused(TargetError(exc.code.value, exc.message))
