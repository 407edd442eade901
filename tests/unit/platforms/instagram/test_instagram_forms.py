"""Posts as the containers Instagram makes of them."""

from dataclasses import replace

import pytest

from services.platforms import catalog
from services.platforms.instagram.forms import wanted
from services.platforms.instagram.publish import PUBLISHER
from services.platforms.ports import JSON, Asset, ChoosesPresets
from tests.unit.platforms.drafts import asset, draft

PHOTO = replace(asset(alt_text="described"), url="https://cdn/photo.jpg")
FILM = replace(asset("video/mp4"), url="https://cdn/film.mp4")
COVER = replace(asset(), url="https://cdn/cover.jpg")


def test_a_photo() -> None:
    found = wanted(replace(draft("words"), assets=(PHOTO,)))
    assert found.root == {"image_url": PHOTO.url, "alt_text": "described", "caption": "words"}
    assert (found.children, found.slow) == ((), False)


def test_a_carousel_says_its_words_once() -> None:
    found = wanted(replace(draft("words"), assets=(PHOTO, FILM)))
    assert found.root == {"media_type": "CAROUSEL", "caption": "words"}
    assert list(found.children) == [
        {"image_url": PHOTO.url, "alt_text": "described", "is_carousel_item": "true"},
        {"video_url": FILM.url, "media_type": "VIDEO", "is_carousel_item": "true"},
    ]
    assert found.slow


@pytest.mark.parametrize(
    ("options", "more"),
    [
        ({}, {"cover_url": COVER.url}),
        ({"mediaType": "feed", "shareToFeed": True}, {"cover_url": COVER.url, "share_to_feed": "true"}),
        ({"thumbOffset": 0, "shareToFeed": False}, {"thumb_offset": "0", "share_to_feed": "false"}),
    ],
)
def test_a_lone_video_is_a_reel(options: dict[str, JSON], more: dict[str, str]) -> None:
    found = wanted(replace(draft("", options=options), assets=(FILM,), cover=COVER))
    assert found.root == {"video_url": FILM.url, "media_type": "REELS", **more}


@pytest.mark.parametrize(("medium", "field"), [(PHOTO, "image_url"), (FILM, "video_url")])
def test_a_story_is_its_file_alone(medium: Asset, field: str) -> None:
    story = replace(draft("", options={"mediaType": "story"}), assets=(medium,), cover=COVER)
    assert wanted(story).root == {field: medium.url, "media_type": "STORIES"}


def test_a_story_takes_renditions_of_its_own() -> None:
    assert isinstance(PUBLISHER, ChoosesPresets)
    assert (PUBLISHER.preset({}), PUBLISHER.preset({"mediaType": "feed"})) == ("", "")
    chosen = PUBLISHER.preset({"mediaType": "story"})
    assert chosen in catalog.presets("image")
    assert chosen in catalog.presets("video")
