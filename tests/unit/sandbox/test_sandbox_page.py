"""The page that shows what was published."""

from services.platforms.ports import JSON
from services.sandbox.page import Received, linked, page

SHA = "ab" * 32
DOC: dict[str, JSON] = {
    "account": "@one",
    "text": "look: https://example.com/a?b=1&c=2.",
    "createdAt": "2026-11-25T09:31:00.000Z",
    "media": [
        {
            "sha256": SHA,
            "sizeBytes": 12_345,
            "altText": "two chairs",
            "contentType": "image/png",
            "width": 4,
            "height": 3,
        }
    ],
}


def test_a_post_is_shown_with_its_picture_and_links() -> None:
    shown = page([Received.of("place", "Place", DOC)], ["Place"])
    assert f'<img src="place/_sandbox/files/{SHA}" alt="two chairs"' in shown
    assert 'href="https://example.com/a?b=1&amp;c=2"' in shown
    assert "2026-11-25 09:31:00 UTC" in shown
    assert "@one" in shown


def test_nothing_received_becomes_markup() -> None:
    evil = '"><script>alert(1)</script>'
    doc: dict[str, JSON] = {
        "account": evil, "text": evil, "title": evil, "link": f"javascript:{evil}", "createdAt": evil,
        "media": [{"url": f"javascript:{evil}", "altText": evil}, {"url": f"https://example.com/{evil}"}],
    }  # fmt: skip
    shown = page([Received.of("place", "Place", doc)], [evil])
    assert "<script" not in shown
    assert 'href="javascript' not in shown


def test_a_picture_told_by_url_is_linked_and_not_loaded() -> None:
    doc: dict[str, JSON] = {"media": [{"url": "https://example.com/1.png"}]}
    shown = page([Received.of("place", "Place", doc)], [])
    assert 'href="https://example.com/1.png"' in shown
    assert "<img" not in shown


def test_a_video_plays() -> None:
    doc: dict[str, JSON] = {"media": [{"sha256": SHA, "contentType": "video/mp4", "durationSeconds": 2.5}]}
    shown = page([Received.of("place", "Place", doc)], [])
    assert f'<video src="place/_sandbox/files/{SHA}"' in shown
    assert "2.5 s" in shown


def test_an_empty_page_says_what_to_do() -> None:
    assert "No posts yet" in page([], [])


def test_text_around_links_is_escaped() -> None:
    assert linked("<b> https://a.example <i>") == (
        '&lt;b&gt; <a href="https://a.example" rel="noopener noreferrer nofollow">https://a.example</a> &lt;i&gt;'
    )
