"""One unary public call: an HTTP request's parts -> RPC -> HTTP status and JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import grpc
from google.protobuf import message_factory
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from mediaapi.v1 import options_pb2

from services.common import context
from services.common.proto_names import is_map
from services.common.public_json import JSON, to_json
from services.gateway.transcode import decode
from services.gateway.transcode.routes import UPDATE_MASK, Match, Route

# Past this an answer is late for any client; a wait the caller asked for comes on top.
DEADLINE_S = 30.0
FETCH_DEADLINE_S = 60.0  # with the wait: ingest gives up after 55 s


@dataclass(frozen=True, slots=True)
class Answer:
    """What a settled call says over HTTP; `body` is None where there is none (204)."""

    status: int
    body: dict[str, JSON] | None


def read_request(match: Match, query: Sequence[tuple[str, str]], body: JSON) -> Message:
    """The request message of `match`; `body` counts only where the route has one.

    Raises:
        MediaError: INVALID_REQUEST, INLINE_MEDIA_INVALID.
    """
    route = match.route
    message = message_factory.GetMessageClass(route.rpc.input_type)()
    decoder = decode.Decoder()
    if route.has_body:
        decoder.fill(message, body, besides=route.besides)
        decoder.refuse_query(query)
    else:
        decoder.fill_query(message, query, besides=route.variables)
    decoder.finish()
    if UPDATE_MASK in route.besides and isinstance(body, dict):
        _mask(message, body)
    for name, value in match.variables.items():
        setattr(message, name, value)
    return message


def _mask(message: Message, body: dict[str, JSON]) -> None:
    """Which fields the body has; every name is one of the message's, since the decoder took it."""
    names = {field.json_name: field.name for field in message.DESCRIPTOR.fields}
    getattr(message, UPDATE_MASK).paths.extend(names[name] for name in body)


def answer(route: Route, response: Message) -> Answer:
    """How `response` looks over HTTP."""
    if route.success == 204:
        return Answer(204, None)
    return Answer(_status(route, response), to_json(response))


def _status(route: Route, response: Message) -> int:
    return route.in_progress if route.in_progress and _is_under_way(response) else route.success


def in_progress(message: Message) -> bool:
    """Whether it, or anything in a list of it, has a `status` that will change by itself."""
    parts = (part for field, value in message.ListFields() if _is_list(field) for part in value)
    return _is_under_way(message) or any(in_progress(part) for part in parts)


def _is_under_way(message: Message) -> bool:
    field = message.DESCRIPTOR.fields_by_name.get("status")
    if field is None or field.enum_type is None:
        return False
    state = field.enum_type.values_by_number.get(getattr(message, "status"))  # noqa: B009 - no static type has it
    return state is not None and bool(state.GetOptions().Extensions[options_pb2.in_progress])


def _is_list(field: FieldDescriptor) -> bool:
    return field.message_type is not None and field.is_repeated and not is_map(field)


def open_stream(
    channel: grpc.aio.Channel,
    route: Route,
    caller: context.CallContext,
    key_id: str,
    request: Message,
    deadline_s: float,
) -> "grpc.aio.UnaryStreamCall[Message, Message]":
    """Make the RPC of a route that answers with a stream; what it raises comes with its first message."""
    method: grpc.aio.UnaryStreamMultiCallable[Message, Message] = channel.unary_stream(
        route.rpc_path,
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=message_factory.GetMessageClass(route.rpc.output_type).FromString,
    )
    with context.use(caller):
        return method(request, timeout=deadline_s, metadata=(("x-api-key-id", key_id),))


class Upstreams:
    """The channels to the stages, by the full name of the service each serves."""

    def __init__(self, channels: Mapping[str, grpc.aio.Channel]) -> None:
        self._channels = channels

    def channel(self, service: str) -> grpc.aio.Channel:
        """The channel of one service."""
        return self._channels[service]

    async def call(self, route: Route, request: Message, caller: context.CallContext, key_id: str) -> Message:
        """Make the RPC of `route` for `caller`. Raises: MediaError, whatever the stage answered."""
        method: grpc.aio.UnaryUnaryMultiCallable[Message, Message] = self.channel(route.service).unary_unary(
            route.rpc_path,
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=message_factory.GetMessageClass(route.rpc.output_type).FromString,
        )
        with context.use(caller):
            timeout_s = FETCH_DEADLINE_S if route.fetches else DEADLINE_S + (caller.wait_s or 0.0)
            response = await method(request, timeout=timeout_s, metadata=(("x-api-key-id", key_id),))
        assert isinstance(response, Message)
        return response
