"""Request headers the gateway understands, parsed, and those it says of limits; pure."""

import re
from dataclasses import dataclass

from services.common.errors import Code, MediaError
from services.gateway.domain.rates import Standing
from services.gateway.domain.replays import MAX_KEY_CHARACTERS

MAX_WAIT_S = 30.0
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_WAIT = re.compile(r"(?:^|,)\s*wait\s*=\s*\"?(\d{1,6})\"?\s*(?=;|,|$)", re.IGNORECASE)
_BEARER = re.compile(r"bearer +([A-Za-z0-9_]{1,200})", re.IGNORECASE)
_RANGE = re.compile(r"bytes=(?:(\d{1,18})-(\d{1,18})?|-(\d{1,18}))", re.IGNORECASE)
_PARAMETER = re.compile(r";[ \t]*([!#$%&'*+.^_`|~0-9A-Za-z-]+)=(\"(?:[^\"\\]|\\.)*\"|[^\s;\"]*)[ \t]*")
_TYPE = re.compile(r"[ \t]*([!#$%&'*+.^_`|~0-9A-Za-z-]+/[!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*")
_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]")


@dataclass(frozen=True, slots=True)
class MediaType:
    """A Content-Type: lower-case "type/subtype" and its parameters, names in lower case."""

    name: str
    parameters: dict[str, str]


@dataclass(frozen=True, slots=True)
class ByteRange:
    """One range as DownloadSource takes it: a negative first byte counts from the end."""

    first: int
    last: int | None


def request_id(text: str | None) -> str | None:
    """A client's X-Request-Id where it is fit to be logged and echoed."""
    return text if text is not None and _REQUEST_ID.fullmatch(text) else None


def bearer(text: str | None) -> str:
    """The token of an Authorization header. Raises: MediaError UNAUTHORIZED."""
    match = _BEARER.fullmatch(text.strip()) if text is not None else None
    if match is None:
        raise MediaError(Code.UNAUTHORIZED)
    return match[1]


def wait_s(prefer: str | None) -> float | None:
    """`Prefer: wait=N` in seconds, at most 30; what does not say so is ignored, as RFC 7240 asks."""
    match = _WAIT.search(prefer) if prefer is not None else None
    return min(float(match[1]), MAX_WAIT_S) if match else None


def idempotency_key(text: str | None) -> str | None:
    """An Idempotency-Key. Raises: MediaError INVALID_REQUEST where it is empty, too long or not printable ASCII."""
    if text is None:
        return None
    if not 1 <= len(text) <= MAX_KEY_CHARACTERS or not (text.isascii() and text.isprintable()):
        raise MediaError(Code.INVALID_REQUEST, field="Idempotency-Key")
    return text


def media_type(text: str | None) -> MediaType:
    """A Content-Type. Raises: MediaError CONTENT_TYPE_INVALID."""
    head = _TYPE.match(text) if text is not None and len(text) <= 1024 else None
    if text is None or head is None:
        raise MediaError(Code.CONTENT_TYPE_INVALID, content_type=(text or "none")[:100])
    parameters: dict[str, str] = {}
    at = head.end()
    while at < len(text):
        match = _PARAMETER.match(text, at)
        if match is None or match[1].lower() in parameters:
            raise MediaError(Code.CONTENT_TYPE_INVALID, content_type=text[:100])
        parameters[match[1].lower()] = unquoted(match[2])
        at = match.end()
    return MediaType(head[1].lower(), parameters)


def require_json(text: str | None) -> None:
    """Raises: MediaError CONTENT_TYPE_INVALID unless this is JSON in UTF-8."""
    found = media_type(text)
    charset = found.parameters.get("charset", "utf-8").lower()
    if found.name != "application/json" or charset not in ("utf-8", "utf8", "us-ascii"):
        raise MediaError(Code.CONTENT_TYPE_INVALID, content_type=(text or "")[:100])


def require_form_boundary(text: str | None) -> bytes:
    """The boundary of a multipart/form-data body. Raises: MediaError CONTENT_TYPE_INVALID."""
    found = media_type(text)
    boundary = found.parameters.get("boundary", "")
    if found.name != "multipart/form-data" or not _BOUNDARY.fullmatch(boundary):
        raise MediaError(Code.CONTENT_TYPE_INVALID, content_type=(text or "")[:100])
    return boundary.encode("ascii")


def refuse_encoded(text: str | None) -> None:
    """Raises: MediaError CONTENT_ENCODING_UNSUPPORTED for a compressed request body, which could be a bomb."""
    if text is not None and text.strip().lower() not in ("", "identity"):
        raise MediaError(Code.CONTENT_ENCODING_UNSUPPORTED, encoding=text[:100])


def byte_range(text: str | None) -> ByteRange | None:
    """A Range header; None (the whole file) for several ranges or what is no byte range, as RFC 9110 allows."""
    match = _RANGE.fullmatch(text.strip()) if text is not None else None
    if match is None:
        return None
    if match[3] is not None:
        suffix = int(match[3])
        return ByteRange(-suffix, None) if suffix else None
    first, last = int(match[1]), int(match[2]) if match[2] else None
    return None if last is not None and last < first else ByteRange(first, last)


def etag_matches(if_none_match: str | None, etag: str) -> bool:
    """Weak comparison of an If-None-Match list with one entity tag."""
    if if_none_match is None:
        return False
    candidates = [candidate.strip() for candidate in if_none_match.split(",")]
    return "*" in candidates or etag in [candidate.removeprefix("W/") for candidate in candidates]


def if_match(text: str, etag: str) -> bool:
    """Strong comparison of an If-Match list with one entity tag."""
    candidates = [candidate.strip() for candidate in text.split(",")]
    return "*" in candidates or etag in candidates


def unquoted(text: str) -> str:
    """The value of a parameter, quoted or not; backslashes escape only quotes and themselves."""
    if len(text) >= 2 and text.startswith('"') and text.endswith('"'):
        return re.sub(r"\\([\"\\])", r"\1", text[1:-1])
    return text


def rate_limit(found: Standing) -> tuple[tuple[str, str], ...]:
    """Where a workspace stands, as draft-ietf-httpapi-ratelimit-headers-11 has it: `t` until the bucket is full."""
    return (
        ("ratelimit-policy", f'"{found.kind}";q={found.rate.requests};w={found.rate.window_s}'),
        ("ratelimit", f'"{found.kind}";r={found.left};t={found.full_s}'),
    )
