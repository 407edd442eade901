"""Posts, good ones and such as no lexicon allows, with what a PDS says of them."""

from services.platforms.bluesky.record import COLLECTION
from services.platforms.ports import JSON

POST: dict[str, JSON] = {"$type": COLLECTION, "text": "hi", "createdAt": "2026-11-25T00:00:00.000Z"}
SOMEBODY = "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa"
A_CID = "bafyreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"
LINK = "bafkreiaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
BLOB: dict[str, JSON] = {"$type": "blob", "ref": {"$link": LINK}, "mimeType": "image/jpeg", "size": 100}
FAMILY = "👨‍👩‍👧‍👦"  # one grapheme of 25 bytes


def facet(feature: JSON, start: JSON = 0) -> dict[str, JSON]:
    """A post with one facet of this feature."""
    return {"facets": [{"index": {"byteStart": start, "byteEnd": 2}, "features": [feature]}]}


def images(*images: JSON) -> dict[str, JSON]:
    """A post with these images."""
    return {"embed": {"$type": "app.bsky.embed.images", "images": list(images)}}


def gallery(*items: JSON) -> dict[str, JSON]:
    """A post with these items in a gallery."""
    return {"embed": {"$type": "app.bsky.embed.gallery", "items": list(items)}}


def item(**changes: JSON) -> dict[str, JSON]:
    """An image of a gallery, with changes."""
    square: JSON = {"width": 1, "height": 1}
    return {"$type": "app.bsky.embed.gallery#image", **image(aspectRatio=square), **changes}


def image(**changes: JSON) -> dict[str, JSON]:
    """An image, with changes."""
    return {"image": BLOB, "alt": "", **changes}


def video(blob: JSON) -> dict[str, JSON]:
    """A post with this video."""
    return {"embed": {"$type": "app.bsky.embed.video", "video": blob}}


def reply(uri: str, link: str) -> dict[str, JSON]:
    """A post that answers this one."""
    return {"reply": {"root": {"uri": uri, "cid": link}, "parent": {"uri": uri, "cid": link}}}


TAG = "app.bsky.richtext.facet#tag"
NO_TYPE = 'Expected an object which includes the "$type" property value type'

# What is changed about a good post → what is said after "Invalid app.bsky.feed.post record: ".
INVALID: list[tuple[dict[str, JSON], str]] = [
    ({"text": 1}, "Expected string value type (got 1) at $.record.text"),
    ({"text": "a" * 301}, "grapheme too big (maximum 300, got 301) at $.record.text"),
    ({"text": "👍🏽" * 301}, "grapheme too big (maximum 300, got 301) at $.record.text"),
    ({"text": FAMILY * 120 + "a"}, "string too big (maximum 3000, got 3001) at $.record.text"),
    ({"createdAt": "yesterday"}, 'Invalid datetime (got "yesterday") at $.record.createdAt'),
    ({"createdAt": "2026-13-25T00:00:00Z"}, 'Invalid datetime (got "2026-13-25T00:00:00Z") at $.record.createdAt'),
    ({"langs": "en"}, 'Expected array value type (got "en") at $.record.langs'),
    ({"langs": ["en", "de", "fr", "it"]}, "array too big (maximum 3, got 4) at $.record.langs"),
    ({"langs": ["english!"]}, 'Invalid language (got "english!") at $.record.langs[0]'),
    ({"facets": {}}, "Expected array value type (got {}) at $.record.facets"),
    (facet({"tag": "x"}), f'{NO_TYPE} (got {{"tag": ...}}) at $.record.facets[0].features[0]'),
    (
        facet({"$type": TAG, "tag": "t" * 65}),
        "grapheme too big (maximum 64, got 65) at $.record.facets[0].features[0].tag",
    ),
    (
        facet({"$type": TAG, "tag": "t"}, start=-1),
        "integer too small (minimum 0, got -1) at $.record.facets[0].index.byteStart",
    ),
    (
        facet({"$type": "app.bsky.richtext.facet#link", "uri": "a.b"}),
        'Invalid uri (got "a.b") at $.record.facets[0].features[0].uri',
    ),
    (
        facet({"$type": "app.bsky.richtext.facet#mention", "did": "bob"}),
        'Invalid DID (got "bob") at $.record.facets[0].features[0].did',
    ),
    ({"embed": "x"}, f'{NO_TYPE} (got "x") at $.record.embed'),
    (images(*[image()] * 5), "array too big (maximum 4, got 5) at $.record.embed.images"),
    (images({"image": BLOB}), 'Missing required key "alt" at $.record.embed.images[0]'),
    (images(image(alt=None)), "Expected string value type (got null) at $.record.embed.images[0].alt"),
    (images(image(image="x")), 'Expected blob value type (got "x") at $.record.embed.images[0].image'),
    (
        images(image(image={**BLOB, "ref": {"$link": "bafk"}})),
        'Expected blob value type (got {"$type": ..., "ref": ..., ...}) at $.record.embed.images[0].image',
    ),
    (
        images(image(image={**BLOB, "mimeType": "text/plain"})),
        'Expected "image/*" (got "text/plain") at $.record.embed.images[0].image.mimeType',
    ),
    (
        images(image(image={**BLOB, "size": 2_000_001})),
        "blob too big (maximum 2000000, got 2000001) at $.record.embed.images[0].image",
    ),
    (
        images(image(aspectRatio={"width": 0, "height": 6})),
        "integer too small (minimum 1, got 0) at $.record.embed.images[0].aspectRatio.width",
    ),
    (gallery(*[item()] * 21), "array too big (maximum 20, got 21) at $.record.embed.items"),
    (gallery(image()), f'{NO_TYPE} (got {{"image": ..., "alt": ...}}) at $.record.embed.items[0]'),
    (
        gallery({"$type": "app.bsky.embed.gallery#image", **image()}),
        'Missing required key "aspectRatio" at $.record.embed.items[0]',
    ),
    (
        gallery(item(aspectRatio={"width": 1, "height": 0})),
        "integer too small (minimum 1, got 0) at $.record.embed.items[0].aspectRatio.height",
    ),
    (
        gallery(item(), item(image={**BLOB, "size": 2_000_001})),
        "blob too big (maximum 2000000, got 2000001) at $.record.embed.items[1].image",
    ),
    (video(BLOB), 'Expected "video/mp4" (got "image/jpeg") at $.record.embed.video.mimeType'),
    (
        video({**BLOB, "mimeType": "video/mp4", "size": 300_000_001}),
        "blob too big (maximum 300000000, got 300000001) at $.record.embed.video",
    ),
    (reply("x", "y"), 'Invalid at-uri (got "x") at $.record.reply.root.uri'),
    (reply(f"at://{SOMEBODY}", "y"), 'Invalid CID string (got "y") at $.record.reply.root.cid'),
]

TAKEN: list[dict[str, JSON]] = [
    {"text": "👍🏽" * 300},
    {"text": FAMILY * 120},
    {"langs": ["en", "de", "pt-BR"]},
    {"unknown": {"fields": [1, None, True, 2.0]}},
    facet({"$type": "app.bsky.richtext.facet#new", "of": 2}),
    facet({"$type": TAG, "tag": "t" * 64}, start=2),
    images(),
    gallery(),
    {"embed": {"$type": "com.example.embed", "of": 2}},
]
