"""JSON of requests into messages, and messages into JSON of answers."""

import base64
from collections.abc import Callable

import pytest
from google.protobuf import struct_pb2
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st
from mediaapi.v1 import gateway_service_pb2, ingest_service_pb2, media_pb2, post_pb2, publisher_service_pb2

from services.common.errors import Code, MediaError
from services.common.public_json import JSON, dumps, to_json
from services.gateway.services import route_table
from services.gateway.transcode.calls import read_request
from services.gateway.transcode.decode import MAX_VIOLATIONS, Decoder
from services.gateway.transcode.routes import Match

CreatePost = publisher_service_pb2.CreatePostRequest
TARGETS: JSON = [{"platform": "a"}]


def decoded(message: Message, body: JSON) -> Message:
    decoder = Decoder()
    decoder.fill(message, body)
    decoder.finish()
    return message


def asked(message: Message, *pairs: tuple[str, str]) -> Message:
    decoder = Decoder()
    decoder.fill_query(message, pairs)
    decoder.finish()
    return message


def faults(read: Callable[..., Message], *arguments: object) -> tuple[Code, dict[str, str]]:
    with pytest.raises(MediaError) as caught:
        read(*arguments)
    return caught.value.code, {row.field: row.message for row in caught.value.violations}


def test_a_whole_request_is_read() -> None:
    body: JSON = {
        "text": "Hello",
        "targets": [
            {"platform": "a", "options": {"boardId": "1", "nested": {"list": [1, 2.5, True, None, "x"]}}},
            {"accountId": "acc_1", "text": "Other", "media": [{"mediaId": "med_1"}]},
        ],
        "media": [{"data": base64.b64encode(b"\x00\xff").decode(), "kind": "image", "altText": ""}],
        "scheduledAt": "2026-11-24T09:30:00+01:00",
    }
    request = decoded(CreatePost(), body)
    assert isinstance(request, CreatePost)
    assert request.media[0].data == b"\x00\xff"
    assert request.media[0].kind == media_pb2.MEDIA_KIND_IMAGE
    assert request.media[0].HasField("alt_text")
    assert request.scheduled_at.ToJsonString() == "2026-11-24T08:30:00Z"
    nested = to_json(request.targets[0])["options"]
    assert nested == {"boardId": "1", "nested": {"list": [1, 2.5, True, None, "x"]}}
    assert request.targets[1].media[0].media_id == "med_1"


def test_null_is_the_same_as_nothing() -> None:
    request = decoded(CreatePost(), {"text": None, "targets": TARGETS, "scheduledAt": None, "media": None})
    assert isinstance(request, CreatePost)
    assert not request.HasField("scheduled_at")


def test_everything_wrong_is_named_at_once() -> None:
    body: JSON = {
        "txt": "",
        "targets": [{"platform": 1}, {"options": []}, "x", {"media": [{"kind": "audio", "mediaId": []}]}],
        "media": {},
        "scheduledAt": "tomorrow",
    }
    code, found = faults(decoded, CreatePost(), body)
    assert code is Code.INVALID_REQUEST
    assert found == {
        "txt": "is not a field of this request",
        "targets[0].platform": "must be a string",
        "targets[1].options": "must be an object",
        "targets[2]": "must be an object",
        "targets[3].media[0].kind": "must be one of image, video",
        "targets[3].media[0].mediaId": "must be a string",
        "media": "must be an array",
        "scheduledAt": "must be a time such as 2026-11-24T09:30:00Z",
    }


@pytest.mark.parametrize("name", ["display_name", "display-name", "DisplayName", "__proto__", "x" * 1000])
def test_a_field_has_one_name(name: str) -> None:
    body: JSON = {"platform": "a", "credentials": {"x": 1}, name: "y"}
    code, found = faults(decoded, publisher_service_pb2.CreateAccountRequest(), body)
    assert code is Code.INVALID_REQUEST
    assert len(found) == 1
    assert all(len(field) <= 65 for field in found)


@pytest.mark.parametrize("given_", [{}, {"name": None}, {"name": ""}])
def test_what_is_required_must_be_there(given_: dict[str, JSON]) -> None:
    assert faults(decoded, gateway_service_pb2.CreateApiKeyRequest(), given_)[1] == {"name": "is required"}


@pytest.mark.parametrize("body", [[], "x", 1, None, True])
def test_a_body_is_an_object(body: JSON) -> None:
    assert faults(decoded, CreatePost(), body)[1] == {"": "must be a JSON object"}


@pytest.mark.parametrize("text", ["a b==", "YQ", "YQ==\n", "Y-_=", "é", "====", 5])
def test_inline_media_that_is_no_base64_has_an_error_of_its_own(text: JSON) -> None:
    code, found = faults(decoded, CreatePost(), {"targets": TARGETS, "media": [{"data": text}]})
    assert code is Code.INLINE_MEDIA_INVALID
    assert list(found) == ["media[0].data"]


def test_a_million_faults_make_a_short_answer() -> None:
    code, found = faults(decoded, CreatePost(), {f"x{index}": 1 for index in range(10_000)})
    assert code is Code.INVALID_REQUEST
    assert len(found) == MAX_VIOLATIONS


@pytest.mark.parametrize("text", ["a\x00b", "\x00"])
def test_what_the_database_cannot_hold_is_refused(text: str) -> None:
    for body in ({"text": text, "targets": TARGETS}, {"targets": [{"options": {"x": [text]}}]}):
        assert faults(decoded, CreatePost(), body)[0] is Code.INVALID_REQUEST


def test_query_parameters_are_read_by_the_type_of_their_field() -> None:
    request = asked(ingest_service_pb2.ListMediaRequest(), ("limit", "5"), ("kind", "video"), ("q", "5"))
    assert request == ingest_service_pb2.ListMediaRequest(limit=5, kind=media_pb2.MEDIA_KIND_VIDEO, q="5")


@pytest.mark.parametrize(
    ("pair", "message"),
    [
        (("limit", "0"), "must be 1 to 100"),
        (("limit", "101"), "must be 1 to 100"),
        (("limit", "-1"), "must be 1 to 100"),
        (("limit", "x"), "must be an integer"),
        (("limit", "1.0"), "must be an integer"),
        (("limit", "９"), "must be an integer"),
        (("limit", "9" * 30), "must be an integer"),
        (("limit", "9999999999"), "must be -2147483648 to 2147483647"),
        (("kind", "IMAGE"), "must be one of image, video"),
        (("kind", "1"), "must be one of image, video"),
        (("kind", ""), "must be one of image, video"),
        (("q", "\0"), "must not hold the character U+0000"),
        (("page", "2"), "is not a parameter of this route"),
    ],
)
def test_a_wrong_parameter_is_named(pair: tuple[str, str], message: str) -> None:
    assert faults(asked, ingest_service_pb2.ListMediaRequest(), pair)[1] == {pair[0]: message}


def test_a_parameter_may_come_once() -> None:
    found = faults(asked, ingest_service_pb2.ListMediaRequest(), ("q", "a"), ("q", "b"))[1]
    assert found == {"q": "may be given once"}


def test_an_answer_has_every_field_and_null_where_there_is_nothing() -> None:
    shown = to_json(media_pb2.Media(id="med_1", kind=media_pb2.MEDIA_KIND_IMAGE, size_bytes=2**40))
    assert list(shown) == [field.json_name for field in media_pb2.Media.DESCRIPTOR.fields]
    assert shown["kind"] == "image"
    assert shown["status"] is None
    assert shown["sizeBytes"] == 2**40
    assert shown["altText"] is None
    assert shown["variants"] == []
    assert shown["fit"] == {}
    assert shown["createdAt"] is None


def test_times_words_and_numbers_look_as_documented() -> None:
    post = post_pb2.Post(id="post_1", status=post_pb2.POST_STATUS_PARTIALLY_PUBLISHED)
    post.created_at.FromJsonString("2026-11-24T09:30:00.123456Z")
    shown = to_json(post)
    assert shown["createdAt"] == "2026-11-24T09:30:00.123Z"
    assert shown["status"] == "partially_published"
    variant = media_pb2.Variant(duration_seconds=float("nan"), how=media_pb2.VARIANT_HOW_AS_IS, size_bytes=0)
    assert to_json(variant)["durationSeconds"] is None
    assert to_json(variant)["how"] == "as_is"
    assert to_json(variant)["sizeBytes"] == 0


def test_compact_utf8_without_nonsense() -> None:
    assert dumps({"a": "é", "b": [1, None]}) == '{"a":"é","b":[1,null]}'.encode()
    with pytest.raises(ValueError, match="JSON"):
        dumps(float("nan"))


SIMPLE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.text(max_size=5), SIMPLE, max_size=4))
def test_a_platforms_own_options_come_back_as_they_were(options: dict[str, JSON]) -> None:
    try:
        request = decoded(CreatePost(), {"targets": [{"options": options}]})
    except MediaError as error:
        assert "\0" in repr(options) or "\\x00" in repr(options), error  # noqa: PT017
        return
    assert isinstance(request, CreatePost)
    holder = struct_pb2.Struct()
    holder.CopyFrom(request.targets[0].options)
    assert to_json(publisher_service_pb2.CreateAccountRequest(credentials=holder))["credentials"] == options


@given(st.dictionaries(st.sampled_from(["text", "targets", "media", "scheduledAt", "x"]), SIMPLE, max_size=5))
def test_any_object_is_a_request_or_refused(body: dict[str, JSON]) -> None:
    try:
        decoded(CreatePost(), body)
    except MediaError as error:
        assert error.row.http == 400 and error.violations  # noqa: PT017, PT018  a request is as good


def test_a_change_tells_what_it_empties_from_what_it_leaves() -> None:
    match = route_table().match("PATCH", b"/v1/posts/post_1")
    assert isinstance(match, Match)
    request = read_request(match, (), {"text": "", "scheduledAt": None, "media": []})
    assert isinstance(request, publisher_service_pb2.UpdatePostRequest)
    assert sorted(request.update_mask.paths) == ["media", "scheduled_at", "text"]
    assert not request.HasField("scheduled_at")
    assert faults(read_request, match, (), {"updateMask": "text"})[1] == {
        "updateMask": "is not a field of this request"
    }
