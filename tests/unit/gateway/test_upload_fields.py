"""What the upload dialects say in their headers: understood, or refused with the field's name; never anything else."""

import base64
import hashlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.errors import Code, MediaError
from services.gateway.uploads import fields
from services.gateway.uploads.fields import ContentRange

# Whatever a header can carry.
TEXTS = st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=40)
PARSERS: dict[str, Callable[[str], object]] = {
    "Content-Range": fields.content_range,
    "Upload-Offset": lambda text: fields.integer("Upload-Offset", text),
    "Upload-Complete": lambda text: fields.boolean("Upload-Complete", text),
    "Content-Digest": lambda text: fields.content_digest("Content-Digest", text),
    "Upload-Checksum": fields.tus_checksum,
    "Upload-Metadata": fields.tus_metadata,
    "Upload-Concat": fields.tus_concat,
    "Content-Disposition": fields.filename,
}


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


@pytest.mark.parametrize("name", PARSERS)
@given(
    text=TEXTS | st.sampled_from(["bytes 0-1/2", "sha-256=:AAAA:", "sha1 AAAA", "a AA==", "?1", "²", "0 ", "1_0", "٣"])
)
def test_any_text_is_understood_or_refused(name: str, text: str) -> None:
    try:
        PARSERS[name](text)
    except MediaError as error:
        refused = error
    else:
        return
    assert refused.code in (Code.INVALID_REQUEST, Code.METADATA_INVALID)
    assert refused.code is Code.METADATA_INVALID or refused.violations[0].field == name


@given(first=st.integers(0, 10**9), length=st.integers(1, 10**9), behind=st.integers(0, 10**9))
def test_a_content_range_says_which_bytes_of_how_many(first: int, length: int, behind: int) -> None:
    last, total = first + length - 1, first + length + behind
    found = fields.content_range(f"bytes {first}-{last}/{total}")
    assert (found, found.length) == (ContentRange(first, last, total), length)
    assert fields.content_range(f"bytes {first}-{last}/*").total is None
    asked = fields.content_range(f"bytes */{total}")
    assert (asked, asked.length) == (ContentRange(None, None, total), 0)


@given(st.integers(0, 10**17))
def test_an_integer_is_plain_digits(number: int) -> None:
    assert fields.integer("Upload-Offset", str(number)) == number
    for text in (f"+{number}", f"-{number + 1}", f"0{number}", f"{number}.0", f"{number}e0"):
        with pytest.raises(MediaError):
            fields.integer("Upload-Offset", text)


def test_what_must_be_there_is_missed() -> None:
    for parse in (fields.integer, fields.boolean):
        with pytest.raises(MediaError):
            parse("Upload-Offset", None)
    assert fields.optional_integer("Upload-Length", None) is None


@given(st.dictionaries(st.text("abcXYZ-_", min_size=1, max_size=8), st.text(max_size=20), max_size=6))
def test_metadata_come_back(texts: dict[str, str]) -> None:
    sent = {name: text.replace("\0", "") for name, text in texts.items()}
    try:
        header = ",".join(f"{name} {encoded(text.encode())}" for name, text in sent.items())
    except UnicodeEncodeError:  # a lone surrogate has no UTF-8
        return
    assert fields.tus_metadata(header) == sent


def test_a_digest_is_the_strongest_known_one() -> None:
    sha256, sha512 = hashlib.sha256(b"x").digest(), hashlib.sha512(b"x").digest()
    found = fields.content_digest(
        "Content-Digest", f"md5=:AAAA:, sha-256=:{encoded(sha256)}:, sha-512=:{encoded(sha512)}:"
    )
    assert found is not None
    assert (found.algorithm, found.value) == ("sha512", sha512)
    assert fields.content_digest("Content-Digest", "md5=:AAAA:") is None
    assert fields.content_digest("Content-Digest", None) is None


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ('attachment; filename="a b.mp4"', "a b.mp4"),
        ("attachment; filename=a.mp4; x=y", "a.mp4"),
        (r'attachment; filename="a\"b"', 'a"b'),
        ("attachment", ""),
        (None, ""),
    ],
)
def test_a_name_comes_from_the_disposition(header: str | None, name: str) -> None:
    assert fields.filename(header) == name
