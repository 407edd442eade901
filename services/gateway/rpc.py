"""KeyService: proto in, key ring, proto out."""

import base64
import binascii

import grpc
from mediaapi.v1 import gateway_service_pb2 as pb
from mediaapi.v1 import gateway_service_pb2_grpc

from services.common import context
from services.common.errors import Code, MediaError, Violation
from services.gateway.app import KeyRing
from services.gateway.domain.keys import ApiKey, Mode

DEFAULT_LIMIT = 20
_MODES = {pb.API_KEY_MODE_LIVE: Mode.LIVE, pb.API_KEY_MODE_TEST: Mode.TEST}
_NUMBERS = {mode: number for number, mode in _MODES.items()}


class KeyRpc(gateway_service_pb2_grpc.KeyServiceServicer):
    """Serves the keys of the caller's workspace."""

    def __init__(self, ring: KeyRing) -> None:
        self._ring = ring

    async def CreateApiKey(  # noqa: N802 - the name is gRPC's
        self,
        request: pb.CreateApiKeyRequest,
        context_: grpc.aio.ServicerContext[pb.CreateApiKeyRequest, pb.CreateApiKeyResponse],
    ) -> pb.CreateApiKeyResponse:
        """See the proto."""
        caller = context.current()
        key, text = await self._ring.create(
            caller.workspace_id,
            _calling_key(context_),
            name=request.name,
            mode=_MODES.get(request.mode),
            scopes=tuple(request.scopes),
        )
        return pb.CreateApiKeyResponse(api_key=_key(key), key=text)

    async def ListApiKeys(  # noqa: N802 - the name is gRPC's
        self,
        request: pb.ListApiKeysRequest,
        context_: grpc.aio.ServicerContext[pb.ListApiKeysRequest, pb.ListApiKeysResponse],
    ) -> pb.ListApiKeysResponse:
        """See the proto."""
        caller = context.current()
        page = await self._ring.list(
            caller.workspace_id,
            live=caller.live,
            limit=request.limit or DEFAULT_LIMIT,
            before=_read_cursor(request.cursor),
        )
        return pb.ListApiKeysResponse(data=[_key(key) for key in page.keys], next_cursor=_cursor(page.next_before))

    async def DeleteApiKey(  # noqa: N802 - the name is gRPC's
        self,
        request: pb.DeleteApiKeyRequest,
        context_: grpc.aio.ServicerContext[pb.DeleteApiKeyRequest, pb.DeleteApiKeyResponse],
    ) -> pb.DeleteApiKeyResponse:
        """See the proto."""
        caller = context.current()
        await self._ring.revoke(caller.workspace_id, request.id, live=caller.live)
        return pb.DeleteApiKeyResponse()


def _calling_key(context_: grpc.aio.ServicerContext[pb.CreateApiKeyRequest, pb.CreateApiKeyResponse]) -> str:
    metadata = dict(context_.invocation_metadata() or ())
    return str(metadata.get("x-api-key-id", ""))


def _key(key: ApiKey) -> pb.ApiKey:
    message = pb.ApiKey(id=key.key_id, name=key.name, mode=_NUMBERS[key.mode], scopes=key.scopes, hint=key.hint)
    message.created_at.FromDatetime(key.created_at)
    if key.last_used_at is not None:
        message.last_used_at.FromDatetime(key.last_used_at)
    return message


def _cursor(before: str | None) -> str | None:
    return None if before is None else base64.urlsafe_b64encode(before.encode()).decode().rstrip("=")


def _read_cursor(cursor: str) -> str | None:
    if not cursor:
        return None
    try:
        return base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, ValueError) as exc:
        violation = Violation("cursor", "must be one an earlier page gave")
        raise MediaError(Code.INVALID_REQUEST, violations=[violation], field="cursor") from exc
