"""JSON of a request -> a protobuf message, strictly: every field that does not belong is named, all of them at once."""

import base64
import binascii
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from functools import partial

from google.protobuf import struct_pb2, timestamp_pb2
from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message
from mediaapi.v1 import options_pb2

from services.common.errors import Code, MediaError, Violation
from services.common.proto_names import enum_words, fields_of, is_map, map_value
from services.common.public_json import JSON

MAX_VIOLATIONS = 20
# protobuf reads at most 100 messages inside each other, and an object of a Struct is three.
MAX_STRUCT_DEPTH = 16
_INTEGERS: Mapping[int, tuple[int, int]] = {
    FieldDescriptor.TYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.TYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.TYPE_UINT64: (0, 2**64 - 1),
}
_FLOATS = (FieldDescriptor.TYPE_DOUBLE, FieldDescriptor.TYPE_FLOAT)


class _Wrong(Exception):  # noqa: N818  a finding, not an error
    """One value cannot be what its field needs; args[0] is the sentence."""


class _WrongBase64(_Wrong):
    """The same, for inline media."""


class Decoder:
    """Fills messages and gathers what was wrong on the way. One for each request."""

    def __init__(self) -> None:
        self._violations: list[Violation] = []
        self._inline_media = 0

    def fill(self, message: Message, body: JSON, *, besides: Sequence[str] = ()) -> None:
        """Fill `message` from a JSON body; fields in `besides` come from the path and are unknown here."""
        if not isinstance(body, dict):
            self._add("", "must be a JSON object")
            return
        self._object(message, body, "", besides)

    def fill_query(self, message: Message, pairs: Sequence[tuple[str, str]], *, besides: Sequence[str] = ()) -> None:
        """Fill `message` from query parameters; only `repeated` fields may come more than once."""
        fields = {field.json_name: field for field in fields_of(message) if field.name not in besides}
        seen: set[str] = set()
        for name, text in pairs:
            field = fields.get(name)
            if field is None or field.message_type is not None:
                self._add(name[:64], "is not a parameter of this route")
            elif name in seen and not field.is_repeated:
                self._add(name, "may be given once")
            else:
                self._guard(name, partial(_put_scalar, message, field, _typed(field, text)))
            seen.add(name)
        self._check_page(message, seen)

    def refuse_query(self, pairs: Sequence[tuple[str, str]]) -> None:
        """A route with a body takes nothing from the query string."""
        for name, _ in pairs:
            self._add(name[:64], "is not a parameter of this route")

    def finish(self) -> None:
        """Raises: MediaError INVALID_REQUEST or INLINE_MEDIA_INVALID with every violation found, if any."""
        if not self._violations:
            return
        only_inline_media = self._inline_media >= len(self._violations)
        code = Code.INLINE_MEDIA_INVALID if only_inline_media else Code.INVALID_REQUEST
        raise MediaError(code, violations=self._violations, field=self._violations[0].field or "body")

    def _check_page(self, message: Message, seen: set[str]) -> None:
        """The one rule all lists share: a page has 1 to 100 items."""
        if "limit" not in seen or "cursor" not in message.DESCRIPTOR.fields_by_name:
            return
        understood = all(violation.field != "limit" for violation in self._violations)
        if understood and not 1 <= _limit(message) <= 100:
            self._add("limit", "must be 1 to 100")

    def _object(self, message: Message, members: dict[str, JSON], path: str, besides: Sequence[str] = ()) -> None:
        fields = {field.json_name: field for field in fields_of(message) if field.name not in besides}
        for name, value in members.items():
            field = fields.get(name)
            if field is None:
                self._add(_join(path, name), "is not a field of this request")
            elif value is not None:
                self._field(message, field, value, _join(path, name))
        for name, field in fields.items():
            if field.GetOptions().Extensions[options_pb2.required] and not _given(members.get(name)):
                self._add(_join(path, name), "is required")

    def _field(self, message: Message, field: FieldDescriptor, value: JSON, path: str) -> None:
        if is_map(field):
            self._map(message, field, value, path)
        elif field.is_repeated:
            self._list(message, field, value, path)
        elif field.containing_oneof is not None and message.WhichOneof(field.containing_oneof.name) is not None:
            self._add(path, "excludes another field that is given too")
        elif field.message_type is not None:
            self._message(getattr(message, field.name), value, path)
        else:
            self._guard(path, partial(_put_scalar, message, field, value))

    def _list(self, message: Message, field: FieldDescriptor, value: JSON, path: str) -> None:
        if not isinstance(value, list):
            self._add(path, "must be an array")
            return
        items = getattr(message, field.name)
        for index, item in enumerate(value):
            at = f"{path}[{index}]"
            if field.message_type is not None:
                self._message(items.add(), item, at)
            else:
                self._guard(at, partial(_put_scalar, message, field, item))

    def _map(self, message: Message, field: FieldDescriptor, value: JSON, path: str) -> None:
        if not isinstance(value, dict):
            self._add(path, "must be an object")
            return
        entry = map_value(field)
        entries = getattr(message, field.name)
        for key, item in value.items():
            at = _join(path, key)
            if entry.message_type is not None:
                self._message(entries[key], item, at)
            else:
                self._guard(at, partial(_put_entry, entries, key, entry, item))

    def _message(self, message: Message, value: JSON, path: str) -> None:
        if isinstance(message, timestamp_pb2.Timestamp):
            self._guard(path, lambda: message.CopyFrom(_timestamp(value)))
        elif isinstance(message, struct_pb2.Struct):
            self._guard(path, lambda: message.CopyFrom(_struct(value)))
        elif isinstance(value, dict):
            message.SetInParent()
            self._object(message, value, path)
        else:
            self._add(path, "must be an object")

    def _guard(self, path: str, put: Callable[[], object]) -> None:
        try:
            put()
        except _Wrong as exc:
            self._inline_media += isinstance(exc, _WrongBase64)
            self._add(path, str(exc))

    def _add(self, path: str, message: str) -> None:
        if len(self._violations) < MAX_VIOLATIONS:
            self._violations.append(Violation(path, message))


def _join(path: str, name: str) -> str:
    short = name if len(name) <= 64 else name[:64] + "…"
    return f"{path}.{short}" if path else short


def _given(value: JSON) -> bool:
    return value is not None and value not in ("", [])


def _limit(message: Message) -> int:
    limit = getattr(message, "limit")  # noqa: B009 - the field is known by the caller's check, not by a type
    assert isinstance(limit, int)
    return limit


def _put_entry(entries: MutableMapping[str, object], key: str, entry: FieldDescriptor, item: JSON) -> None:
    entries[_text(key)] = _scalar(entry, item)


def _put_scalar(message: Message, field: FieldDescriptor, item: JSON) -> None:
    value = _scalar(field, item)
    if field.is_repeated:
        getattr(message, field.name).append(value)
    else:
        setattr(message, field.name, value)


def _scalar(field: FieldDescriptor, value: JSON) -> object:
    if field.enum_type is not None:
        return _enum(field.enum_type, value)
    if field.type == FieldDescriptor.TYPE_STRING:
        return _text(value)
    if field.type == FieldDescriptor.TYPE_BYTES:
        return _bytes(field, value)
    if field.type == FieldDescriptor.TYPE_BOOL:
        if not isinstance(value, bool):
            raise _Wrong("must be true or false")
        return value
    if field.type in _FLOATS:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise _Wrong("must be a number")
        return _float(value)
    return _integer(value, *_INTEGERS[field.type])


def _text(value: JSON) -> str:
    if not isinstance(value, str):
        raise _Wrong("must be a string")
    if "\0" in value:  # PostgreSQL cannot store it.
        raise _Wrong("must not hold the character U+0000")
    return value


def _float(value: float) -> float:
    try:
        return float(value)
    except OverflowError as exc:
        raise _Wrong("is too large") from exc


def _integer(value: JSON, lowest: int, highest: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value // 1:
        raise _Wrong("must be an integer")
    if not lowest <= value <= highest:
        raise _Wrong(f"must be {lowest} to {highest}")
    return int(value)  # 20.0 is the integer 20 in JSON.


def _enum(enum: EnumDescriptor, value: JSON) -> int:
    words = enum_words(enum)
    for number, word in words.items():
        if word == value:
            return number
    raise _Wrong(f"must be one of {', '.join(words.values())}")


def _bytes(field: FieldDescriptor, value: JSON) -> bytes:
    wrong = _WrongBase64 if field.name == "data" else _Wrong
    if not isinstance(value, str):
        raise wrong("must be a base64 string")
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as exc:
        raise wrong("must be base64 of the standard alphabet, padded, without line breaks") from exc


def _timestamp(value: JSON) -> timestamp_pb2.Timestamp:
    moment = timestamp_pb2.Timestamp()
    try:
        if not isinstance(value, str):
            raise _Wrong("must be a string")
        moment.FromJsonString(value)
    except (ValueError, OverflowError) as exc:
        raise _Wrong("must be a time such as 2026-11-24T09:30:00Z") from exc
    return moment


def _struct(value: JSON, depth: int = 1) -> struct_pb2.Struct:
    if not isinstance(value, dict):
        raise _Wrong("must be an object")
    struct = struct_pb2.Struct()
    for key, item in value.items():
        struct.fields[_text(key)].CopyFrom(_value(item, depth))
    return struct


def _value(value: JSON, depth: int) -> struct_pb2.Value:
    if isinstance(value, list | dict) and depth >= MAX_STRUCT_DEPTH:
        raise _Wrong(f"must not be nested deeper than {MAX_STRUCT_DEPTH} levels")
    if value is None:
        return struct_pb2.Value(null_value=struct_pb2.NULL_VALUE)
    if isinstance(value, bool):
        return struct_pb2.Value(bool_value=value)
    if isinstance(value, int | float):
        return struct_pb2.Value(number_value=_float(value))
    if isinstance(value, str):
        return struct_pb2.Value(string_value=_text(value))
    if isinstance(value, list):
        values = [_value(item, depth + 1) for item in value]
        return struct_pb2.Value(list_value=struct_pb2.ListValue(values=values))
    return struct_pb2.Value(struct_value=_struct(value, depth + 1))


def _typed(field: FieldDescriptor, text: str) -> JSON:
    """A query parameter has no type of its own: read it as its field's."""
    if field.type in _INTEGERS:
        digits = text.removeprefix("-")
        return int(text) if digits.isascii() and digits.isdigit() and len(digits) <= 20 else text
    if field.type in _FLOATS:
        try:
            return _finite_float(text)
        except ValueError:
            return text
    if field.type == FieldDescriptor.TYPE_BOOL:
        return {"true": True, "false": False}.get(text, text)
    return text


def _finite_float(text: str) -> float:
    number = float(text)
    if number != number or number in (float("inf"), float("-inf")):
        raise ValueError(text)
    return number
