"""What JSON, paths and queries can say, and what an answer can hold: each is asked of both."""

from collections.abc import Iterator, Mapping
from typing import Any

from google.protobuf.message import Message
from mediaapi.v1 import (
    account_pb2,
    ingest_service_pb2,
    media_pb2,
    platform_pb2,
    post_pb2,
    publisher_service_pb2,
    webhook_pb2,
)

from services.common.errors import Code, MediaError, Violation
from services.common.public_json import JSON
from tests.contract.json.sides import Case

MOMENT = "2026-11-24T09:30:00.123Z"
TARGETS: JSON = [{"platform": "a"}]
JSON_TYPE = {"content-type": "application/json"}


def cases() -> list[Case]:
    """All of them; no two with one name."""
    found = [*_paths(), *_queries(), *_bodies(), *_texts(), *_answers(), *_statuses(), *_errors()]
    assert len({case.name for case in found}) == len(found)
    return found


def _media(**given: Any) -> media_pb2.Media:
    item = media_pb2.Media(id="med_1", kind=media_pb2.MEDIA_KIND_IMAGE, status=media_pb2.MEDIA_STATUS_READY, **given)
    item.created_at.FromJsonString(MOMENT)
    item.expires_at.FromJsonString(MOMENT)
    return item


def _post(status: post_pb2.PostStatus.ValueType = post_pb2.POST_STATUS_PUBLISHED) -> post_pb2.Post:
    item = post_pb2.Post(id="post_1", status=status)
    item.created_at.FromJsonString(MOMENT)
    return item


def _get(name: str, path: str, says: Message | None = None) -> Case:
    return Case(name, "GET", path, says=says or _media())


def _paths() -> Iterator[Case]:
    yield _get("an id in the path", "/v1/media/med_1")
    yield _get("an id with letters beyond ASCII", "/v1/media/%C3%A9")
    yield _get("an id with signs that need no escape", "/v1/media/a%40b%3Ac%2Bd")
    yield _get("an id with an escaped slash", "/v1/media/a%2Fb")
    yield _get("an id that is no UTF-8", "/v1/media/%FF")
    yield _get("an id with an escaped line break", "/v1/media/a%0Ab")
    yield _get("an empty id", "/v1/media/")
    yield _get("a doubled slash", "/v1//media/med_1")
    yield _get("a path with dots in it", "/v1/x/../media/med_1")
    yield _get("a slash at the end", "/v1/media/med_1/")
    yield _get("a path in other letters", "/V1/media/med_1")
    yield _get("a path that is no route", "/v1/nothing")
    yield Case("a method the path has not", "PUT", "/v1/media/med_1")
    yield Case("`HEAD`", "HEAD", "/v1/media/med_1", says=_media())
    yield Case(
        "two ids in the path",
        "POST",
        "/v1/webhook-endpoints/whk_1/deliveries/dlv_1/replay",
        says=_delivery(webhook_pb2.WEBHOOK_DELIVERY_STATUS_DELIVERED),
    )
    yield Case("an RPC by its name", "POST", "/mediaapi.v1.IngestService/PinMedia", {})
    yield Case("an RPC that is a route, by its name", "POST", "/mediaapi.v1.IngestService/GetMedia", {"id": "med_1"})
    yield Case("keys", "GET", "/v1/api-keys")


def _queries() -> Iterator[Case]:
    page = ingest_service_pb2.ListMediaResponse()
    asked = {
        "no parameter": "",
        "parameters of every type": "?limit=5&kind=video&status=ready&q=a%20b%2Bc",
        "a plus in a parameter": "?q=a+b",
        "letters beyond ASCII in a parameter": "?q=%C3%A9",
        "an empty parameter": "?q=",
        "an unknown parameter": "?page=2",
        "a parameter given twice": "?q=a&q=b",
        "a number that is none": "?limit=x",
        "a number with a fraction": "?limit=1.0",
        "a number past its type": "?limit=9999999999",
        "a page of no items": "?limit=-1",
        "an enum's word in capitals": "?kind=IMAGE",
        "an enum's number": "?kind=1",
        "an enum's name in the proto": "?kind=MEDIA_KIND_IMAGE",
        "`unspecified` for an enum": "?kind=unspecified",
        "a parameter by its name in the proto": "?next_cursor=a",
    }
    for name, query in asked.items():
        yield _get(f"query: {name}", f"/v1/media{query}", page)
    yield Case("query: beside a body", "PATCH", "/v1/media/med_1?altText=a", {"altText": "b"}, says=_media())


def _create(name: str, body: "JSON | bytes", headers: Mapping[str, str] = JSON_TYPE) -> Case:
    return Case(f"body: {name}", "POST", "/v1/posts", body, headers=headers, says=_post())


def _bodies() -> Iterator[Case]:
    yield _create(
        "every type of value",
        {
            "text": "Héllo 😀",
            "targets": [
                {"platform": "a", "options": {"boardId": "1", "deep": {"list": [1, 2.5, True, None, "x"]}}},
                {"accountId": "acc_1", "text": "Other", "media": [{"mediaId": "med_1"}]},
            ],
            "media": [{"data": "AP8=", "kind": "image", "altText": ""}],
            "scheduledAt": "2026-11-24T09:30:00+01:00",
        },
    )
    told: dict[str, JSON] = {
        "null for what may be left out": {"text": None, "scheduledAt": None, "media": None},
        "an unknown field": {"txt": ""},
        "an unknown field further down": {"targets": [{"platform": "a", "txt": ""}]},
        "a field by its name in the proto": {"scheduled_at": MOMENT},
        "a number for a text": {"text": 5},
        "an object for an array": {"media": {}},
        "an array for an object": {"targets": [[]]},
        "null in an array": {"targets": [None]},
        "a time that is none": {"scheduledAt": "tomorrow"},
        "a time without a zone": {"scheduledAt": "2026-11-24T09:30:00"},
        "a time in seconds": {"scheduledAt": 1},
        "the character U+0000": {"text": "a\0b"},
        "an enum's word in capitals": {"media": [{"kind": "IMAGE", "mediaId": "med_1"}]},
        "an enum's number": {"media": [{"kind": 1, "mediaId": "med_1"}]},
        "`unspecified` for an enum": {"media": [{"kind": "unspecified", "mediaId": "med_1"}]},
        "base64 of the alphabet for URLs": {"media": [{"data": "_-8="}]},
        "base64 without its end": {"media": [{"data": "AP8"}]},
        "base64 that is none": {"media": [{"data": "a b!"}]},
        "options that are no object": {"targets": [{"platform": "a", "options": []}]},
    }
    for name, fields in told.items():
        assert isinstance(fields, dict)
        yield _create(name, {"targets": TARGETS, **fields})
    yield _create("a required field left out", {"text": "x"})
    sizes: dict[str, JSON] = {"a whole number as text": "5", "a whole number with a point": 5.0, "a fraction": 5.5}
    for name, size in sizes.items():
        body: JSON = {"filename": "a", "sizeBytes": size}
        yield Case(f"body: {name}", "POST", "/v1/uploads", body, says=_upload())
    yield Case(
        "body: an import by URL",
        "POST",
        "/v1/media",
        {"url": "https://example.com/a.jpg", "kind": "image", "altText": "Dusk."},
        says=_media(),
    )
    patch = "/v1/media/med_1"
    yield Case("body: a change of one field", "PATCH", patch, {"altText": ""}, says=_media())
    yield Case("body: a number with a fraction", "PATCH", patch, {"thumbnailTime": 1.5}, says=_media())
    yield Case("body: `NaN` as text", "PATCH", patch, {"thumbnailTime": "NaN"}, says=_media())
    yield Case("body: the id of the path", "PATCH", patch, {"id": "med_2"}, says=_media())
    yield Case("body: a change that empties a field", "PATCH", "/v1/posts/post_1", {"text": ""}, says=_post())
    yield Case("body: `updateMask`", "PATCH", "/v1/posts/post_1", {"text": "", "updateMask": "text"}, says=_post())
    yield Case("body: where none is taken", "DELETE", "/v1/posts/post_1", {"text": ""}, says=_post())


def _texts() -> Iterator[Case]:
    """Bodies that are not, or not quite, JSON."""
    start = b'{"targets":[{"platform":"a"}],'
    yield _create("none", b"")
    yield _create("half an object", b"{")
    yield _create("no object", b"[]")
    yield _create("`null`", b"null")
    yield _create("something after the object", b'{"targets":[{"platform":"a"}]}{}')
    yield _create("a comma too many", start + b"}")
    yield _create("single quotes", start + b"'text':'a'}")
    yield _create("a name twice", start + b'"text":"a","text":"b"}')
    yield _create("a byte order mark", b"\xef\xbb\xbf" + start + b'"text":"a"}')
    yield _create("bytes that are no UTF-8", start + b'"text":"\xff"}')
    yield _create("half a surrogate pair", start + rb'"text":"\ud800"}')
    yield _create("a line break in a text", start + b'"text":"a\nb"}')
    yield _create("`NaN` for an option", b'{"targets":[{"platform":"a","options":{"x":NaN}}]}')
    yield _create("options nested 40 levels", b'{"targets":[{"options":' + b'{"a":' * 40 + b"1" + b"}" * 40 + b"}]}")
    yield _create("4 MiB and more", start + b'"text":"' + b"x" * (4 << 20) + b'"}')
    plain = start + b'"text":"a"}'
    yield _create("without a type", plain, {})
    yield _create("of another type", plain, {"content-type": "text/plain"})
    yield _create("compressed", plain, JSON_TYPE | {"content-encoding": "gzip"})


def _answers() -> Iterator[Case]:
    yield Case("answer: what is not set", "GET", "/v1/posts/post_1", says=_post(), raw=True)
    used = publisher_service_pb2.GetUsageResponse(period="2026-11", posts_published=2**40)
    yield Case("answer: 64-bit numbers", "GET", "/v1/usage", says=used, raw=True)
    yield _get("answer: a time with no fraction", "/v1/media/a", _timed("2026-11-24T09:30:00Z"))
    yield _get("answer: a time to the microsecond", "/v1/media/a", _timed("2026-11-24T09:30:00.123456Z"))
    yield _get("answer: texts of every kind", "/v1/media/a", _media(alt_text='é 😀 "\\/<&>\x7f\u2028\n'))
    yield _get("answer: numbers with a fraction", "/v1/media/a", _media(duration_seconds=0.1))
    yield _get("answer: a number that is none", "/v1/media/a", _media(duration_seconds=float("nan")))
    yield _get("answer: a map", "/v1/media/a", _media(fit={"a": media_pb2.Fit(ok=True), "b": media_pb2.Fit()}))
    words = media_pb2.Variant(status=media_pb2.VARIANT_STATUS_READY, how=media_pb2.VARIANT_HOW_AS_IS)
    yield _get("answer: an enum of several words", "/v1/media/a", _media(variants=[words]))
    undecided = media_pb2.Variant(status=media_pb2.VARIANT_STATUS_READY)
    yield _get("answer: an enum that is not set", "/v1/media/a", _media(variants=[undecided]))
    page = ingest_service_pb2.ListMediaResponse(data=[_media()], next_cursor="med_1")
    yield _get("answer: a page", "/v1/media", page)
    shown = account_pb2.Account(id="acc_1", status=account_pb2.ACCOUNT_STATUS_ACTIVE)
    shown.created_at.FromJsonString(MOMENT)
    yield _get("answer: an account", "/v1/accounts/acc_1", shown)
    cited = platform_pb2.Citation(source="a")
    text = platform_pb2.TextLimits(max_length=300, unit="graphemes", cited=cited)
    field = platform_pb2.FieldLimit(
        field="options.items[].title", max=2**40, unit="characters", of="image", cited=cited
    )
    known = platform_pb2.Platform(id="a", name="A", text=text, fields=[field])
    yield _get("answer: platforms", "/v1/platforms", publisher_service_pb2.ListPlatformsResponse(data=[known]))


def _statuses() -> Iterator[Case]:
    body: JSON = {"targets": TARGETS}
    pending = _post(post_pb2.POST_STATUS_PUBLISHING)
    yield Case("status: a post under way", "POST", "/v1/posts", body, says=pending)
    yield Case("status: a post that is settled", "POST", "/v1/posts", body, says=_post())
    upload: JSON = {"filename": "a", "sizeBytes": 5}
    yield Case("status: what was made", "POST", "/v1/uploads", upload, says=_upload())
    yield Case("status: what was deleted", "DELETE", "/v1/media/med_1")


def _errors() -> Iterator[Case]:
    unknown = MediaError(Code.MEDIA_NOT_FOUND, media_id="med_1")
    yield Case("error: of a stage", "GET", "/v1/media/med_1", says=unknown)
    rows = [Violation("targets[0].text", "is too long"), Violation("media", "is missing")]
    wrong = MediaError(Code.POST_INVALID, violations=rows)
    yield Case("error: of a stage, with fields", "POST", "/v1/posts", {"targets": TARGETS}, says=wrong)


def _timed(text: str) -> media_pb2.Media:
    item = _media()
    item.created_at.FromJsonString(text)
    return item


def _upload() -> ingest_service_pb2.Upload:
    item = ingest_service_pb2.Upload(id="upl_1", status=ingest_service_pb2.UPLOAD_STATUS_RECEIVING)
    item.created_at.FromJsonString(MOMENT)
    item.expires_at.FromJsonString(MOMENT)
    return item


def _delivery(status: webhook_pb2.WebhookDeliveryStatus.ValueType) -> webhook_pb2.WebhookDelivery:
    item = webhook_pb2.WebhookDelivery(id="dlv_1", endpoint_id="whk_1", status=status)
    item.created_at.FromJsonString(MOMENT)
    return item
