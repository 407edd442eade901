"""Spec files: what one must say, and what it may not."""

from pathlib import Path

import pytest

from services.platforms import catalog
from services.platforms.shapes import Platform
from services.platforms.specs import CatalogError, read_platform

CITED = 'source = "https://example.com/limits"\nchecked = 2026-11-24\n'
TEXT = f'[text]\nmax_length = 500\nunit = "characters"\n{CITED}'
PRESET = f"""[[preset]]
name = "image"
recipe = "gif_strip"
params = {{}}
limits = {{ max_bytes = 5, accept = ["image/gif"] }}
{CITED}"""
TITLE = f'[[field]]\nname = "options.title"\nmax = 100\nunit = "characters"\n{CITED}'


def read(folder: Path, *sections: str) -> Platform:
    """A platform of these sections."""
    path = folder / "somewhere" / "spec.toml"
    path.parent.mkdir()
    path.write_text('id = "somewhere"\nname = "Somewhere"\naliases = []\n' + "\n".join(sections))
    return read_platform(path)


def test_a_field_has_a_limit_in_each_unit(tmp_path: Path) -> None:
    mentions = TITLE.replace("characters", "mentions").replace("100", "3") + 'of = "image"\n'
    platform = read(tmp_path, TEXT, TITLE, mentions, PRESET)
    assert platform.most("options.title") == 100
    assert platform.most("options.title", "mentions") == 3
    assert [one.of for one in platform.fields] == [None, "image"]
    with pytest.raises(KeyError, match=r"somewhere: options\.link in characters"):
        platform.most("options.link")


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ((TEXT, TITLE, TITLE, PRESET), "two limits in one unit"),
        ((TEXT, TITLE.replace("characters", "words"), PRESET), "unit must be one of"),
        ((TEXT, TITLE.replace("max = 100\n", ""), PRESET), "max is missing"),
        ((TEXT, TITLE.replace("100", "-1"), PRESET), "max must be a whole number"),
        ((TEXT, TITLE + 'of = "text"\n', PRESET), "of must be image or video"),
        ((TEXT, TITLE + "min = 1\n", PRESET), "unknown min"),
        ((TEXT, TITLE.replace(CITED, ""), PRESET), "source is missing"),
        ((TEXT, TITLE.replace("2026-11-24", '"lately"'), PRESET), "checked must be a date"),
        ((TEXT.replace("characters", "words"), PRESET), "unit must be one of"),
        ((TEXT, PRESET, PRESET), "used twice"),
        ((TEXT, PRESET.replace("max_bytes = 5, ", "")), "max_bytes and accept must be said"),
        ((TEXT, PRESET.replace("gif_strip", "magic")), "no recipe 'magic'"),
        ((TEXT,), "preset is missing"),
    ],
)
def test_what_a_spec_file_may_not_say(tmp_path: Path, sections: tuple[str, ...], message: str) -> None:
    with pytest.raises(CatalogError, match=message):
        read(tmp_path, *sections)


@pytest.mark.parametrize("platform", catalog.load().values(), ids=lambda it: it.id)
def test_the_sources_of_a_platform_are_all_there(platform: Platform) -> None:
    sections = [part.cited for part in (platform.image, platform.video) if part]
    rows = [*(preset.cited for preset in platform.presets), *(field.cited for field in platform.fields)]
    assert {it.source for it in (platform.text.cited, *sections, *rows)} <= set(platform.sources)
