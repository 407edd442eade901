"""A protobuf message -> the JSON of the public API.

Every field is always there: unset `optional` and message fields are null, an unspecified enum is null. 64-bit integers
are JSON numbers, times RFC 3339 UTC with milliseconds, bytes base64, `Struct` plain JSON.
"""

import base64
import json
import math
from collections.abc import Callable, Mapping
from typing import TypeAlias

from google.protobuf import struct_pb2, timestamp_pb2
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from services.common.proto_names import enum_words, fields_of, is_map, map_value

JSON: TypeAlias = "bool | int | float | str | list[JSON] | dict[str, JSON] | None"

_EXACT_INTEGERS = 2.0**53


def to_json(message: Message) -> dict[str, JSON]:
    """The message as a JSON object, members in the order of the fields' declaration."""
    return {field.json_name: _field(message, field) for field in fields_of(message)}


def dumps(value: JSON) -> bytes:
    """Compact UTF-8 JSON."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def _field(message: Message, field: FieldDescriptor) -> JSON:
    value = getattr(message, field.name)
    if is_map(field):
        entry = map_value(field)
        return {str(key): _single(entry, value[key]) for key in sorted(value)}
    if field.is_repeated:
        return [_single(field, item) for item in value]
    if field.has_presence and not message.HasField(field.name):
        return None
    return _single(field, value)


def _single(field: FieldDescriptor, value: object) -> JSON:
    if isinstance(value, Message):
        known = _WELL_KNOWN.get(value.DESCRIPTOR.full_name)
        return known(value) if known else to_json(value)
    if field.enum_type is not None:
        assert isinstance(value, int)
        return enum_words(field.enum_type).get(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    assert isinstance(value, bool | int | str)
    return value


def _time(message: Message) -> JSON:
    assert isinstance(message, timestamp_pb2.Timestamp)
    moment = message.ToDatetime()
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def _struct(message: Message) -> JSON:
    assert isinstance(message, struct_pb2.Struct)
    return {key: _value(value) for key, value in sorted(message.fields.items())}


def _value(message: Message) -> JSON:
    assert isinstance(message, struct_pb2.Value)
    match message.WhichOneof("kind"):
        case "struct_value":
            return _struct(message.struct_value)
        case "list_value":
            return [_value(item) for item in message.list_value.values]
        case "string_value":
            return message.string_value
        case "bool_value":
            return message.bool_value
        case "number_value":
            return _number(message.number_value)
        case _:
            return None


def _number(number: float) -> JSON:
    if not math.isfinite(number):
        return None
    return int(number) if number.is_integer() and abs(number) < _EXACT_INTEGERS else number


_WELL_KNOWN: Mapping[str, Callable[[Message], JSON]] = {
    "google.protobuf.Timestamp": _time,
    "google.protobuf.Struct": _struct,
    "google.protobuf.Value": _value,
}
