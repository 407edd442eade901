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
        "replyTo": evil, "details": {evil: evil}, "cover": {"url": f"javascript:{evil}"},
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


def test_a_film_shows_its_cover_before_it_plays_and_beside_it() -> None:
    other = "cd" * 32
    film: JSON = {"sha256": SHA, "contentType": "video/mp4", "durationSeconds": 2.5}
    doc: dict[str, JSON] = {"media": [film], "cover": {"sha256": other, "contentType": "image/jpeg"}}
    shown = page([Received.of("place", "Place", doc)], [])
    assert f'poster="place/_sandbox/files/{other}"' in shown
    assert f'<img src="place/_sandbox/files/{other}"' in shown
    told = page([Received.of("place", "Place", {"media": [film], "cover": {"second": 2}})], [])
    assert "the picture at 2 s" in told
    assert "poster" not in told


def test_several_media_are_counted_and_each_has_its_alt_text() -> None:
    pictures: list[JSON] = [{"sha256": SHA, "contentType": "image/png", "altText": alt} for alt in ("one", None)]
    shown = page([Received.of("place", "Place", {"media": pictures})], [])
    assert shown.index("1 of 2</b> one") < shown.index("2 of 2</b> <i>no alt text</i>")


def test_what_was_chosen_for_a_post_is_shown_and_what_was_not_is_left_out() -> None:
    doc: dict[str, JSON] = {
        "replyTo": "at://one/2", "details": {"board": "Chairs", "tags": ["red", "blue"], "visibility": None},
    }  # fmt: skip
    shown = page([Received.of("place", "Place", doc)], [])
    assert "In reply to <code>at://one/2</code>" in shown
    assert "<dt>board</dt><dd>Chairs</dd>" in shown
    assert "<dd>red, blue</dd>" in shown
    assert "visibility" not in shown
    assert 'class="media' not in shown


def test_an_empty_page_says_what_to_do() -> None:
    assert "No posts yet" in page([], [])


def test_text_around_links_is_escaped() -> None:
    assert linked("<b> https://a.example <i>") == (
        '&lt;b&gt; <a href="https://a.example" rel="noopener noreferrer nofollow">https://a.example</a> &lt;i&gt;'
    )
