"""Errors as `application/problem+json` (RFC 9457), made from the one table and nowhere else."""

from collections.abc import Mapping

from google.protobuf import struct_pb2

from services.common.errors import Code, MediaError
from services.common.public_json import JSON, dumps
from services.gateway.web.http import Headers, Response

CONTENT_TYPE = "application/problem+json"
_RETRY_AFTER_S = 5
_RATE_RETRY_AFTER_S = 30


def problem(error: MediaError, *, instance: str, request_id: str) -> Response:
    """The answer to a request that failed with `error`."""
    status = error.row.http
    body: dict[str, JSON] = {
        "type": f"/docs/errors/{error.code}",
        "title": title(error.code),
        "status": status,
        "detail": error.message,
        "instance": instance,
        "error": {
            "code": str(error.code),
            "message": error.message,
            "remediation": error.row.remediation,
            "requestId": request_id,
            "details": {camel(name): plain(value) for name, value in error.details.items()},
        },
    }
    if error.violations:
        body["errors"] = [{"field": row.field, "message": row.message} for row in error.violations]
    return Response(status, dumps(body), CONTENT_TYPE, (("cache-control", "no-store"), *_headers(error)))


def title(code: Code) -> str:
    """A code in words: "media_not_found" is "Media not found"."""
    return str(code).replace("_", " ").capitalize()


def camel(name: str) -> str:
    """snake_case -> camelCase."""
    head, *tail = name.split("_")
    return head + "".join(part.capitalize() for part in tail)


def plain(value: object) -> JSON:
    """A detail of an error as JSON; numbers that crossed an RPC come as doubles."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return int(value) if value.is_integer() else value
    if isinstance(value, struct_pb2.Struct | Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset | struct_pb2.ListValue):
        return [plain(item) for item in value]
    return str(value)


def _headers(error: MediaError) -> Headers:
    headers: Headers = ()
    if error.row.http == 401:
        headers += (("www-authenticate", 'Bearer realm="letmepost"'),)
    if error.row.http == 405 and "allow" in error.details:
        headers += (("allow", str(error.details["allow"])),)
    if error.row.http == 416 and "size" in error.details:
        headers += (("content-range", f"bytes */{plain(error.details['size'])}"),)
    wait_s = error.details.get("retry_after_s")
    if wait_s is not None:
        headers += (("retry-after", str(plain(wait_s))),)
    elif error.row.http in (429, 503) or error.code is Code.IDEMPOTENCY_IN_PROGRESS:
        headers += (("retry-after", str(_RATE_RETRY_AFTER_S if error.row.http == 429 else _RETRY_AFTER_S)),)
    return headers
