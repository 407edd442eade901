"""One route -> one OpenAPI operation."""

import re

from services.common.errors import TABLE, Code
from services.common.proto_names import is_map
from services.common.public_json import JSON
from services.gateway.domain import replays
from services.gateway.openapi import comments
from services.gateway.openapi.schemas import Node, Schemas
from services.gateway.transcode.routes import Route
from services.gateway.upload import MAX_FILE_BYTES

# Told with every answer to a key.
LIMITS = ("RateLimitPolicy", "RateLimit")
# What any route, and any route of a sort, may answer beside what its comment lists.
EVERYWHERE = (
    Code.INVALID_REQUEST,
    Code.UNAUTHORIZED,
    Code.FORBIDDEN,
    Code.WORKSPACE_SUSPENDED,
    Code.HEADERS_TOO_LARGE,
    Code.RATE_LIMITED,
    Code.INTERNAL,
    Code.UNAVAILABLE,
    Code.DEADLINE_EXCEEDED,
)
WITH_BODY = (Code.CONTENT_TYPE_INVALID, Code.CONTENT_ENCODING_UNSUPPORTED, Code.UPLOAD_STALLED)
WITH_PIECE = (Code.CONTENT_ENCODING_UNSUPPORTED, Code.UPLOAD_STALLED)
WITH_JSON = (Code.INVALID_JSON, Code.REQUEST_TOO_LARGE)
WITH_FORM = (Code.MULTIPART_MALFORMED, Code.MULTIPART_TOO_MANY_PARTS, Code.MEDIA_MISSING_FILE, Code.MEDIA_TOO_LARGE)
BY_METHOD = {
    "POST": (Code.IDEMPOTENCY_CONFLICT, Code.IDEMPOTENCY_IN_PROGRESS),
    "PATCH": (Code.PRECONDITION_FAILED,),
}

_STATUS_TEXTS = {200: "Done.", 201: "Made.", 202: "Accepted; it is not settled yet.", 204: "Done; nothing to say."}
_WORDS = re.compile(r"(?<=[a-z])(?=[A-Z])")


def resource(route: Route) -> str:
    """What a route is about, the first word of its path: "Media", "Api keys"."""
    return route.segments[1].replace("-", " ").capitalize()


def summary(route: Route) -> str:
    """The RPC's name in words: "Upload media"."""
    first, *rest = _WORDS.split(route.rpc.name)
    return " ".join([first, *(word.lower() for word in rest)]).replace(" api ", " API ")


def error_codes(route: Route) -> list[Code]:
    """Every error the route may answer with, without repetition, by HTTP status."""
    codes = [*EVERYWHERE, *comments.errors(route.rpc.full_name), *BY_METHOD.get(route.method, ())]
    if route.json_twin is not None:
        codes += [*comments.errors(route.json_twin.rpc.full_name), *WITH_JSON]
    if route.variables:
        codes.append(Code.NOT_FOUND)  # For what no id can be: a control character, bytes that are not UTF-8.
    if route.has_body:
        codes += WITH_BODY if not route.pieces else WITH_PIECE
        codes += WITH_FORM if route.multipart else () if route.pieces else WITH_JSON
    return sorted(set(codes), key=lambda code: (TABLE[code].http, code))


def operation(route: Route, schemas: Schemas) -> Node:
    """The operation of one route; the schemas it needs are added to `schemas`."""
    node: Node = {
        "operationId": route.rpc.name[0].lower() + route.rpc.name[1:],
        "tags": [resource(route)],
        "summary": summary(route),
        "description": comments.of(route.rpc.full_name),
        "security": [{"apiKey": [route.scope]}],
        "parameters": [*_path(route), *_query(route, schemas), *_headers(route)],
    }
    if route.has_body:
        node["requestBody"] = _body(route, schemas)
    node["responses"] = {**_successes(route, schemas), **_failures(route)}
    return node


def _path(route: Route) -> list[JSON]:
    fields = route.request.fields_by_name
    return [
        {
            "name": fields[name].json_name,
            "in": "path",
            "required": True,
            "schema": {"type": "string"},
            "description": comments.of(fields[name].full_name) or f"Which {resource(route).rstrip('s').lower()}.",
        }
        for name in route.variables
    ]


def _query(route: Route, schemas: Schemas) -> list[JSON]:
    if route.has_body or route.attachment:
        return []
    rows: list[JSON] = []
    for field in route.rpc.input_type.fields:
        if field.name in route.variables or field.message_type is not None or is_map(field):
            continue
        schema = schemas.field(field, answer=False)
        text = schema.pop("description", "")
        if route.is_list and field.name == "limit":
            schema |= {"minimum": 1, "maximum": 100, "default": 20}
            text = "Items on a page."
        rows.append({"name": field.json_name, "in": "query", "schema": schema, "description": text})
    return rows


def _headers(route: Route) -> list[JSON]:
    names = ["RequestId"]
    if route.method == "POST":
        names.append("IdempotencyKey")
    if route.waits:
        names.append("Prefer")
    if route.pieces:
        names += ["PieceRange", "ContentDigest"]
    if route.method == "GET":
        names.append("IfNoneMatch")
    if route.method == "PATCH":
        names.append("IfMatch")
    if route.attachment:
        names += ["Range", "IfRange"]
    return [{"$ref": f"#/components/parameters/{name}"} for name in names]


def _body(route: Route, schemas: Schemas) -> Node:
    if route.pieces:
        piece: Node = {"schema": {"type": "string", "format": "binary", "description": "The bytes, as they are."}}
        return {"required": False, "content": {"application/octet-stream": piece}}
    if not route.multipart:
        schema = schemas.request(route.rpc.input_type, route.besides)
        return {"required": True, "content": {"application/json": {"schema": schema}}}
    trailer = route.rpc.input_type.fields_by_name["trailer"].message_type
    assert trailer is not None
    told = f"The photo or video, at most {MAX_FILE_BYTES:,} bytes. Its type is told by its bytes."
    properties: Node = {"file": {"type": "string", "format": "binary", "description": told}}
    properties |= {field.json_name: schemas.field(field, answer=False) for field in trailer.fields}
    form: Node = {"type": "object", "properties": properties, "required": ["file"], "additionalProperties": False}
    content: Node = {"multipart/form-data": {"schema": form}}
    told = "Parts may come in any order."
    if route.json_twin is not None:
        content["application/json"] = {"schema": schemas.request(route.json_twin.rpc.input_type, ())}
        told = f"A form, whose parts may come in any order; or JSON. {comments.of(route.json_twin.rpc.full_name)}"
    return {"required": True, "description": told, "content": content}


def _successes(route: Route, schemas: Schemas) -> Node:
    if route.attachment:
        return _file()
    if route.events:
        return _events(schemas, route)
    headers = _answer_headers("RequestId", *LIMITS, *_named_headers(route))
    if route.success == 204:
        return {"204": {"description": _STATUS_TEXTS[204], "headers": headers}}
    content: Node = {"application/json": {"schema": schemas.answer(route.answer)}}
    answers: Node = {}
    for status in filter(None, (route.success, route.in_progress)):
        answers[str(status)] = {"description": _STATUS_TEXTS[status], "headers": headers, "content": content}
    if route.pieces:
        told = _answer_headers("RequestId", *LIMITS, "UploadRange", "UploadOffset")
        answers["308"] = {"description": "Not complete yet; `Range` tells how far it is.", "headers": told}
    if route.method == "GET":
        answers["304"] = {
            "description": "Not changed since the ETag sent.",
            "headers": _answer_headers("RequestId", *LIMITS, "ETag"),
        }
    return answers


# One of them, as readers of such streams take it apart.
_EVENT: Node = {
    "type": "object",
    "properties": {
        "event": {"enum": ["media", "problem"]},
        "id": {"type": "string"},
        "data": {"type": "string", "contentMediaType": "application/json"},
    },
}


def _events(schemas: Schemas, route: Route) -> Node:
    told = _answer_headers("RequestId", *LIMITS)
    schemas.answer(route.answer)
    return {
        "200": {
            "description": "Server-sent events; a comment every 15 seconds keeps the connection.",
            "headers": told,
            "content": {"text/event-stream": {"schema": _EVENT}},
        },
        "204": {
            "description": "Nothing will follow the event that `Last-Event-ID` names: do not connect again.",
            "headers": told,
        },
    }


def _file() -> Node:
    content: Node = {"*/*": {"schema": {"type": "string", "format": "binary"}}}
    headers = ("RequestId", *LIMITS, "ETag", "ContentDisposition", "AcceptRanges")
    return {
        "200": {"description": "The whole file.", "headers": _answer_headers(*headers), "content": content},
        "206": {
            "description": "The range asked for.",
            "headers": _answer_headers(*headers, "ContentRange"),
            "content": content,
        },
        "304": {
            "description": "Not changed since the ETag sent.",
            "headers": _answer_headers("RequestId", *LIMITS, "ETag"),
        },
    }


def _named_headers(route: Route) -> list[str]:
    names = {"GET": ["ETag"], "POST": ["IdempotentReplayed"], "PATCH": ["ETag"], "PUT": [], "DELETE": []}[route.method]
    names += ["Location"] if route.method == "POST" and "id" in route.rpc.output_type.fields_by_name else []
    names += ["PreferenceApplied"] if route.waits else []
    return [*names, "Link"] if route.is_list else names


def _answer_headers(*names: str) -> Node:
    return {HEADER_NAMES[name]: {"$ref": f"#/components/headers/{name}"} for name in names}


def _failures(route: Route) -> Node:
    by_status: dict[int, list[Code]] = {}
    for code in error_codes(route):
        by_status.setdefault(TABLE[code].http, []).append(code)
    return {str(status): _failure(route, status, codes) for status, codes in by_status.items()}


def _failure(route: Route, status: int, codes: list[Code]) -> Node:
    names = ["RequestId"] if status == 401 else ["RequestId", *LIMITS]
    names += ["RetryAfter"] if status in (429, 503) or Code.IDEMPOTENCY_IN_PROGRESS in codes else []
    names += ["IdempotentReplayed"] if route.method == "POST" and replays.worth_keeping(status) else []
    names += ["ContentRange"] if status == 416 else []
    return {
        "description": "\n".join(f"- [`{code}`](/docs/errors/{code}): {TABLE[code].sentence}" for code in codes),
        "headers": _answer_headers(*names),
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
        "x-error-codes": [str(code) for code in codes],
    }


HEADER_NAMES = {
    "RequestId": "X-Request-Id",
    "RateLimitPolicy": "RateLimit-Policy",
    "RateLimit": "RateLimit",
    "ETag": "ETag",
    "Location": "Location",
    "Link": "Link",
    "RetryAfter": "Retry-After",
    "IdempotentReplayed": "Idempotent-Replayed",
    "PreferenceApplied": "Preference-Applied",
    "ContentRange": "Content-Range",
    "ContentDisposition": "Content-Disposition",
    "AcceptRanges": "Accept-Ranges",
    "UploadRange": "Range",
    "UploadOffset": "Upload-Offset",
}
