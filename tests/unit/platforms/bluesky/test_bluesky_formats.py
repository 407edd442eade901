"""Formats of the AT Protocol."""

import pytest

from services.platforms.bluesky import formats
from tests.unit.platforms.bluesky.format_samples import DID, SAMPLES


@pytest.mark.parametrize(("name", "text", "good"), SAMPLES)
def test_strings_and_their_formats(name: str, text: str, good: bool) -> None:
    assert getattr(formats, f"is_{name}")(text) is good


@pytest.mark.parametrize("text", ["a.b", "alice.test", "A.B", "x--y.example.com", "1.example"])
def test_handles(text: str) -> None:
    assert formats.is_handle(text)
    assert formats.is_identifier(text)


@pytest.mark.parametrize("text", ["", "a", "-a.b", "a-.b", "a.1b", "a..b", "a.b.", "a_b.c", "a." + "b" * 64, DID])
def test_what_is_no_handle(text: str) -> None:
    assert not formats.is_handle(text)


def test_keys() -> None:
    assert formats.is_key("self")
    assert formats.is_key("a.b:c~_-")
    assert not any(formats.is_key(text) for text in ("", ".", "..", "a/b", "a b", "a" * 513))
    assert formats.is_tid("3m2aaaaaaaa2a")
    assert not any(formats.is_tid(text) for text in ("3m2aaaaaaaa2", "zm2aaaaaaaa2a", "3m2aaaaaaaa21"))
