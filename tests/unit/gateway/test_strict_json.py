"""JSON bodies: one meaning, or refused."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.errors import Code, MediaError
from services.gateway.transcode import strict_json

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=20,
)


@given(VALUES, st.booleans())
def test_what_json_writes_is_read_as_it_was(value: object, ascii_only: bool) -> None:
    assert strict_json.parse(json.dumps(value, ensure_ascii=ascii_only).encode()) == value


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{",
        b"{}{}",
        b"{'a': 1}",
        b'{"a": 1,}',
        b"[1,]",
        b"01",
        b"+1",
        b".5",
        b"1.",
        b"0x10",
        b"NaN",
        b"Infinity",
        b"-Infinity",
        b"1e999",
        b"nul",
        b'"\x00"',
        b'"a\nb"',
        b'"\\x41"',
        b'"\\ud800"',
        b'{"\\udc00": 1}',
        b'"\xff"',
        b"\xef\xbb\xbf{}",
        '{"a": 1}'.encode("utf-16"),
        b'{"a": 1, "a": 2}',
        b'{"a": 1, "\\u0061": 2}',
        b"[" * 65 + b"]" * 65,
        b"[" * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
        b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
        b"1" * 5000,
        b"[" + b"1," * 100_001 + b"1]",
        b"/* */ {}",
    ],
    ids=lambda body: repr(body[:24]),
)
def test_everything_else_is_invalid_json(body: bytes) -> None:
    with pytest.raises(MediaError) as caught:
        strict_json.parse(body)
    assert caught.value.code is Code.INVALID_JSON
    assert len(caught.value.message) < 200


@given(st.binary(max_size=200))
def test_any_bytes_are_a_value_or_invalid_json(body: bytes) -> None:
    try:
        strict_json.parse(body)
    except MediaError as error:
        assert error.code is Code.INVALID_JSON  # noqa: PT017  a value is as good


def test_the_deepest_allowed_is_allowed() -> None:
    assert strict_json.parse(b"[" * 64 + b"]" * 64)


def test_a_whole_pair_of_surrogates_is_one_character() -> None:
    assert strict_json.parse(b'"\\ud83d\\ude00"') == "😀"
