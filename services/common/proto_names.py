"""How protobuf names look in JSON."""

from collections.abc import Sequence
from functools import cache
from typing import cast

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message


@cache
def enum_words(enum: EnumDescriptor) -> dict[int, str]:
    """Number -> public word, e.g. {1: "image", 2: "video"}: lower case, no prefix, no unspecified zero."""
    prefix = enum.values_by_number[0].name.removesuffix("UNSPECIFIED")
    return {value.number: value.name.removeprefix(prefix).lower() for value in enum.values if value.number != 0}


def fields_of(message: Message) -> Sequence[FieldDescriptor]:
    """The fields of a message in the order of their declaration."""
    return cast(Descriptor, message.DESCRIPTOR).fields  # The stubs name its C twin beside it.


def map_value(field: FieldDescriptor) -> FieldDescriptor:
    """What the values of a `map<k, v>` field are."""
    assert field.message_type is not None
    return field.message_type.fields_by_name["value"]


def is_map(field: FieldDescriptor) -> bool:
    """A `map<k, v>` field."""
    return field.message_type is not None and field.message_type.GetOptions().map_entry
