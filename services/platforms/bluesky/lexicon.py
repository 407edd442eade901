"""What a PDS checks of a post before it takes it, in the PDS's own words. Pure.

Source: bluesky-social/atproto lexicons/app/bsky/feed/post.json, lexicons/app/bsky/embed/{images,video}.json,
lexicons/app/bsky/richtext/facet.json; messages as @atproto/pds 0.5.35 gives them.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import cast

from services.platforms.bluesky.record import COLLECTION
from services.platforms.bluesky.text import graphemes
from services.platforms.ports import JSON

IMAGE_MAX_BYTES = 2_000_000
VIDEO_MAX_BYTES = 300_000_000
Check = Callable[[JSON, str], None]

TID = re.compile(r"[234567a-j][234567a-z]{12}")
_DATETIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
_LANGUAGE = re.compile(r"(i|[a-z]{2,3})(-[A-Za-z0-9]+)*", re.IGNORECASE)
_URI = re.compile(r"[a-z][a-z0-9.+-]{0,80}:\S+", re.IGNORECASE)
_DID = re.compile(r"did:[a-z]+:[A-Za-z0-9._:%-]*[A-Za-z0-9._-]")
_AT_URI = re.compile(r"at://[^\s/]+(/[^\s/]+){0,2}")
_CID = re.compile(r"b[a-z2-7]{58,}")


class RecordInvalidError(Exception):
    """Not a post; the message is the PDS's."""


def check_key(rkey: str) -> None:
    """Raises RecordInvalidError unless it is a TID."""
    if not re.fullmatch(r"[A-Za-z0-9._:~-]{1,512}", rkey) or rkey in (".", ".."):
        raise RecordInvalidError(f'Invalid record key (got "{rkey}") at $.rkey')
    if not TID.fullmatch(rkey):
        raise RecordInvalidError(f'Invalid record key for {COLLECTION}: Invalid TID string (got "{rkey}") at $')


def check_post(record: Mapping[str, JSON]) -> None:
    """Raises RecordInvalidError."""
    for value, where in _values(dict(record), "$.record"):
        if isinstance(value, float):
            kinds = "null, boolean, integer, string, cid, bytes, array or object"
            raise RecordInvalidError(f"Expected one of {kinds} value type (got {value}) at {where}")
    if (kind := record.get("$type", COLLECTION)) != COLLECTION:
        raise RecordInvalidError(f"Invalid $type: expected {COLLECTION}, got {kind}")
    try:
        _post(dict(record), "$.record")
    except _FoundError as exc:
        raise RecordInvalidError(f"Invalid {COLLECTION} record: {exc}") from exc


def blobs(value: JSON) -> Iterator[Mapping[str, JSON]]:
    """Every blob reference in it."""
    for found, _ in _values(value, "$"):
        if isinstance(found, dict) and found.get("$type") == "blob":
            yield found


class _FoundError(Exception):
    def __init__(self, what: str, where: str) -> None:
        super().__init__(f"{what} at {where}")


def _values(value: JSON, where: str) -> Iterator[tuple[JSON, str]]:
    yield value, where
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _values(inner, f"{where}.{key}")
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _values(inner, f"{where}[{index}]")


def _fields(value: JSON, where: str, required: Mapping[str, Check], optional: Mapping[str, Check]) -> None:
    """Required fields come first, in their order. Unknown fields are allowed, as everywhere in the network."""
    if not isinstance(value, dict):
        raise _FoundError("Expected object value type", where)
    for name, check in {**required, **optional}.items():
        if name in value:
            check(value[name], f"{where}.{name}")
        elif name in required:
            raise _FoundError(f'Missing required key "{name}"', where)


def _post(value: JSON, where: str) -> None:
    optional = {
        "facets": _list(_facet),
        "reply": lambda it, at: _fields(it, at, {"root": _reference, "parent": _reference}, {}),
        "embed": _embed,
        "langs": _list(_language, 3),
    }
    _fields(value, where, {"text": _text, "createdAt": _datetime}, optional)


def _text(value: JSON, where: str) -> None:
    _string(value, where, max_bytes=3_000, max_graphemes=300)


def _facet(value: JSON, where: str) -> None:
    index: Check = lambda it, at: _fields(it, at, {"byteStart": _integer(0), "byteEnd": _integer(0)}, {})  # noqa: E731
    _fields(value, where, {"index": index, "features": _list(_feature)}, {})


def _feature(value: JSON, where: str) -> None:
    kinds: dict[str, dict[str, Check]] = {
        "link": {"uri": _matching(_URI, "uri")},
        "mention": {"did": _matching(_DID, "DID")},
        "tag": {"tag": lambda it, at: _string(it, at, max_bytes=640, max_graphemes=64)},
    }
    kind = str(value.get("$type", "")) if isinstance(value, dict) else ""
    _fields(value, where, kinds.get(kind.removeprefix("app.bsky.richtext.facet#"), {}), {})


def _embed(value: JSON, where: str) -> None:
    kind = value.get("$type") if isinstance(value, dict) else None
    if kind == "app.bsky.embed.images":
        image = {"image": _blob("image/*", IMAGE_MAX_BYTES), "alt": _string}
        one: Check = lambda it, at: _fields(it, at, image, {"aspectRatio": _aspect_ratio})  # noqa: E731
        _fields(value, where, {"images": _list(one, 4)}, {})
    elif kind == "app.bsky.embed.video":
        video = {"video": _blob("video/mp4", VIDEO_MAX_BYTES)}
        _fields(value, where, video, {"alt": _string, "aspectRatio": _aspect_ratio})


def _aspect_ratio(value: JSON, where: str) -> None:
    _fields(value, where, {"width": _integer(1), "height": _integer(1)}, {})


def _reference(value: JSON, where: str) -> None:
    _fields(value, where, {"uri": _matching(_AT_URI, "AT-URI"), "cid": _matching(_CID, "CID string")}, {})


def _blob(accept: str, max_bytes: int) -> Check:
    def check(value: JSON, where: str) -> None:
        if not isinstance(value, dict) or value.get("$type") != "blob":
            raise _FoundError("Expected blob value type", where)
        mime, size = str(value.get("mimeType")), value.get("size")
        if not (mime == accept or (accept.endswith("*") and mime.startswith(accept[:-1]))):
            raise _FoundError(f'Expected "{accept}" (got "{mime}")', f"{where}.mimeType")
        _integer(0)(size, f"{where}.size")
        if cast(int, size) > max_bytes:
            raise _FoundError(f"blob too big (maximum {max_bytes}, got {size})", where)

    return check


def _list(item: Check, max_length: int | None = None) -> Check:
    def check(value: JSON, where: str) -> None:
        if not isinstance(value, list):
            raise _FoundError("Expected array value type", where)
        if max_length is not None and len(value) > max_length:
            raise _FoundError(f"array too big (maximum {max_length}, got {len(value)})", where)
        for index, inner in enumerate(value):
            item(inner, f"{where}[{index}]")

    return check


def _integer(minimum: int) -> Check:
    def check(value: JSON, where: str) -> None:
        if isinstance(value, bool) or not isinstance(value, int):
            raise _FoundError("Expected integer value type", where)
        if value < minimum:
            raise _FoundError(f"integer too small (minimum {minimum}, got {value})", where)

    return check


def _string(value: JSON, where: str, *, max_bytes: int | None = None, max_graphemes: int | None = None) -> None:
    if not isinstance(value, str):
        raise _FoundError(f"Expected string value type (got {value})", where)
    if max_bytes is not None and (size := len(value.encode())) > max_bytes:
        raise _FoundError(f"string too big (maximum {max_bytes}, got {size})", where)
    if max_graphemes is not None and (count := graphemes(value)) > max_graphemes:
        raise _FoundError(f"grapheme too big (maximum {max_graphemes}, got {count})", where)


def _matching(pattern: re.Pattern[str], name: str) -> Check:
    def check(value: JSON, where: str) -> None:
        _string(value, where)
        if not pattern.fullmatch(str(value)):
            raise _FoundError(f'Invalid {name} (got "{value}")', where)

    return check


def _language(value: JSON, where: str) -> None:
    _matching(_LANGUAGE, "language")(value, where)


def _datetime(value: JSON, where: str) -> None:
    _matching(_DATETIME, "datetime")(value, where)
    try:
        datetime.fromisoformat(str(value))
    except ValueError as exc:
        raise _FoundError(f'Invalid datetime (got "{value}")', where) from exc
