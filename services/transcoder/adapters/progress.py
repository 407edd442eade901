"""ports.Onlookers over NATS' own messages, which nobody stores."""

import asyncio
from collections.abc import Mapping

from mediaapi.v1 import events_pb2

from services.common.events import PROGRESS, Bus
from services.transcoder.ports import Ref

EVERY_S = 0.5


class NatsProgress:
    """The latest of each item, twice a second at most; what nobody could be told by then is never told."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._latest: dict[Ref, dict[str, int]] = {}
        self._news = asyncio.Event()

    def tell(self, ref: Ref, percent: Mapping[str, int]) -> None:
        """See ports.Onlookers."""
        self._latest.setdefault(ref, {}).update(percent)
        self._news.set()

    async def run(self) -> None:
        """For ever."""
        while True:
            await self._news.wait()
            self._news.clear()
            latest, self._latest = self._latest, {}
            for ref, percent in latest.items():
                said = events_pb2.MediaProgress(workspace_id=ref.workspace_id, media_id=ref.media_id, percent=percent)
                await self._bus.say(PROGRESS, said.SerializeToString())
            await asyncio.sleep(EVERY_S)
