"""TranscoderService over the use cases."""

from typing import Any, TypeAlias

import grpc
from mediaapi.v1 import media_pb2, transcoder_service_pb2_grpc
from mediaapi.v1 import transcoder_service_pb2 as pb

from services.common import context
from services.common.errors import Code, MediaError
from services.transcoder.app.ensuring import Ensuring
from services.transcoder.events import MEDIA_ID
from services.transcoder.ports import Ref
from services.transcoder.view import View

WAIT_S = 5.0  # when the caller did not say
WAIT_MOST_S = 25.0  # an RPC nobody gave a deadline ends after 30

Rpc: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"

# A servicer's methods are named by the proto.
# ruff: noqa: N802


class TranscoderRpc(transcoder_service_pb2_grpc.TranscoderServiceServicer):
    """One RPC, one use case."""

    def __init__(self, ensuring: Ensuring, view: View) -> None:
        self._ensuring = ensuring
        self._view = view

    async def CreateVariant(self, request: pb.CreateVariantRequest, context_: Rpc) -> media_pb2.Variant:
        """See TranscoderService.CreateVariant."""
        answer = await self._ensuring.create(_ref(request.media_id), request.preset, _wait_s())
        return self._view.variant(answer.item, answer.variant)

    async def EnsureVariant(self, request: pb.EnsureVariantRequest, context_: Rpc) -> pb.EnsureVariantResponse:
        """See TranscoderService.EnsureVariant."""
        ref = _ref(request.media_id)
        cover_at_s = request.thumbnail_time if request.HasField("thumbnail_time") else None
        answer = await self._ensuring.ensure(ref, request.platform, request.preset, _wait_s(), cover_at_s=cover_at_s)
        cover = self._view.variant(answer.item, answer.cover) if answer.cover else None
        return pb.EnsureVariantResponse(variant=self._view.variant(answer.item, answer.variant), cover=cover)


def _wait_s() -> float:
    wait_s = context.current().wait_s
    return WAIT_S if wait_s is None else min(max(wait_s, 0.0), WAIT_MOST_S)


def _ref(media_id: str) -> Ref:
    """No text that cannot be an id reaches the database."""
    if not MEDIA_ID.fullmatch(media_id):
        raise MediaError(Code.MEDIA_NOT_FOUND, media_id=media_id)
    return Ref(context.current().workspace_id, media_id)
