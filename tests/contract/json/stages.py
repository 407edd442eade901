"""Stages that answer from a script, over real gRPC: what the gateway and the JSON port both call."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace

import grpc
from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import Message

from deploy.local.ports import HOST, Ports
from services.common import context, rpc
from services.common.context import CallContext
from services.common.errors import Code, MediaError
from services.gateway.services import PUBLIC


@dataclass(frozen=True, slots=True)
class Received:
    """One call as its stage saw it."""

    rpc: str
    request: Message
    caller: CallContext
    metadata: Mapping[str, str | bytes]


@dataclass
class Script:
    """What every RPC answers, and which were called since `expect`."""

    answer: Message | MediaError | None = None
    received: list[Received] = field(default_factory=list)

    def expect(self, answer: Message | MediaError | None) -> None:
        """From now on. None: an empty answer of whatever type is asked for."""
        self.answer = answer
        self.received = []

    def handlers(self, service: ServiceDescriptor) -> grpc.GenericRpcHandler:
        """Of the unary RPCs of a service."""
        unary = (method for method in service.methods if not (method.client_streaming or method.server_streaming))
        return grpc.method_handlers_generic_handler(
            service.full_name, {method.name: self._handler(method) for method in unary}
        )

    def _handler(self, method: MethodDescriptor) -> "grpc.RpcMethodHandler[Message, Message]":
        made = message_factory.GetMessageClass(method.output_type)

        async def serve(request: Message, call: "grpc.aio.ServicerContext[Message, Message]") -> Message:
            metadata = dict(call.invocation_metadata() or ())
            self.received.append(Received(method.name, request, context.current(), metadata))
            if isinstance(self.answer, MediaError):
                raise self.answer
            if self.answer is None:
                return made()
            if not isinstance(self.answer, made):
                raise MediaError(Code.INTERNAL, why=f"{method.name} was not expected")
            return self.answer

        return grpc.unary_unary_rpc_method_handler(
            serve,
            request_deserializer=message_factory.GetMessageClass(method.input_type).FromString,
            response_serializer=lambda answer: answer.SerializeToString(),
        )


@asynccontextmanager
async def serving(script: Script) -> AsyncIterator[tuple[Ports, Mapping[str, grpc.aio.Channel]]]:
    """Each public service on a port of its own, that of its stage; the channels to them, by the service's full name."""
    async with AsyncExitStack() as held:
        ports: dict[str, int] = {}
        channels: dict[str, grpc.aio.Channel] = {}
        for stage, service in PUBLIC.items():
            server = rpc.server()
            server.add_generic_rpc_handlers((script.handlers(service),))
            ports[stage] = server.add_insecure_port(f"{HOST}:0")
            await server.start()
            held.push_async_callback(server.stop, None)
            channels[service.full_name] = await held.enter_async_context(rpc.channel(f"{HOST}:{ports[stage]}"))
        yield replace(Ports.free(), **ports), channels
