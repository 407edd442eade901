"""How Mastodon counts."""

import pytest

from services.platforms.mastodon.text import length


@pytest.mark.parametrize(
    ("text", "counted"),
    [
        ("", 0),
        ("plain", 5),
        ("https://example.com", 23),
        ("http://example.com/a/very/long/path/that/goes/on?and=on#and-on", 23),
        ("(https://example.com/a).", 26),
        ("example.com/without/a/scheme", 28),
        ("https://localhost", 17),
        ("@anna@example.social", 5),
        ("hi @anna@example.social and @bob", 17),
        ("a@example.social", 16),
        ("https://example.social/@anna@other.example", 23),
        ("👩‍👩‍👧‍👦", 1),
        ("e\u0301", 1),
        ("\u0e01\u0e33", 1),
    ],
)
def test_texts_are_counted_as_a_server_does(text: str, counted: int) -> None:
    assert length(text) == counted


def test_a_warning_counts_and_servers_may_count_links_otherwise() -> None:
    assert length("https://example.com", "warned", url_chars=30) == 36
