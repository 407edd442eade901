"""Lets go of media that settled posts held."""

import logging

from services.common import context
from services.common.errors import Code, MediaError
from services.publisher.ports import MediaSource, Pin, Pins

log = logging.getLogger("publisher.pinning")

BATCH = 100


class ReleasePins:
    """Use case: end the pins of posts that are settled. Safe to repeat, and to break off anywhere."""

    def __init__(self, pins: Pins, media: MediaSource) -> None:
        self._pins = pins
        self._media = media

    async def __call__(self) -> None:
        """One round over what is settled."""
        for pin in await self._pins.ended(BATCH):
            with context.use(context.CallContext(workspace_id=pin.workspace_id, request_id=pin.post_id)):
                await self._release(pin)

    async def _release(self, pin: Pin) -> None:
        try:
            async with self._pins.letting_go(pin) as ended:
                if ended:
                    await self._unpin(pin)
        except MediaError as exc:
            log.warning("not unpinned yet", extra={"media_id": pin.media_id, "code": exc.code.value})

    async def _unpin(self, pin: Pin) -> None:
        try:
            await self._media.unpin(pin.media_id, pin.post_id)
        except MediaError as exc:
            if exc.code is not Code.MEDIA_NOT_FOUND:  # gone is as good as released
                raise
