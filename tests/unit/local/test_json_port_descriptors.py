"""What Envoy is told of the RPCs: the same bytes on the wire, and no RPC that is not a route."""

from google.protobuf.descriptor import Descriptor
from google.protobuf.descriptor_pool import DescriptorPool
from mediaapi.v1 import error_pb2

from deploy.json_port.descriptors import UNSPECIFIED, descriptor_set, served
from services.common.proto_names import enum_words
from services.gateway.services import route_table

SERVED = served(route_table().routes)


def pool() -> DescriptorPool:
    """As a program that reads the set sees it; whatever lacks a dependency, or is there twice, is refused."""
    found = DescriptorPool()
    for file in descriptor_set(SERVED).file:
        found.AddSerializedFile(file.SerializeToString())
    return found


def wire(message: Descriptor) -> dict[int, tuple[object, ...]]:
    """What a field's bytes and its JSON name depend on, enums by their numbers."""
    return {
        field.number: (
            field.json_name,
            field.type,
            field.is_repeated,
            field.has_presence,
            field.is_packed,
            field.message_type and field.message_type.full_name,
            field.enum_type and frozenset(field.enum_type.values_by_number),
        )
        for field in message.fields
    }


def reached(message: Descriptor, into: dict[str, Descriptor]) -> dict[str, Descriptor]:
    """It and every message in it, by name."""
    if message.full_name not in into:
        into[message.full_name] = message
        for field in message.fields:
            if field.message_type is not None:
                reached(field.message_type, into)
    return into


def test_every_message_is_the_same_on_the_wire() -> None:
    messages = reached(error_pb2.ErrorDetail.DESCRIPTOR, {})
    for message in (it for route in SERVED for it in (route.rpc.input_type, route.rpc.output_type)):
        reached(message, messages)
    assert len(messages) > len(SERVED)
    there = pool()
    for name, message in messages.items():
        assert wire(there.FindMessageTypeByName(name)) == wire(message), name


def test_enums_bear_the_public_words() -> None:
    there = pool()
    seen = 0
    for route in SERVED:
        for message in reached(route.rpc.output_type, {}).values():
            for field in message.fields:
                if field.enum_type is None or field.enum_type.file.package != "mediaapi.v1":
                    continue
                told = there.FindEnumTypeByName(f"{field.enum_type.full_name}Words.{field.enum_type.name}")
                words = {number: value.name for number, value in told.values_by_number.items()}
                assert words == enum_words(field.enum_type) | {0: UNSPECIFIED}
                seen += 1
    assert seen


def test_there_is_no_rpc_but_the_routes() -> None:
    there = {
        f"{file.package}.{service.name}.{method.name}"
        for file in descriptor_set(SERVED).file
        for service in file.service
        for method in service.method
    }
    assert there == {route.rpc.full_name for route in SERVED}
    assert "mediaapi.v1.IngestService.ImportMedia" in there
    inside = ("IngestService.PinMedia", "PublisherService.ProvisionAccount", "KeyService.CreateApiKey")
    assert not there & {f"mediaapi.v1.{name}" for name in inside}
