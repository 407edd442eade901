"""Text as Bluesky counts and annotates it."""

import pytest

from services.platforms.bluesky.text import Kind, facet, graphemes, spans

FAMILY = "👨‍👩‍👧‍👦"  # one grapheme of 25 bytes


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ("hello", 5),
        ("ünïcödé", 7),
        ("e\u0301", 1),
        ("日本語", 3),
        ("👍🏽", 1),
        (FAMILY, 1),
        ("🇩🇪🇫🇷", 2),
        ("1️⃣", 1),
        ("\r\n", 1),
        ("क्षि", 1),
    ],
)
def test_graphemes(text: str, count: int) -> None:
    assert graphemes(text) == count


def found(text: str) -> list[tuple[str, Kind, str]]:
    """What is annotated, its kind and what it means; every span covers whole characters."""
    raw = text.encode()
    return [(raw[span.start : span.end].decode(), span.kind, span.value) for span in spans(text)]


@pytest.mark.parametrize(
    ("text", "shown", "url"),
    [
        ("https://example.com", "https://example.com", "https://example.com"),
        ("go to example.com.", "example.com", "https://example.com"),
        ("ünï example.com/ü?a=b#c!", "example.com/ü?a=b#c", "https://example.com/ü?a=b#c"),
        ("(see https://example.com/a)", "https://example.com/a", "https://example.com/a"),
        ("https://example.com/a_(b)", "https://example.com/a_(b)", "https://example.com/a_(b)"),
        ("line\nhttp://localhost:80/x", "http://localhost:80/x", "http://localhost:80/x"),
        ("example.com:8080/x", "example.com:8080/x", "https://example.com:8080/x"),
        ("“quote” example.com”", "example.com", "https://example.com"),
        ("HTTPS://Example.COM/Path", "HTTPS://Example.COM/Path", "HTTPS://Example.COM/Path"),
    ],
)
def test_links(text: str, shown: str, url: str) -> None:
    assert found(text) == [(shown, Kind.LINK, url)]


@pytest.mark.parametrize(
    ("text", "shown", "handle"),
    [
        ("@alice.test", "@alice.test", "alice.test"),
        ("hi (@Alice.Example.COM), you", "@Alice.Example.COM", "alice.example.com"),
        ("👍 @alice.test.", "@alice.test", "alice.test"),
    ],
)
def test_mentions(text: str, shown: str, handle: str) -> None:
    assert found(text) == [(shown, Kind.MENTION, handle)]


@pytest.mark.parametrize(
    ("text", "shown", "tag"),
    [
        ("#tag", "#tag", "tag"),
        ("a #größe!", "#größe", "größe"),
        ("＃日本語", "＃日本語", "日本語"),
        ("#1st", "#1st", "1st"),
        ("#a-b_c.", "#a-b_c", "a-b_c"),
        ("#" + "t" * 64, "#" + "t" * 64, "t" * 64),
        ("#" + FAMILY * 25, "#" + FAMILY * 25, FAMILY * 25),
    ],
)
def test_tags(text: str, shown: str, tag: str) -> None:
    assert found(text) == [(shown, Kind.TAG, tag)]


@pytest.mark.parametrize(
    "text",
    [
        "", "someone@example.com", "1.2.3", "file.txt", "e.g. this", "@alice", "@", "https://", "#", "#1", "#️⃣ keycap",
        "a#b", "#" + "t" * 65, "#" + FAMILY * 26,
    ],
)  # fmt: skip
def test_what_only_looks_like_it_stays_text(text: str) -> None:
    assert found(text) == []


def test_spans_come_in_order_and_do_not_overlap() -> None:
    text = "👩‍👩‍👧 @bob.test #tag https://example.com/#frag #last"
    assert found(text) == [
        ("@bob.test", Kind.MENTION, "bob.test"),
        ("#tag", Kind.TAG, "tag"),
        ("https://example.com/#frag", Kind.LINK, "https://example.com/#frag"),
        ("#last", Kind.TAG, "last"),
    ]


def test_facets_as_records_hold_them() -> None:
    link, mention, tag = spans("é https://a.example @bob.test #x")
    assert facet(link) == {
        "index": {"byteStart": 3, "byteEnd": 20},
        "features": [{"$type": "app.bsky.richtext.facet#link", "uri": "https://a.example"}],
    }
    assert facet(mention, "did:plc:b") == {
        "index": {"byteStart": 21, "byteEnd": 30},
        "features": [{"$type": "app.bsky.richtext.facet#mention", "did": "did:plc:b"}],
    }
    assert facet(tag) == {
        "index": {"byteStart": 31, "byteEnd": 33},
        "features": [{"$type": "app.bsky.richtext.facet#tag", "tag": "x"}],
    }
