"""Request headers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.errors import Code, MediaError
from services.gateway.web import headers
from services.gateway.web.headers import ByteRange


def code_of(read: object, *arguments: object) -> Code:
    with pytest.raises(MediaError) as caught:
        read(*arguments)  # type: ignore[operator]
    return caught.value.code


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (None, None),
        ("abc-1.2:3_X", "abc-1.2:3_X"),
        ("a" * 128, "a" * 128),
        ("a" * 129, None),
        ("", None),
        ("a b", None),
        ("a\r\nset-cookie: x", None),
        ("é", None),
    ],
)
def test_a_request_id_is_echoed_if_it_is_harmless(text: str | None, found: str | None) -> None:
    assert headers.request_id(text) == found


def test_a_bearer_token_is_read() -> None:
    assert headers.bearer("Bearer lmp_test_x") == "lmp_test_x"
    assert headers.bearer(" bearer   lmp_test_x ") == "lmp_test_x"


@pytest.mark.parametrize("text", [None, "", "Bearer", "Bearer a b", "Basic YTpi", "Bearer é", "Bearer " + "a" * 201])
def test_what_is_no_bearer_token_is_unauthorized(text: str | None) -> None:
    assert code_of(headers.bearer, text) is Code.UNAUTHORIZED


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, None),
        ("wait=0", 0.0),
        ("wait=10", 10.0),
        ("respond-async, wait=5", 5.0),
        ('wait="7"', 7.0),
        ("WAIT = 3; x=y", 3.0),
        ("wait=999999", 30.0),
        ("wait=-1", None),
        ("wait=1.5", None),
        ("await=5", None),
        ("wait=nan", None),
        ("handling=lenient", None),
    ],
)
def test_a_wait_is_read_and_bounded(text: str | None, seconds: float | None) -> None:
    assert headers.wait_s(text) == seconds


@pytest.mark.parametrize("text", ["", "a" * 256, "a\tb", "é", "\x7f"])
def test_an_idempotency_key_that_cannot_be_one_is_refused(text: str) -> None:
    assert code_of(headers.idempotency_key, text) is Code.INVALID_REQUEST


def test_an_idempotency_key_is_taken_as_it_is() -> None:
    assert headers.idempotency_key(None) is None
    assert headers.idempotency_key("a" * 255) == "a" * 255


@pytest.mark.parametrize(
    "text", ["application/json", "Application/JSON; charset=UTF-8", 'application/json;charset="utf-8"']
)
def test_json_is_json(text: str) -> None:
    headers.require_json(text)


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "json",
        "text/json",
        "application/json; charset=latin-1",
        "application/json; charset",
        "application/json; a=1; a=2",
        "application/json, text/plain",
        "multipart/form-data; boundary=x",
        "application/json;" + " " * 2000,
    ],
)
def test_what_is_no_json_is_refused(text: str | None) -> None:
    assert code_of(headers.require_json, text) is Code.CONTENT_TYPE_INVALID


def test_a_boundary_is_read_quoted_or_not() -> None:
    assert headers.require_form_boundary("multipart/form-data; boundary=abc") == b"abc"
    assert headers.require_form_boundary('multipart/form-data; boundary="a b:c"') == b"a b:c"


@pytest.mark.parametrize(
    "text",
    [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=" + "a" * 71,
        'multipart/form-data; boundary="a\r\nb"',
        'multipart/form-data; boundary="trailing "',
        "multipart/mixed; boundary=abc",
        "application/json",
    ],
)
def test_a_form_without_a_usable_boundary_is_refused(text: str) -> None:
    assert code_of(headers.require_form_boundary, text) is Code.CONTENT_TYPE_INVALID


def test_a_compressed_body_is_refused() -> None:
    headers.refuse_encoded(None)
    headers.refuse_encoded("identity")
    assert code_of(headers.refuse_encoded, "gzip") is Code.CONTENT_ENCODING_UNSUPPORTED


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("bytes=0-", ByteRange(0, None)),
        ("bytes=5-9", ByteRange(5, 9)),
        ("bytes=-5", ByteRange(-5, None)),
        ("Bytes=0-0", ByteRange(0, 0)),
        ("bytes=-0", None),
        ("bytes=9-5", None),
        ("bytes=0-1,3-4", None),
        ("bytes=a-b", None),
        ("items=0-1", None),
        ("bytes=" + "9" * 30 + "-", None),
        (None, None),
    ],
)
def test_one_range_is_read_and_the_rest_ignored(text: str | None, found: ByteRange | None) -> None:
    assert headers.byte_range(text) == found


def test_entity_tags_are_compared_weakly_for_reading_and_strongly_for_writing() -> None:
    assert headers.etag_matches('"x", W/"y"', '"y"')
    assert headers.etag_matches("*", '"y"')
    assert not headers.etag_matches(None, '"y"')
    assert not headers.etag_matches('"x"', '"y"')
    assert headers.if_match('"x", "y"', '"y"')
    assert headers.if_match("*", '"y"')
    assert not headers.if_match('W/"y"', '"y"')


@given(st.text(max_size=80))
def test_no_text_breaks_a_reader(text: str) -> None:
    headers.request_id(text)
    headers.wait_s(text)
    headers.byte_range(text)
    headers.etag_matches(text, '"x"')
    for read in (headers.bearer, headers.media_type, headers.require_form_boundary, headers.idempotency_key):
        try:
            read(text)
        except MediaError as error:
            assert error.row.http in (400, 401)  # noqa: PT017  reading it is as good
