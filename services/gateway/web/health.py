"""`/healthz`: whether this process lives. `/readyz`: whether every stage has what it needs. `/readyz/self`: whether
this process should be given requests."""

import asyncio
from collections.abc import Callable, Mapping

import grpc
from mediaapi.v1 import health_service_pb2, health_service_pb2_grpc

from services.common.errors import MediaError
from services.common.public_json import JSON, dumps, to_json
from services.gateway.web.front import Page
from services.gateway.web.http import Exchange, Response

SELF = "/readyz/self"
TIMEOUT_S = 3.0
_NO_STORE = (("cache-control", "no-store"),)


class Health:
    """Asks each stage by its own name, the gateway's own gRPC included."""

    def __init__(self, stages: Mapping[str, grpc.aio.Channel], takes_calls: Callable[[], bool]) -> None:
        self._stages = stages
        self._takes_calls = takes_calls

    def pages(self) -> dict[str, Page]:
        """By path."""
        return {"/healthz": self.healthz, "/readyz": self.readyz, SELF: self.self}

    async def healthz(self, exchange: Exchange) -> Response:
        """Up, whatever else is not."""
        return Response(200, dumps({"status": "ok"}), headers=_NO_STORE)

    async def self(self, exchange: Exchange) -> Response:
        """503 once it is told to stop, or cannot do anything: Envoy asks, and gives requests to another."""
        takes = self._takes_calls()
        return Response(200 if takes else 503, dumps({"takesRequests": takes}), headers=_NO_STORE)

    async def readyz(self, exchange: Exchange) -> Response:
        """200 when every stage is ready, else 503; each dependency by stage and name."""
        answers = await asyncio.gather(*(_ask(channel) for channel in self._stages.values()))
        stages: dict[str, JSON] = dict(zip(self._stages, answers, strict=True))
        ready = all(isinstance(answer, dict) and answer["ready"] is True for answer in answers)
        headers = _NO_STORE if ready else (*_NO_STORE, ("retry-after", "5"))
        return Response(200 if ready else 503, dumps({"ready": ready, "stages": stages}), headers=headers)


async def _ask(channel: grpc.aio.Channel) -> JSON:
    stub = health_service_pb2_grpc.HealthServiceStub(channel)
    try:
        return to_json(await stub.GetReadiness(health_service_pb2.GetReadinessRequest(), timeout=TIMEOUT_S))
    except (grpc.RpcError, MediaError):
        return {"ready": False, "checks": [{"name": "rpc", "ok": False, "detail": "does not answer"}]}
