"""The whole OpenAPI 3.1 document, made from the route table."""

import json
from importlib import resources

from services.common.errors import Code
from services.common.public_json import JSON
from services.gateway.domain.replays import MAX_KEY_CHARACTERS
from services.gateway.openapi.operations import HEADER_NAMES, operation, resource
from services.gateway.openapi.schemas import Node, Schemas
from services.gateway.transcode.routes import RouteTable

VERSION = "1"
_DESCRIPTION = (
    "Upload a photo or video once, name it in any number of posts on any number of platforms.\n\n"
    "JSON members are camelCase, times RFC 3339 in UTC, sizes numbers of bytes. Unknown members of a request are "
    "refused. Another workspace's id answers 404 like an unknown one. Only additive changes are made: ignore what "
    "you do not know."
)
_TAGS = {
    "Media": "Photos and videos: uploaded, scanned, prepared for every platform, and forgotten in time.",
    "Uploads": "Large files in pieces, over bad connections: what has arrived is never sent again.",
    "Posts": "One text with media, published to many accounts.",
    "Accounts": "Connected accounts of platforms. Credentials go in and never come out.",
    "Usage": "What the month has used of the plan.",
    "Api keys": "Who may call, and what for. A test key does everything, except that its posts go to a sandbox.",
}


def build(table: RouteTable, public_url: str) -> Node:
    """The document, served where `public_url` says."""
    schemas = Schemas()
    paths: dict[str, JSON] = {}
    for route in table.routes:
        path = paths.setdefault(_path(route.template), {})
        assert isinstance(path, dict)
        path[route.method.lower()] = operation(route, schemas)
    _add_examples(paths)
    tags = dict.fromkeys(resource(route) for route in table.routes)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "letmepost Media API",
            "version": VERSION,
            "description": _DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": public_url}],
        "tags": [{"name": name, "description": _TAGS.get(name, "")} for name in tags],
        "paths": paths,
        "components": {
            "securitySchemes": {"apiKey": _security()},
            "parameters": _parameters(),
            "headers": _headers(),
            "schemas": {**dict(sorted(schemas.components.items())), "Problem": _problem()},
        },
    }


def _path(template: str) -> str:
    """Path variables as clients see them: camelCase like all else."""
    return "/".join(_camel(part) if part.startswith("{") else part for part in template.split("/"))


def _camel(name: str) -> str:
    head, *tail = name.split("_")
    return head + "".join(part.capitalize() for part in tail)


def _add_examples(paths: dict[str, JSON]) -> None:
    """Put the examples of examples.json where they belong, by operationId: `request` and `response`."""
    examples: dict[str, dict[str, JSON]] = json.loads(
        resources.files("services.gateway.openapi").joinpath("examples.json").read_text(encoding="utf-8")
    )
    for path in paths.values():
        assert isinstance(path, dict)
        for node in path.values():
            assert isinstance(node, dict)
            name = node["operationId"]
            assert isinstance(name, str)
            told = examples.get(name, {})
            if "request" in told:
                _show(node["requestBody"], told["request"])
            responses = node["responses"]
            assert isinstance(responses, dict)
            for status, response in responses.items():
                if "response" in told and status.startswith("2"):
                    _show(response, told["response"])


def _show(holder: JSON, example: JSON) -> None:
    assert isinstance(holder, dict)
    content = holder["content"]
    assert isinstance(content, dict)
    for media_type in content.values():
        assert isinstance(media_type, dict)
        media_type["example"] = example


def _security() -> Node:
    return {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "lmp_live_… or lmp_test_…",
        "description": "An API key. Each route names the scope the key needs; a key without scopes has all of them.",
    }


def _parameters() -> Node:
    text: Node = {"type": "string"}
    rows: list[tuple[str, str, Node, str]] = [
        (
            "RequestId",
            "X-Request-Id",
            text,
            "Echoed, and logged, if it is 1 to 128 letters, digits, `.`, `_`, `:` or `-`; otherwise one is made.",
        ),
        (
            "IdempotencyKey",
            "Idempotency-Key",
            {"type": "string", "minLength": 1, "maxLength": MAX_KEY_CHARACTERS},
            "Makes the request safe to repeat for 24 hours: the same content gets the first answer again.",
        ),
        (
            "Prefer",
            "Prefer",
            {"type": "string", "examples": ["wait=10"]},
            "`wait=N`: wait up to N seconds, at most 30, for a settled answer.",
        ),
        ("IfNoneMatch", "If-None-Match", text, "An ETag: 304 if nothing has changed."),
        ("IfMatch", "If-Match", text, "An ETag: 412 if something has changed."),
        ("Range", "Range", {"type": "string", "examples": ["bytes=0-1023"]}, "One range of bytes."),
        (
            "PieceRange",
            "Content-Range",
            {"type": "string", "examples": ["bytes 0-262143/104857600", "bytes */104857600"]},
            "Which bytes of the whole file these are; `bytes */total` sends none and asks how far the upload is.",
        ),
        (
            "ContentDigest",
            "Content-Digest",
            {"type": "string", "examples": ["sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:"]},
            "Of the piece, by sha-256 or sha-512 (RFC 9530): nothing of it is kept unless it agrees.",
        ),
        ("IfRange", "If-Range", text, "An ETag: the whole file if it has changed."),
    ]
    return {
        name: {"name": header, "in": "header", "required": False, "schema": schema, "description": told}
        for name, header, schema, told in rows
    }


def _headers() -> Node:
    told = {
        "RequestId": "Names this request; tell us when something is wrong with it.",
        "RateLimitPolicy": "Which requests are counted together, how many may come at once (`q`), and the seconds"
        " within which all of these come back (`w`). IETF draft-ietf-httpapi-ratelimit-headers-11.",
        "RateLimit": "How many of them are left (`r`), and the seconds until all are back (`t`).",
        "ETag": "Changes whenever the answer does.",
        "Location": "Where it can be read.",
        "Link": 'The next page, with rel="next"; absent on the last one.',
        "RetryAfter": "Seconds to wait before the next try.",
        "IdempotentReplayed": "`true`: this is the first answer again.",
        "PreferenceApplied": "The wait that was granted.",
        "ContentRange": "Which bytes these are.",
        "ContentDisposition": "Always an attachment, with the name it was uploaded under.",
        "AcceptRanges": "bytes",
        "UploadRange": "The bytes that are safely here; absent while there are none.",
        "UploadOffset": "Where the upload goes on.",
    }
    return {name: {"description": told[name], "schema": {"type": "string"}} for name in HEADER_NAMES}


def _problem() -> Node:
    text: Node = {"type": "string"}
    error: Node = {
        "type": "object",
        "required": ["code", "message", "remediation", "requestId", "details"],
        "properties": {
            "code": {"type": "string", "examples": [str(Code.MEDIA_NOT_FOUND)], "description": "Stable."},
            "message": text,
            "remediation": {"type": "string", "description": "What to do about it."},
            "requestId": text,
            "details": {"type": "object", "additionalProperties": True, "description": "Values behind the message."},
        },
    }
    violation: Node = {
        "type": "object",
        "required": ["field", "message"],
        "properties": {"field": {"type": "string", "examples": ["targets[1].options.boardId"]}, "message": text},
    }
    return {
        "type": "object",
        "description": "Any error (RFC 9457). `error.code` is stable and documented at /docs/errors/<code>.",
        "required": ["type", "title", "status", "detail", "instance", "error"],
        "properties": {
            "type": {"type": "string", "format": "uri-reference"},
            "title": text,
            "status": {"type": "integer"},
            "detail": text,
            "instance": {"type": "string", "format": "uri-reference"},
            "error": error,
            "errors": {"type": "array", "items": violation, "description": "Every field at fault."},
        },
    }
