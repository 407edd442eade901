"""Events of stages that customers are told of."""

from datetime import UTC

from mediaapi.v1 import events_pb2, media_pb2

from services.common.events import Bus
from services.common.public_json import to_json
from services.common.runtime import Runtime
from services.publisher.app.webhooks.ports import Receipt
from services.publisher.app.webhooks.telling import Heard, Tell

CONSUMER = "publisher_webhooks"
SUBJECTS = ("media.v1.post_scheduled", "media.v1.post_settled", "media.v1.account_invalid")
# Apart, since these ask the ingest stage: while it is away, they wait and the others need not.
MEDIA_CONSUMER = "publisher_webhooks_media"
MEDIA_SUBJECTS = (
    "media.v1.media_settled",
    "media.v1.media_expiring",
    "media.v1.media_deleted",
    "media.v1.media_rendered",
)


class WebhookEvents:
    """Handler of the durable consumers publisher_webhooks and publisher_webhooks_media."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell

    def subscribe(self, run: Runtime, bus: Bus) -> None:
        """Both consumers, for as long as the process runs."""
        run.consume(bus, CONSUMER, SUBJECTS, self.happened)
        run.consume(bus, MEDIA_CONSUMER, MEDIA_SUBJECTS, self.happened)

    async def happened(self, event: events_pb2.Event) -> None:
        """Something that endpoints may want to hear of."""
        heard = Heard(
            receipt=Receipt(CONSUMER, event.id),
            workspace_id=event.workspace_id,
            subject_id=event.subject_id,
            version=event.version,
            happened_at=event.occurred_at.ToDatetime(UTC),
        )
        match event.WhichOneof("payload"):
            case "media_settled":
                await self._tell.media_settled(heard)
            case "media_expiring":
                await self._tell.media_expiring(heard)
            case "media_deleted":
                await self._tell.media_gone(heard, expired=event.media_deleted.expired)
            case "media_rendered":
                failed = [it for it in event.media_rendered.variants if it.status == media_pb2.VARIANT_STATUS_FAILED]
                await self._tell.variants_failed(heard, [to_json(it) for it in failed])
            case "post_scheduled":
                await self._tell.post_scheduled(heard)
            case "account_invalid":
                await self._tell.account_invalid(heard)
            case "post_settled":
                await self._tell.post_settled(heard)
