"""Messages -> JSON Schema (2020-12): exactly what common.public_json writes and transcode.decode takes."""

import re
from collections.abc import Sequence

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from mediaapi.v1 import options_pb2

from services.common.proto_names import enum_words, is_map, map_value
from services.common.public_json import JSON
from services.gateway.openapi import comments
from services.gateway.transcode.routes import UPDATE_MASK

Node = dict[str, JSON]

_NUMBERS: dict[int, tuple[str, str]] = {
    FieldDescriptor.TYPE_INT32: ("integer", "int32"),
    FieldDescriptor.TYPE_UINT32: ("integer", "int32"),
    FieldDescriptor.TYPE_INT64: ("integer", "int64"),
    FieldDescriptor.TYPE_UINT64: ("integer", "int64"),
    FieldDescriptor.TYPE_DOUBLE: ("number", "double"),
    FieldDescriptor.TYPE_FLOAT: ("number", "float"),
}


class SchemaError(Exception):
    """A message cannot be described as it is; found at start."""


class Schemas:
    """Gathers the schemas a document refers to, each once."""

    def __init__(self) -> None:
        self.components: dict[str, JSON] = {}
        self._made: dict[str, bool] = {}

    def answer(self, message: Descriptor) -> Node:
        """What an answer looks like: every field is there, null where it has no value. More fields may come."""
        return self._object(message, answer=True, besides=())

    def request(self, message: Descriptor, besides: Sequence[str]) -> Node:
        """What a request may hold, and nothing else; fields in `besides` come from the path."""
        return self._object(message, answer=False, besides=besides)

    def enum(self, enum: EnumDescriptor) -> Node:
        """The words of an enum, with what each of them means."""
        if enum.name not in self.components:
            told = {
                word: comments.of(f"{enum.full_name}.{_value_name(enum, word)}") for word in enum_words(enum).values()
            }
            lines = [f"- `{word}`: {text}" if text else f"- `{word}`" for word, text in told.items()]
            self.components[enum.name] = {
                "type": "string",
                "enum": list(told),
                "description": "\n".join([comments.of(enum.full_name), "", *lines]).strip(),
            }
        return {"$ref": f"#/components/schemas/{enum.name}"}

    def field(self, field: FieldDescriptor, *, answer: bool) -> Node:
        """The schema of one field, with its comment."""
        schema = self._shape(field, answer=answer)
        secret = field.GetOptions().Extensions[options_pb2.sensitivity] == options_pb2.SENSITIVITY_SECRET
        text = _told(field.full_name, field.containing_type)
        if answer and (secret or _nullable(field)):
            schema = _or_null(schema)
        if secret:
            schema |= {"readOnly": True} if answer else {"writeOnly": True}
        if secret and answer:
            text = f"{text} Null where an Idempotency-Key shows the answer again.".lstrip()
        return {**schema, "description": text} if text else schema

    def _object(self, message: Descriptor, *, answer: bool, besides: Sequence[str]) -> Node:
        name = message.name
        if self._made.setdefault(name, answer) is not answer:
            raise SchemaError(f"{name} is both asked and answered with: absent fields mean different things there.")
        if name not in self.components:
            self.components[name] = {}  # Holds the place while a message that contains itself is read.
            fields = [field for field in message.fields if field.name not in besides]
            required: list[JSON] = [field.json_name for field in fields if answer or _required(field)]
            properties: Node = {field.json_name: self._member(field, answer=answer) for field in fields}
            schema: Node = {"type": "object", "properties": properties}
            schema |= {"required": required} if required else {}
            schema |= {} if answer else {"additionalProperties": False}
            text = _told(message.full_name, message)
            self.components[name] = {**schema, "description": text} if text else schema
        return {"$ref": f"#/components/schemas/{name}"}

    def _member(self, field: FieldDescriptor, *, answer: bool) -> Node:
        schema = self.field(field, answer=answer)
        return schema if answer or not _may_be_null(field) else _or_null(schema)

    def _shape(self, field: FieldDescriptor, *, answer: bool) -> Node:
        if is_map(field):
            return {"type": "object", "additionalProperties": self._single(map_value(field), answer=answer)}
        single = self._single(field, answer=answer)
        return {"type": "array", "items": single} if field.is_repeated else single

    def _single(self, field: FieldDescriptor, *, answer: bool) -> Node:
        if field.message_type is not None:
            match field.message_type.full_name:
                case "google.protobuf.Timestamp":
                    return {"type": "string", "format": "date-time"}
                case "google.protobuf.Struct":
                    return {"type": "object", "additionalProperties": True}
                case _:
                    return self._object(field.message_type, answer=answer, besides=())
        if field.enum_type is not None:
            return self.enum(field.enum_type)
        if field.type in _NUMBERS:
            kind, format_ = _NUMBERS[field.type]
            return {"type": kind, "format": format_}
        if field.type == FieldDescriptor.TYPE_BOOL:
            return {"type": "boolean"}
        if field.type == FieldDescriptor.TYPE_BYTES:
            return {"type": "string", "contentEncoding": "base64"}
        return {"type": "string"}


def _told(full_name: str, message: Descriptor | None) -> str:
    """A comment, with the fields of its message called what clients call them."""
    text = comments.of(full_name)
    for field in message.fields if message is not None else ():
        if "_" in field.name:
            text = re.sub(rf"\b{field.name}\b", field.json_name, text)
    return text


def _value_name(enum: EnumDescriptor, word: str) -> str:
    number = next(number for number, known in enum_words(enum).items() if known == word)
    return enum.values_by_number[number].name


def _required(field: FieldDescriptor) -> bool:
    return bool(field.GetOptions().Extensions[options_pb2.required])


def _nullable(field: FieldDescriptor) -> bool:
    """`optional` in the proto; a message without that word is always set."""
    if field.is_repeated:
        return False
    oneof = field.containing_oneof
    return oneof is not None or bool(field.GetOptions().Extensions[options_pb2.nullable])


def _may_be_null(field: FieldDescriptor) -> bool:
    """Of a request's body: null is a field left out. In a change it is not, and empties what can be empty."""
    if field.containing_type is not None and UPDATE_MASK in field.containing_type.fields_by_name:
        return _nullable(field)
    return not _required(field)


def _or_null(schema: Node) -> Node:
    if "$ref" in schema:
        beside = {name: value for name, value in schema.items() if name != "$ref"}
        return {"oneOf": [{"$ref": schema["$ref"]}, {"type": "null"}], **beside}
    return {**schema, "type": [schema["type"], "null"]}
