"""Events that wake the publisher up. What is to be done is read from its own tables."""

from mediaapi.v1 import events_pb2

from services.common.events import Bus
from services.common.runtime import Runtime
from services.publisher.app.dispatching import Dispatcher
from services.publisher.ports import Deliveries

QUEUE_SUBJECTS = ("media.v1.post_queued",)
MEDIA_SUBJECTS = ("media.v1.media_settled", "media.v1.media_deleted")


class PublisherEvents:
    """Handlers of the durable consumers publisher_queue and publisher_media."""

    def __init__(self, dispatcher: Dispatcher, deliveries: Deliveries) -> None:
        self._dispatcher = dispatcher
        self._deliveries = deliveries

    def subscribe(self, run: Runtime, bus: Bus) -> None:
        """Both consumers, for as long as the process runs."""
        run.consume(bus, "publisher_queue", QUEUE_SUBJECTS, self.queued)
        run.consume(bus, "publisher_media", MEDIA_SUBJECTS, self.media_changed)

    async def queued(self, event: events_pb2.Event) -> None:
        """A target wants publishing."""
        self._dispatcher.wake()

    async def media_changed(self, event: events_pb2.Event) -> None:
        """An item is settled or gone: whoever waits for it looks again."""
        await self._deliveries.media_settled(event.workspace_id, event.subject_id)
        self._dispatcher.wake()
