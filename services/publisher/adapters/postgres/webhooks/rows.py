"""Rows of the webhook tables as domain values."""

from sqlalchemy import RowMapping

from services.publisher.adapters.sealing import Sealed
from services.publisher.app.webhooks.ports import Parcel
from services.publisher.domain.webhooks.delivery import Delivery, DeliveryStatus
from services.publisher.domain.webhooks.endpoint import Endpoint, EndpointStatus

DUE_CHANNEL = "publisher_webhooks"  # there is something new to deliver

ENDPOINT = "id, live, url, description, events, status, old_until, failing_since, created_at"
DELIVERY = (
    "d.id, d.endpoint_id, d.event_id, v.type, d.status, d.attempts, d.next_at, d.last_attempt_at, d.response_status,"
    " d.error, d.created_at"
)
PARCEL = (
    "d.workspace_id, d.id, d.endpoint_id, d.event_id, d.epoch, d.once, d.failures, e.failing_since, e.url, v.body,"
    " v.traceparent, e.key_version, e.sealed, e.old_key_version,"
    " CASE WHEN e.old_until > :now THEN e.old_sealed END AS old_sealed"
)


def endpoint(row: RowMapping) -> Endpoint:
    """From the columns of ENDPOINT."""
    return Endpoint(
        endpoint_id=row["id"],
        live=row["live"],
        url=row["url"],
        description=row["description"],
        events=tuple(row["events"]),
        status=EndpointStatus(row["status"]),
        created_at=row["created_at"],
        old_until=row["old_until"],
        failing_since=row["failing_since"],
    )


def delivery(row: RowMapping) -> Delivery:
    """From the columns of DELIVERY."""
    return Delivery(
        delivery_id=row["id"],
        endpoint_id=row["endpoint_id"],
        event_id=row["event_id"],
        event_type=row["type"],
        status=DeliveryStatus(row["status"]),
        attempts=row["attempts"],
        next_at=row["next_at"],
        last_attempt_at=row["last_attempt_at"],
        response_status=row["response_status"],
        error=row["error"],
        created_at=row["created_at"],
    )


def parcel(row: RowMapping) -> Parcel:
    """From the columns of PARCEL."""
    old = row["old_sealed"]
    return Parcel(
        workspace_id=row["workspace_id"],
        delivery_id=row["id"],
        endpoint_id=row["endpoint_id"],
        event_id=row["event_id"],
        epoch=row["epoch"],
        once=row["once"],
        failures=row["failures"],
        failing=row["failing_since"] is not None,
        url=row["url"],
        body=row["body"],
        traceparent=row["traceparent"],
        sealed=Sealed(row["key_version"], bytes(row["sealed"])),
        old_sealed=None if old is None else Sealed(row["old_key_version"], bytes(old)),
    )
