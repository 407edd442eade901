"""Every error a caller can meet: one code, one row, whatever boundary it crosses."""

import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Code(StrEnum):
    """Stable and public."""

    ACCOUNT_CREDENTIALS_INVALID = "account_credentials_invalid"
    ACCOUNT_NOT_FOUND = "account_not_found"
    ACCOUNT_SCOPE_MISSING = "account_scope_missing"
    CHECKSUM_MISMATCH = "checksum_mismatch"
    CONTENT_ENCODING_UNSUPPORTED = "content_encoding_unsupported"
    CONTENT_TYPE_INVALID = "content_type_invalid"
    CONTENT_TYPE_UNSUPPORTED = "content_type_unsupported"
    DEADLINE_EXCEEDED = "deadline_exceeded"
    FORBIDDEN = "forbidden"
    HEADERS_TOO_LARGE = "headers_too_large"
    IDEMPOTENCY_CONFLICT = "idempotency_conflict"
    IDEMPOTENCY_IN_PROGRESS = "idempotency_in_progress"
    INLINE_MEDIA_INVALID = "inline_media_invalid"
    INTERNAL = "internal"
    INVALID_JSON = "invalid_json"
    INVALID_REQUEST = "invalid_request"
    KEY_NOT_FOUND = "key_not_found"
    LENGTH_MISMATCH = "length_mismatch"
    MEDIA_CORRUPT = "media_corrupt"
    MEDIA_DIMENSIONS_EXCEEDED = "media_dimensions_exceeded"
    MEDIA_DURATION_EXCEEDED = "media_duration_exceeded"
    MEDIA_EMPTY = "media_empty"
    MEDIA_FRAMES_EXCEEDED = "media_frames_exceeded"
    MEDIA_METADATA_TOO_LARGE = "media_metadata_too_large"
    MEDIA_MISSING_FILE = "media_missing_file"
    MEDIA_NOT_FOUND = "media_not_found"
    MEDIA_NOT_READY = "media_not_ready"
    MEDIA_PIXELS_EXCEEDED = "media_pixels_exceeded"
    MEDIA_REJECTED = "media_rejected"
    MEDIA_REJECTED_SECURITY = "media_rejected_security"
    MEDIA_TOO_COMPLEX = "media_too_complex"
    MEDIA_TOO_LARGE = "media_too_large"
    MEDIA_TYPE_MISMATCH = "media_type_mismatch"
    MEDIA_TYPE_UNSUPPORTED = "media_type_unsupported"
    MEDIA_URL_NOT_ALLOWED = "media_url_not_allowed"
    MEDIA_URL_UNREACHABLE = "media_url_unreachable"
    METADATA_INVALID = "metadata_invalid"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    MULTIPART_MALFORMED = "multipart_malformed"
    MULTIPART_TOO_MANY_PARTS = "multipart_too_many_parts"
    NOT_FOUND = "not_found"
    OBJECT_CHANGED = "object_changed"
    PLATFORM_UNKNOWN = "platform_unknown"
    POST_INVALID = "post_invalid"
    POST_NOT_FOUND = "post_not_found"
    POST_STATE_CONFLICT = "post_state_conflict"
    PRECONDITION_FAILED = "precondition_failed"
    PRESET_UNKNOWN = "preset_unknown"
    PROCESSING_FAILED = "processing_failed"
    QUOTA_EXCEEDED = "quota_exceeded"
    RANGE_NOT_SATISFIABLE = "range_not_satisfiable"
    RATE_LIMITED = "rate_limited"
    REQUEST_TOO_LARGE = "request_too_large"
    SCANNER_UNAVAILABLE = "scanner_unavailable"
    UNAUTHORIZED = "unauthorized"
    UNAVAILABLE = "unavailable"
    UPLOAD_COMPLETE = "upload_complete"
    UPLOAD_EXPIRED = "upload_expired"
    UPLOAD_LOCKED = "upload_locked"
    UPLOAD_NOT_FOUND = "upload_not_found"
    UPLOAD_OFFSET_CONFLICT = "upload_offset_conflict"
    UPLOAD_STALLED = "upload_stalled"
    UPSTREAM_BUSY = "upstream_busy"
    VARIANT_IMPOSSIBLE = "variant_impossible"
    WEBHOOK_DELIVERY_NOT_FOUND = "webhook_delivery_not_found"
    WEBHOOK_ENDPOINT_DISABLED = "webhook_endpoint_disabled"
    WEBHOOK_ENDPOINT_NOT_FOUND = "webhook_endpoint_not_found"
    WEBHOOK_LIMIT_REACHED = "webhook_limit_reached"
    WEBHOOK_URL_NOT_ALLOWED = "webhook_url_not_allowed"
    WORKSPACE_SUSPENDED = "workspace_suspended"


@dataclass(frozen=True, slots=True)
class Row:
    """How one code looks: the gRPC status, the HTTP status, whether the same call may succeed later, and two
    sentences for people."""

    grpc: str
    http: int
    retryable: bool
    sentence: str
    remediation: str


_AGAIN = "Try again; the request had no effect."
_OTHER_FILE = "Upload another file."

TABLE: dict[Code, Row] = {
    Code.ACCOUNT_CREDENTIALS_INVALID: Row(
        "INVALID_ARGUMENT", 422, False, "{platform} refused the credentials.", "Connect with credentials that work."
    ),
    Code.ACCOUNT_NOT_FOUND: Row("NOT_FOUND", 404, False, "No account {account_id}.", "List the connected accounts."),
    Code.ACCOUNT_SCOPE_MISSING: Row(
        "INVALID_ARGUMENT", 422, False, "{platform} did not grant: {scopes}.", "Connect again, and grant it."
    ),
    Code.CHECKSUM_MISMATCH: Row(
        "INVALID_ARGUMENT", 460, False, "The bytes do not have the checksum declared for them.", "Send them again."
    ),
    Code.CONTENT_ENCODING_UNSUPPORTED: Row(
        "INVALID_ARGUMENT", 415, False, "Content-Encoding {encoding} is not taken.", "Send the body as it is."
    ),
    Code.CONTENT_TYPE_INVALID: Row(
        "INVALID_ARGUMENT",
        400,
        False,
        "This route does not take Content-Type {content_type}.",
        "See the API reference.",
    ),
    Code.CONTENT_TYPE_UNSUPPORTED: Row(
        "INVALID_ARGUMENT", 415, False, "Content-Type {content_type} is not taken here.", "Send the type expected."
    ),
    Code.DEADLINE_EXCEEDED: Row("DEADLINE_EXCEEDED", 504, True, "It took too long.", "Try again."),
    Code.FORBIDDEN: Row("PERMISSION_DENIED", 403, False, "The key may not: {scope}.", "Use a key with that scope."),
    Code.HEADERS_TOO_LARGE: Row("INVALID_ARGUMENT", 431, False, "Headers pass the limit of {limit}.", "Send fewer."),
    Code.IDEMPOTENCY_CONFLICT: Row(
        "ALREADY_EXISTS", 409, False, "This Idempotency-Key was used for another request.", "Use a new key."
    ),
    Code.IDEMPOTENCY_IN_PROGRESS: Row(
        "ABORTED", 409, True, "The first request with this Idempotency-Key still runs.", "Try again in a moment."
    ),
    Code.INLINE_MEDIA_INVALID: Row(
        "INVALID_ARGUMENT", 400, False, "Inline media must be a base64 image of at most 1 MB.", "Upload it instead."
    ),
    Code.INTERNAL: Row("INTERNAL", 500, True, "Internal error.", "Try again; if it stays, tell us the request id."),
    Code.INVALID_JSON: Row("INVALID_ARGUMENT", 400, False, "The body is not JSON: {reason}.", "Send valid JSON."),
    Code.INVALID_REQUEST: Row("INVALID_ARGUMENT", 400, False, "The request is not valid.", "See errors[]."),
    Code.KEY_NOT_FOUND: Row("NOT_FOUND", 404, False, "No API key {key_id}.", "List the keys."),
    Code.LENGTH_MISMATCH: Row(
        "INVALID_ARGUMENT", 400, False, "The body is not as long as declared.", "Send as many bytes as you declare."
    ),
    Code.MEDIA_CORRUPT: Row("INVALID_ARGUMENT", 422, False, "The file is damaged.", _OTHER_FILE),
    Code.MEDIA_DIMENSIONS_EXCEEDED: Row("INVALID_ARGUMENT", 422, False, "A side is too long.", "Make it smaller."),
    Code.MEDIA_DURATION_EXCEEDED: Row("INVALID_ARGUMENT", 422, False, "It is too long.", "Make it shorter."),
    Code.MEDIA_EMPTY: Row("INVALID_ARGUMENT", 422, False, "The file is empty.", _OTHER_FILE),
    Code.MEDIA_FRAMES_EXCEEDED: Row("INVALID_ARGUMENT", 422, False, "It has too many frames.", "Make it shorter."),
    Code.MEDIA_METADATA_TOO_LARGE: Row("INVALID_ARGUMENT", 422, False, "It holds too much metadata.", "Remove some."),
    Code.MEDIA_MISSING_FILE: Row("INVALID_ARGUMENT", 400, False, "There is no part named file.", "Send one."),
    Code.MEDIA_NOT_FOUND: Row("NOT_FOUND", 404, False, "No media {media_id}.", "It may be deleted or expired."),
    Code.MEDIA_NOT_READY: Row(
        "FAILED_PRECONDITION", 409, True, "Media {media_id} is not ready yet.", "Wait until its status is ready."
    ),
    Code.MEDIA_PIXELS_EXCEEDED: Row("INVALID_ARGUMENT", 422, False, "It has too many pixels.", "Make it smaller."),
    Code.MEDIA_REJECTED: Row(
        "FAILED_PRECONDITION", 422, False, "Media {media_id} was rejected.", "Its error says why; upload another file."
    ),
    Code.MEDIA_REJECTED_SECURITY: Row("FAILED_PRECONDITION", 422, False, "Scan found {threat}.", _OTHER_FILE),
    Code.MEDIA_TOO_COMPLEX: Row("INVALID_ARGUMENT", 422, False, "It takes too much work to decode.", _OTHER_FILE),
    Code.MEDIA_TOO_LARGE: Row(
        "INVALID_ARGUMENT", 413, False, "The {kind} is larger than {limit} bytes.", "Make it smaller."
    ),
    Code.MEDIA_TYPE_MISMATCH: Row(
        "INVALID_ARGUMENT", 422, False, "Declared as {kind}, but it is {found}.", "Declare what it is, or nothing."
    ),
    Code.MEDIA_TYPE_UNSUPPORTED: Row(
        "INVALID_ARGUMENT",
        415,
        False,
        "This type of file is not taken.",
        "Upload JPEG, PNG, WebP, GIF, HEIC, AVIF, MP4, MOV or WebM.",
    ),
    Code.MEDIA_URL_NOT_ALLOWED: Row(
        "INVALID_ARGUMENT", 422, False, "Media are not fetched from this URL: it {reason}.", "Use a public https URL."
    ),
    Code.MEDIA_URL_UNREACHABLE: Row(
        "FAILED_PRECONDITION",
        422,
        True,
        "No file was fetched from the URL: {reason}.",
        "See that it opens without a login, and answers with the file itself.",
    ),
    Code.METADATA_INVALID: Row(
        "INVALID_ARGUMENT", 400, False, "Upload-Metadata is malformed: {reason}.", "Send names with base64 values."
    ),
    Code.METHOD_NOT_ALLOWED: Row(
        "UNIMPLEMENTED", 405, False, "{method} is not for this route.", "Use a method that Allow names."
    ),
    Code.MULTIPART_MALFORMED: Row(
        "INVALID_ARGUMENT", 400, False, "The multipart body is malformed.", "Let an HTTP library write it."
    ),
    Code.MULTIPART_TOO_MANY_PARTS: Row(
        "INVALID_ARGUMENT", 400, False, "More than {limit} parts.", "Send only file, kind and altText."
    ),
    Code.NOT_FOUND: Row("NOT_FOUND", 404, False, "There is nothing here.", "See the API reference."),
    Code.OBJECT_CHANGED: Row("ABORTED", 500, False, "The stored file is not the one received.", "Upload it again."),
    Code.PLATFORM_UNKNOWN: Row("INVALID_ARGUMENT", 422, False, "No platform {platform}.", "See the platforms."),
    Code.POST_INVALID: Row("INVALID_ARGUMENT", 422, False, "The post cannot be published.", "See errors[]."),
    Code.POST_NOT_FOUND: Row("NOT_FOUND", 404, False, "No post {post_id}.", "List the posts."),
    Code.POST_STATE_CONFLICT: Row(
        "FAILED_PRECONDITION", 409, False, "Post {post_id} is {status}: it cannot be {action}.", "Read it again."
    ),
    Code.PRECONDITION_FAILED: Row("FAILED_PRECONDITION", 412, False, "It has changed.", "Read it again."),
    Code.PRESET_UNKNOWN: Row("INVALID_ARGUMENT", 422, False, "No preset {preset}.", "See the platforms."),
    Code.PROCESSING_FAILED: Row("INTERNAL", 500, False, "The file could not be processed.", "Tell us the media id."),
    Code.QUOTA_EXCEEDED: Row(
        "RESOURCE_EXHAUSTED",
        429,
        False,
        "The plan's {limit} {quota} are used up.",
        "Delete what is not needed, wait, or change the plan.",
    ),
    Code.RANGE_NOT_SATISFIABLE: Row("OUT_OF_RANGE", 416, False, "The range is outside of the file.", "Ask for less."),
    Code.RATE_LIMITED: Row(
        "RESOURCE_EXHAUSTED", 429, True, "More than {limit} {kind} in {window_s} seconds.", "Wait as Retry-After says."
    ),
    Code.REQUEST_TOO_LARGE: Row("INVALID_ARGUMENT", 413, False, "The body passes {limit} bytes.", "Send less."),
    Code.SCANNER_UNAVAILABLE: Row("UNAVAILABLE", 503, True, "The virus scanner is away.", _AGAIN),
    Code.UNAUTHORIZED: Row("UNAUTHENTICATED", 401, False, "No valid API key.", "Send Authorization: Bearer <key>."),
    Code.UNAVAILABLE: Row("UNAVAILABLE", 503, True, "Not available at the moment.", "Try again."),
    Code.UPLOAD_COMPLETE: Row(
        "FAILED_PRECONDITION", 409, False, "Upload {upload_id} is complete.", "Use the media item it has become."
    ),
    Code.UPLOAD_EXPIRED: Row("FAILED_PRECONDITION", 410, False, "Upload {upload_id} has ended.", "Begin a new one."),
    Code.UPLOAD_LOCKED: Row(
        "ABORTED", 423, True, "Another request writes to upload {upload_id}.", "Ask how far it is, then go on there."
    ),
    Code.UPLOAD_NOT_FOUND: Row("NOT_FOUND", 404, False, "No upload {upload_id}.", "Begin a new one."),
    Code.UPLOAD_OFFSET_CONFLICT: Row(
        "FAILED_PRECONDITION", 409, False, "Upload {upload_id} goes on at byte {offset}.", "Send the bytes from there."
    ),
    Code.UPLOAD_STALLED: Row("DEADLINE_EXCEEDED", 408, True, "The body came too slowly.", "Try again."),
    Code.UPSTREAM_BUSY: Row("UNAVAILABLE", 503, True, "{upstream} is busy.", "Try again."),
    Code.VARIANT_IMPOSSIBLE: Row("INVALID_ARGUMENT", 422, False, "It cannot become {preset}.", _OTHER_FILE),
    Code.WEBHOOK_DELIVERY_NOT_FOUND: Row(
        "NOT_FOUND", 404, False, "No webhook delivery {delivery_id}.", "List the endpoint's deliveries."
    ),
    Code.WEBHOOK_ENDPOINT_DISABLED: Row(
        "FAILED_PRECONDITION", 409, False, "Webhook endpoint {endpoint_id} is disabled.", "Make its status active."
    ),
    Code.WEBHOOK_ENDPOINT_NOT_FOUND: Row(
        "NOT_FOUND", 404, False, "No webhook endpoint {endpoint_id}.", "List the endpoints."
    ),
    Code.WEBHOOK_LIMIT_REACHED: Row(
        "FAILED_PRECONDITION", 409, False, "There are {limit} webhook endpoints already.", "Delete one."
    ),
    Code.WEBHOOK_URL_NOT_ALLOWED: Row(
        "INVALID_ARGUMENT",
        422,
        False,
        "Webhooks are not sent to this URL: it {reason}.",
        "Give a public https URL on port 443.",
    ),
    Code.WORKSPACE_SUSPENDED: Row(
        "PERMISSION_DENIED", 403, False, "The workspace is suspended.", "Ask whoever runs the service."
    ),
}


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing wrong with a request: the field as the client wrote it, and a sentence."""

    field: str
    message: str


class MediaError(Exception):
    """The one error of the services.

    Args:
        details: Public values behind the sentence; `why` alone is for the log and never leaves the process.
    """

    def __init__(self, code: Code, *, violations: Sequence[Violation] = (), **details: object) -> None:
        self.code = code
        self.violations = tuple(violations)
        self.why = str(details.pop("why", ""))
        self.details: dict[str, object] = details
        super().__init__(f"{code}: {self.message}" + (f" ({self.why})" if self.why else ""))

    @property
    def row(self) -> Row:
        """How it looks."""
        return TABLE[self.code]

    @property
    def message(self) -> str:
        """The public sentence."""
        return _Forgiving().vformat(self.row.sentence, (), self.details)


class _Forgiving(string.Formatter):
    """A value nobody gave must not hide the error it belongs to."""

    def get_value(self, key: int | str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        value = kwargs.get(str(key), "?")
        return int(value) if isinstance(value, float) and value.is_integer() else value
