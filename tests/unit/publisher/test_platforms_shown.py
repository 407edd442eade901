"""The catalogue over the API: every platform, every number, and none that is not known."""

from google.protobuf.json_format import MessageToDict

from services.platforms import catalog
from services.publisher import platform_view

SHOWN = {one.id: one for one in platform_view.platforms({"bluesky"})}


def test_every_platform_is_shown_with_all_its_presets() -> None:
    assert list(SHOWN) == sorted(catalog.load())
    for name, platform in catalog.load().items():
        assert [(one.id, one.of, one.makes) for one in SHOWN[name].presets] == [
            (one.id, one.of, one.makes) for one in platform.presets
        ]
        assert [(one.field, one.max, one.unit, one.of or None) for one in SHOWN[name].fields] == [
            (one.field, one.max, one.unit, one.of) for one in platform.fields
        ]
        assert SHOWN[name].HasField("image") == (platform.image is not None)
        assert SHOWN[name].HasField("video") == (platform.video is not None)


def test_where_posts_can_be_sent_is_told_apart() -> None:
    assert [name for name, one in SHOWN.items() if one.publishes] == ["bluesky"]


def test_a_limit_nobody_knows_is_absent_and_not_zero() -> None:
    limits = MessageToDict(SHOWN["bluesky"].image.limits)
    assert limits == {
        "maxBytes": "999424",
        "maxEdgePx": 4000,
        "contentTypes": ["image/jpeg", "image/png", "image/webp"],
    }


def test_what_a_field_may_hold_is_told_with_what_is_counted_and_where() -> None:
    title = MessageToDict(SHOWN["tiktok"].fields[1])
    assert title.pop("cited")["checked"] == "2026-10-08"
    assert title == {"field": "options.title", "max": "90", "unit": "utf16", "of": "image"}
    assert "of" not in MessageToDict(SHOWN["pinterest"].fields[0])


def test_every_number_says_where_it_is_from() -> None:
    for one in SHOWN.values():
        sections = [part.cited for part in (one.image, one.video) if part.max_count]
        rows = [*(preset.cited for preset in one.presets), *(field.cited for field in one.fields)]
        for cited in (one.text.cited, *sections, *rows):
            assert cited.source.startswith("https://")
            assert len(cited.checked) == len("2026-11-24")
