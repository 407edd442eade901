"""What clients call things is kept as text, and only as text."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.errors import Code, MediaError
from services.ingest.domain.texts import check_alt_text, clean_filename


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("photo.jpg", "photo.jpg"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\me\\photo.jpg", "photo.jpg"),
        ("/abs/olute.png", "olute.png"),
        ("..", ""),
        ("a/..", ""),
        ("a/", ""),
        ("a\x00b\r\nc\x7f.jpg", "abc.jpg"),
        ("gpj.\u202etohp", "gpj.tohp"),
        ("e\u0301te\u0301.jpg", "\u00e9t\u00e9.jpg"),
        ("\U0001f468\u200d\U0001f469\u200d\U0001f467.png", "\U0001f468\u200d\U0001f469\u200d\U0001f467.png"),
        ("CON", "CON"),
        ("frame_%03d.jpg", "frame_%03d.jpg"),
        ("  spaced .jpg ", "spaced .jpg"),
        ("x" * 4096, "x" * 255),
        ("\u00e9" * 200, "\u00e9" * 127),
    ],
)
def test_file_names_are_cleaned(sent: str, kept: str) -> None:
    assert clean_filename(sent) == kept


@given(st.text())
def test_no_name_keeps_a_path_a_control_character_or_too_many_bytes(name: str) -> None:
    kept = clean_filename(name)
    assert len(kept.encode()) <= 255
    assert not set(kept) & set("/\\\x00\r\n\u202e")
    assert kept == unicodedata.normalize("NFC", kept)


def test_alt_text_has_a_length() -> None:
    assert check_alt_text("x" * 2000) == "x" * 2000
    assert check_alt_text("") is None
    assert check_alt_text(None) is None


@pytest.mark.parametrize("text", ["x" * 2001, "a\x00b"])
def test_alt_text_no_column_takes_is_refused(text: str) -> None:
    with pytest.raises(MediaError) as caught:
        check_alt_text(text)
    assert caught.value.code is Code.INVALID_REQUEST
    assert caught.value.violations[0].field == "altText"
