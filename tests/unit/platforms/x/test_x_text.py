"""How X counts."""

import pytest

from services.platforms.x.text import links, weighted_length


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("", 0),
        ("hello", 5),
        ("ünïcödé", 7),
        ("e\u0301", 1),  # counted as the one character it composes to
        ("“quoted” – it’s", 15),
        ("…", 2),
        ("日本語", 6),
        ("한국어", 6),
        ("Привет", 6),
        ("👍", 2),
        ("👍🏽", 2),
        ("👨‍👩‍👧‍👦", 2),
        ("🇩🇪🇫🇷", 4),
        ("1️⃣", 2),
        ("❤️", 2),
        ("©", 1),
        ("©️", 2),
        ("https://example.com", 23),
        ("https://example.com/" + "a" * 200, 23),
        ("see example.com.", 4 + 23 + 1),
        ("EXAMPLE.COM", 23),
        ("file.txt", 8),
        ("me@example.com", 14),
        ("詳細はhttps://example.comです", 6 + 23 + 4),
        ("(https://en.wikipedia.org/wiki/A_(b))", 25),
        ("https://a.com https://b.com", 47),
        ("http://localhost:3000/", 22),
    ],
)
def test_length(text: str, length: int) -> None:
    assert weighted_length(text) == length


@pytest.mark.parametrize(
    ("text", "urls"),
    [
        ("see https://example.com/a?b=c.", ["https://example.com/a?b=c"]),
        ("example.com/path, and t.co", ["http://example.com/path", "http://t.co"]),
        ("foo.example.com/p#frag!", ["http://foo.example.com/p#frag"]),
        ("#tag @user x.unknownzone", []),
    ],
)
def test_links(text: str, urls: list[str]) -> None:
    assert [link.url for link in links(text)] == urls
    assert all(link.url.endswith(text[link.start : link.end]) for link in links(text))


@pytest.mark.parametrize("text", ["à" * 50_000, "àà." * 20_000, "https://a." * 8_000, "https://a.com/(" * 5_000])
@pytest.mark.timeout(5)
def test_long_texts_are_counted_in_no_time(text: str) -> None:
    assert weighted_length(text) > 280
