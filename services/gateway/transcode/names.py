"""How protobuf names look in JSON."""

from functools import cache

from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor


@cache
def enum_words(enum: EnumDescriptor) -> dict[int, str]:
    """Number -> public word, e.g. {1: "image", 2: "video"}: lower case, no prefix, no unspecified zero."""
    prefix = enum.values_by_number[0].name.removesuffix("UNSPECIFIED")
    return {value.number: value.name.removeprefix(prefix).lower() for value in enum.values if value.number != 0}


def is_map(field: FieldDescriptor) -> bool:
    """A `map<k, v>` field."""
    return field.message_type is not None and field.message_type.GetOptions().map_entry
