"""What Envoy is told of the RPCs behind the JSON port: the routes that are JSON both ways, and no other RPC.

The wire stays what the stages speak. What differs from the protos is how JSON looks: an enum's values bear the words of
the public API. Values share a name space with their enum, so each enum lies in a message of its own.
"""

from collections.abc import Iterable, Sequence

from google.api import annotations_pb2, http_pb2
from google.protobuf.descriptor import EnumDescriptor, FileDescriptor
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
)
from mediaapi.v1 import error_pb2, options_pb2

from services.common.proto_names import enum_words
from services.gateway.transcode.routes import Route

PACKAGE = "mediaapi.v1"
UNSPECIFIED = "unspecified"  # zero, for which the public API has null
_KEYS = f"{PACKAGE}.KeyService"
_HOLDER = "Words"
_OPTIONS = options_pb2.DESCRIPTOR.name


def served(routes: Iterable[Route]) -> list[Route]:
    """The routes whose request and answer are one JSON text each; of one with two bodies, its JSON side.

    Streams of bytes and of events are not among them, nor are the keys, which the gateway keeps itself.
    """
    chosen = (route.json_twin or route for route in routes if route.service != _KEYS)
    return [route for route in chosen if not (route.rpc.client_streaming or route.rpc.server_streaming)]


def descriptor_set(routes: Sequence[Route]) -> FileDescriptorSet:
    """The files that `routes` and the errors need, dependencies first."""
    files: dict[str, FileDescriptor] = {}
    for file in (error_pb2.DESCRIPTOR, *(route.rpc.containing_service.file for route in routes)):
        _gather(file, files)
    rules = {route.rpc.full_name: _rule(route) for route in routes}
    return FileDescriptorSet(file=[_told(file, rules) for file in files.values()])


def _gather(file: FileDescriptor, into: dict[str, FileDescriptor]) -> None:
    for needed in file.dependencies:
        if needed.name != _OPTIONS:
            _gather(needed, into)
    into.setdefault(file.name, file)


def _rule(route: Route) -> http_pb2.HttpRule:
    rule = http_pb2.HttpRule(body="*" if route.has_body else "")
    setattr(rule, route.method.lower(), route.template)
    return rule


def _told(file: FileDescriptor, rules: dict[str, http_pb2.HttpRule]) -> FileDescriptorProto:
    told = FileDescriptorProto()
    file.CopyToProto(told)
    if file.package != PACKAGE:
        return told
    kept = [name for name in told.dependency if name != _OPTIONS]
    told.ClearField("dependency")
    told.dependency.extend(kept)
    for message in told.message_type:
        _point(message)
    for name, enum in file.enum_types_by_name.items():
        told.message_type.add(name=f"{name}{_HOLDER}").enum_type.append(_worded(enum))
    told.ClearField("enum_type")
    for service in told.service:
        full_name = f"{PACKAGE}.{service.name}"
        methods = [method for method in service.method if f"{full_name}.{method.name}" in rules]
        for method in methods:
            method.ClearField("options")
            method.options.Extensions[annotations_pb2.http].CopyFrom(rules[f"{full_name}.{method.name}"])
        service.ClearField("method")
        service.method.extend(methods)
    return told


def _point(message: DescriptorProto) -> None:
    """Its enums to where they lie; what its fields say to logs and to the gateway is not for Envoy."""
    for field in message.field:
        field.ClearField("options")
        if field.type == FieldDescriptorProto.TYPE_ENUM:
            name = field.type_name.removeprefix(f".{PACKAGE}.")
            field.type_name = f".{PACKAGE}.{name}{_HOLDER}.{name}"
    for nested in message.nested_type:
        _point(nested)


def _worded(enum: EnumDescriptor) -> EnumDescriptorProto:
    told = EnumDescriptorProto(name=enum.name)
    words = enum_words(enum)
    for value in enum.values:
        told.value.add(name=words.get(value.number, UNSPECIFIED), number=value.number)
    return told
