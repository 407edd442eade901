"""The part of PublisherService that is about webhooks."""

from typing import Any, TypeAlias

import grpc
from mediaapi.v1 import publisher_service_pb2_grpc
from mediaapi.v1 import webhook_pb2 as pb

from services.common import context
from services.publisher import paging
from services.publisher.app.webhooks.managing import Manage
from services.publisher.app.webhooks.ports import Changes
from services.publisher.domain.webhooks.delivery import Delivery, DeliveryStatus
from services.publisher.domain.webhooks.endpoint import Endpoint

TEST_WAIT_S = 10.0  # when the caller did not say
WAIT_MOST_S = 30.0

Rpc: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"

# A servicer's methods are named by the proto.
# ruff: noqa: N802


class WebhookRpc(publisher_service_pb2_grpc.PublisherServiceServicer):
    """One RPC, one use case."""

    def __init__(self, webhooks: Manage) -> None:
        self._webhooks = webhooks

    async def CreateWebhookEndpoint(self, request: pb.CreateWebhookEndpointRequest, rpc: Rpc) -> pb.WebhookEndpoint:
        """See PublisherService.CreateWebhookEndpoint."""
        made = await self._webhooks.create(paging.caller(), request.url, request.events, request.description)
        return _endpoint(*made)

    async def GetWebhookEndpoint(self, request: pb.GetWebhookEndpointRequest, rpc: Rpc) -> pb.WebhookEndpoint:
        """See PublisherService.GetWebhookEndpoint."""
        return _endpoint(await self._webhooks.get(paging.caller(), paging.plain(request.id)))

    async def ListWebhookEndpoints(
        self, request: pb.ListWebhookEndpointsRequest, rpc: Rpc
    ) -> pb.ListWebhookEndpointsResponse:
        """See PublisherService.ListWebhookEndpoints."""
        found, after = await self._webhooks.page(
            paging.caller(), limit=paging.limit(request.limit), after=paging.position(request.cursor)
        )
        return pb.ListWebhookEndpointsResponse(data=[_endpoint(it) for it in found], next_cursor=paging.cursor(after))

    async def UpdateWebhookEndpoint(self, request: pb.UpdateWebhookEndpointRequest, rpc: Rpc) -> pb.WebhookEndpoint:
        """See PublisherService.UpdateWebhookEndpoint."""
        changes = Changes(
            url=request.url if request.HasField("url") else None,
            events=tuple(request.events) or None,
            description=request.description if request.HasField("description") else None,
            disabled=request.status == pb.WEBHOOK_ENDPOINT_STATUS_DISABLED if request.status else None,
        )
        return _endpoint(await self._webhooks.change(paging.caller(), paging.plain(request.id), changes))

    async def DeleteWebhookEndpoint(
        self, request: pb.DeleteWebhookEndpointRequest, rpc: Rpc
    ) -> pb.DeleteWebhookEndpointResponse:
        """See PublisherService.DeleteWebhookEndpoint."""
        await self._webhooks.delete(paging.caller(), paging.plain(request.id))
        return pb.DeleteWebhookEndpointResponse()

    async def RotateWebhookSecret(self, request: pb.RotateWebhookSecretRequest, rpc: Rpc) -> pb.WebhookEndpoint:
        """See PublisherService.RotateWebhookSecret."""
        return _endpoint(*await self._webhooks.rotate(paging.caller(), paging.plain(request.id)))

    async def TestWebhookEndpoint(self, request: pb.TestWebhookEndpointRequest, rpc: Rpc) -> pb.WebhookDelivery:
        """See PublisherService.TestWebhookEndpoint."""
        return _delivery(
            await self._webhooks.test(paging.caller(), paging.plain(request.id), wait_s=_wait_s(TEST_WAIT_S))
        )

    async def ListWebhookDeliveries(
        self, request: pb.ListWebhookDeliveriesRequest, rpc: Rpc
    ) -> pb.ListWebhookDeliveriesResponse:
        """See PublisherService.ListWebhookDeliveries."""
        name = pb.WebhookDeliveryStatus.Name(request.status).removeprefix("WEBHOOK_DELIVERY_STATUS_").lower()
        found, after = await self._webhooks.deliveries(
            paging.caller(),
            paging.plain(request.id),
            limit=paging.limit(request.limit),
            after=paging.position(request.cursor),
            status=DeliveryStatus(name) if request.status else None,
        )
        return pb.ListWebhookDeliveriesResponse(data=[_delivery(it) for it in found], next_cursor=paging.cursor(after))

    async def ReplayWebhookDelivery(self, request: pb.ReplayWebhookDeliveryRequest, rpc: Rpc) -> pb.WebhookDelivery:
        """See PublisherService.ReplayWebhookDelivery."""
        found = await self._webhooks.replay(
            paging.caller(), paging.plain(request.id), paging.plain(request.delivery_id), wait_s=_wait_s(0.0)
        )
        return _delivery(found)


def _wait_s(usual: float) -> float:
    asked = context.current().wait_s
    return min(usual if asked is None else asked, WAIT_MOST_S)


def _endpoint(endpoint: Endpoint, secret: str | None = None) -> pb.WebhookEndpoint:
    message = pb.WebhookEndpoint(
        id=endpoint.endpoint_id,
        url=endpoint.url,
        description=endpoint.description,
        events=endpoint.events,
        status=pb.WebhookEndpointStatus.Value(f"WEBHOOK_ENDPOINT_STATUS_{endpoint.status.name}"),
        secret=secret,
    )
    message.created_at.FromDatetime(endpoint.created_at)
    if endpoint.old_until is not None:
        message.old_secret_expires_at.FromDatetime(endpoint.old_until)
    if endpoint.failing_since is not None:
        message.failing_since.FromDatetime(endpoint.failing_since)
    return message


def _delivery(delivery: Delivery) -> pb.WebhookDelivery:
    message = pb.WebhookDelivery(
        id=delivery.delivery_id,
        endpoint_id=delivery.endpoint_id,
        event_id=delivery.event_id,
        event_type=delivery.event_type,
        status=pb.WebhookDeliveryStatus.Value(f"WEBHOOK_DELIVERY_STATUS_{delivery.status.name}"),
        attempts=delivery.attempts,
        response_status=delivery.response_status,
        error=delivery.error,
    )
    message.created_at.FromDatetime(delivery.created_at)
    if delivery.next_at is not None:
        message.next_attempt_at.FromDatetime(delivery.next_at)
    if delivery.last_attempt_at is not None:
        message.last_attempt_at.FromDatetime(delivery.last_attempt_at)
    return message
