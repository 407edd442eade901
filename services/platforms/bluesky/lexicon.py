"""What a PDS checks of a post before it takes it. Pure.

Source: bluesky-social/atproto lexicons/app/bsky/feed/post.json, lexicons/app/bsky/embed/{images,gallery,video}.json,
lexicons/app/bsky/richtext/facet.json; messages as @atproto/pds 0.5.35 gives them.
"""

from collections.abc import Iterator, Mapping

from services.platforms.bluesky import formats, schema
from services.platforms.bluesky.record import COLLECTION, GALLERY, IMAGES, IMAGES_MAX
from services.platforms.bluesky.text import TAG_MAX_BYTES, TAG_MAX_GRAPHEMES
from services.platforms.ports import JSON

IMAGE_MAX_BYTES = 2_000_000
VIDEO_MAX_BYTES = 300_000_000


class RecordInvalidError(Exception):
    """Not a post; the message is the PDS's."""


def check_key(rkey: JSON) -> None:
    """Raises RecordInvalidError unless it is a TID."""
    try:
        schema.matching(formats.is_key, "record key")(rkey, "$.rkey")
    except schema.UnfitError as exc:
        raise RecordInvalidError(str(exc)) from exc
    try:
        schema.matching(formats.is_tid, "TID string")(rkey, "$")
    except schema.UnfitError as exc:
        raise RecordInvalidError(f"Invalid record key for {COLLECTION}: {exc}") from exc


def check_post(record: Mapping[str, JSON]) -> None:
    """Raises RecordInvalidError."""
    for value, where in _values(dict(record), "$.record"):
        if isinstance(value, float):
            kinds = "null, boolean, integer, string, cid, bytes, array or object"
            raise RecordInvalidError(f"Expected one of {kinds} value type (got {value}) at {where}")
    if (kind := record.get("$type", COLLECTION)) != COLLECTION:
        raise RecordInvalidError(f"Invalid $type: expected {COLLECTION}, got {kind}")
    try:
        _POST(dict(record), "$.record")
    except schema.UnfitError as exc:
        raise RecordInvalidError(f"Invalid {COLLECTION} record: {exc}") from exc


def blobs(value: JSON) -> Iterator[Mapping[str, JSON]]:
    """Every blob reference in it."""
    for found, _ in _values(value, "$"):
        if isinstance(found, dict) and found.get("$type") == "blob":
            yield found


def as_read_by_pds(value: JSON) -> JSON:
    """The value as JavaScript reads it from JSON, where 2.0 is a whole number."""
    match value:
        case float() if value.is_integer():
            return int(value)
        case dict():
            return {key: as_read_by_pds(inner) for key, inner in value.items()}
        case list():
            return [as_read_by_pds(inner) for inner in value]
        case _:
            return value


def _values(value: JSON, where: str) -> Iterator[tuple[JSON, str]]:
    yield value, where
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _values(inner, f"{where}.{key}")
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _values(inner, f"{where}[{index}]")


_FACET = schema.fields(
    {
        "index": schema.fields({"byteStart": schema.integer(0), "byteEnd": schema.integer(0)}),
        "features": schema.array(
            schema.union(
                {
                    "app.bsky.richtext.facet#link": schema.fields({"uri": schema.matching(formats.is_uri, "uri")}),
                    "app.bsky.richtext.facet#mention": schema.fields({"did": schema.matching(formats.is_did, "DID")}),
                    "app.bsky.richtext.facet#tag": schema.fields(
                        {"tag": schema.string(TAG_MAX_BYTES, TAG_MAX_GRAPHEMES)}
                    ),
                }
            )
        ),
    }
)
_ASPECT_RATIO = schema.fields({"width": schema.integer(1), "height": schema.integer(1)})
_IMAGE = schema.fields(
    {"image": schema.blob("image/*", IMAGE_MAX_BYTES), "alt": schema.string()}, {"aspectRatio": _ASPECT_RATIO}
)
_GALLERY_IMAGE = schema.fields(
    {"image": schema.blob("image/*", IMAGE_MAX_BYTES), "alt": schema.string(), "aspectRatio": _ASPECT_RATIO}
)
_EMBED = schema.union(
    {
        IMAGES: schema.fields({"images": schema.array(_IMAGE, IMAGES_MAX)}),
        GALLERY: schema.fields({"items": schema.array(schema.union({f"{GALLERY}#image": _GALLERY_IMAGE}), 20)}),
        "app.bsky.embed.video": schema.fields(
            {"video": schema.blob("video/mp4", VIDEO_MAX_BYTES)},
            {"alt": schema.string(), "aspectRatio": _ASPECT_RATIO, "presentation": schema.string()},
        ),
    }
)
_REFERENCE = schema.fields(
    {"uri": schema.matching(formats.is_at_uri, "at-uri"), "cid": schema.matching(formats.is_cid, "CID string")}
)
_POST = schema.fields(
    {"text": schema.string(3_000, 300), "createdAt": schema.matching(formats.is_instant, "datetime")},
    {
        "facets": schema.array(_FACET),
        "reply": schema.fields({"root": _REFERENCE, "parent": _REFERENCE}),
        "embed": _EMBED,
        "langs": schema.array(schema.matching(formats.is_language, "language"), 3),
    },
)
