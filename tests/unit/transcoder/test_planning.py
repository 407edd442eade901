"""The cheapest way that holds, and what is the same work."""

from dataclasses import replace
from fractions import Fraction

import pytest

from services.platforms import catalog
from services.transcoder.domain.films import Copied, Mp4, frame_rate
from services.transcoder.domain.planning import Cover, Jpeg, Loop, Plan, Stripped, plan, with_stripped, without_copies
from services.transcoder.domain.probe import Probe
from services.transcoder.domain.sizes import box
from services.transcoder.domain.work import How
from tests.unit.transcoder.test_fitting import CLIP, GIF, PHOTO

PLAIN = replace(PHOTO, width=900, height=700, coded_width=900, coded_height=700, size_bytes=100_000, has_extras=False)
COMPLIANT = replace(
    CLIP, width=1280, height=720, coded_width=1280, coded_height=720, max_key_gap_s=2.0, bit_rate=3_000_000,
    peak_bit_rate=4_000_000, level=31, audio_codec="aac", audio_profile="LC", audio_channels=2, audio_rate=48_000,
)  # fmt: skip


def plans(probe: Probe) -> dict[str, Plan]:
    kind = "image" if probe.kind == "image" else "video"
    return {one.preset.id: one for one in plan(catalog.presets(kind).values(), probe)}


def test_a_photo_is_encoded_once_per_size() -> None:
    made = plans(PHOTO)
    assert made["x.image"].recipe == made["pinterest.image"].recipe == Jpeg(2048, 1536, (88, 40))
    assert made["threads.image"].recipe == made["instagram.feed"].recipe == Jpeg(1440, 1080, (88, 40))
    assert {one.how for one in made.values() if one.recipe} == {How.ENCODE}


def test_a_compliant_picture_is_taken_as_it_is_or_stripped_but_never_shown_so() -> None:
    assert plans(PLAIN)["bluesky.image"].how is How.AS_IS
    assert plans(replace(PLAIN, has_extras=True))["bluesky.image"].how is How.STRIP
    assert plans(PLAIN)["display"].how is How.ENCODE


def test_a_stripped_picture_that_fits_no_longer_or_cannot_be_made_is_encoded() -> None:
    presets = catalog.presets("image")
    source = replace(PLAIN, has_extras=True)
    planned = plan([presets["bluesky.image"], presets["x.image"]], source)
    kept = [Plan(one.preset, How.STRIP, Stripped()) for one in planned]
    assert planned == kept
    assert with_stripped(planned, source, 999_424) == kept
    assert [one.how for one in with_stripped(planned, source, 999_425)] == [How.ENCODE, How.STRIP]
    again = with_stripped(planned, source, None)
    assert [one.recipe for one in again] == [Jpeg(900, 700, (88, 40))] * 2
    animation = plan([presets["x.gif"]], GIF)
    assert with_stripped(animation, GIF, None) == animation


@pytest.mark.parametrize(
    "change",
    [
        {"orientation": 6}, {"standard_color": False}, {"has_alpha": True}, {"animated": True, "frames": 2},
        {"width": 2001}, {"size_bytes": 999_425}, {"container": "webp"}, {"container": "heif"},
    ],
    ids=str,
)  # fmt: skip
def test_whatever_is_not_compliant_is_encoded(change: dict[str, object]) -> None:
    assert plans(replace(PLAIN, **change))["bluesky.image"].how is How.ENCODE  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [(3000, 4000), (3024, 4032), (4000, 1000), (1001, 3001), (700, 900)])
def test_a_shape_instagram_does_not_take_is_given_bars(size: tuple[int, int]) -> None:
    preset = catalog.presets("image")["instagram.feed"]
    made = plans(replace(PLAIN, width=size[0], height=size[1]))["instagram.feed"]
    assert made.how is How.ENCODE
    recipe = made.recipe
    assert isinstance(recipe, Jpeg)
    assert abs(recipe.width / recipe.height - size[0] / size[1]) < 0.01
    for one in (recipe, recipe.smaller(0.8)):
        width, height = one.size
        assert 0.8 <= width / height <= 1.91
        assert width <= (preset.limits.max_width_px or 0)
        assert width >= one.width
        assert height >= one.height
        assert (width, height).count(one.width) + (width, height).count(one.height) >= 1
    assert plans(replace(PLAIN, width=800, height=1000))["instagram.feed"].how is How.AS_IS


def test_an_animation_is_stripped_where_it_may_move() -> None:
    assert plans(GIF)["x.gif"].how is How.STRIP
    assert plans(replace(GIF, has_extras=False))["x.gif"].how is How.AS_IS


def test_an_animation_is_shown_as_often_as_the_shortest_film_is_long() -> None:
    made = {name: one.recipe for name, one in plans(GIF).items() if isinstance(one.recipe, Loop)}
    film = Mp4(400, 300, Fraction(30), 18, 2500, 0)
    assert made["bluesky.loop"] == made["x.loop"] == Loop(film, 1)
    assert made["instagram.loop"] == made["pinterest.loop"] == Loop(film, 2)


@pytest.mark.parametrize(
    ("beat_ms", "fps"),
    [
        (100, 30), (50, 40), (40, 25), (20, 50), (1000, 24), (500, 24), (250, 24), (70, Fraction(200, 7)),
        (30, Fraction(100, 3)), (10, 50), (17, Fraction(1000, 17)), (13, 50), (1, 50),
    ],
)  # fmt: skip
def test_every_frame_of_an_animation_stands_as_long_as_it_should(beat_ms: int, fps: Fraction | int) -> None:
    recipe = plans(replace(GIF, beat_ms=beat_ms))["bluesky.loop"].recipe
    assert isinstance(recipe, Loop)
    assert recipe.film.fps == fps
    assert 24 <= fps <= 60
    assert fps == 50 or (beat_ms * fps) % 1000 == 0


def test_a_full_hd_clip_is_encoded_twice_for_every_platform() -> None:
    made = plans(CLIP)
    films = [one.recipe for one in made.values() if isinstance(one.recipe, Mp4)]
    assert len(films) > len(catalog.load())
    assert set(films) == {
        Mp4(1920, 1080, Fraction(30), 21, 8000, 128),
        Mp4(1280, 720, Fraction(30), 21, 5000, 128),
    }


@pytest.mark.parametrize(
    ("size", "kbps"),
    [((1280, 720), 5000), ((720, 1280), 5000), ((854, 480), 2500), ((480, 480), 2500), ((64, 64), 2500)],
)
def test_a_small_clip_is_encoded_once_whatever_the_boxes(size: tuple[int, int], kbps: int) -> None:
    made = plans(replace(CLIP, width=size[0], height=size[1], duration_s=20.0))
    films = {one.recipe for one in made.values() if isinstance(one.recipe, Mp4)}
    assert films == {Mp4(*size, Fraction(30), 21, kbps, 128)}


@pytest.mark.parametrize("size", [(1920, 1080), (1080, 1920), (3840, 2160), (600, 600), (320, 180)])
def test_covers_made_before_anybody_asks_are_one_picture_for_all_platforms(size: tuple[int, int]) -> None:
    width, height = size
    made = plans(replace(CLIP, width=width, height=height, coded_width=width, coded_height=height))
    covers = [
        one for one in made.values() if isinstance(one.recipe, Cover) and one.preset.eager and one.preset.platform
    ]
    assert {one.preset.platform for one in covers} >= {"instagram", "mastodon", "pinterest"}
    assert len({one.recipe for one in covers}) == 1


def test_a_rate_only_one_platform_refuses_is_changed_for_that_one() -> None:
    made = plans(replace(CLIP, width=1080, height=1920, fps=24000 / 1001))
    rates = {name: one.recipe.fps for name, one in made.items() if isinstance(one.recipe, Mp4)}
    assert rates.pop("facebook.reel") == 24
    assert set(rates.values()) == {Fraction(24000, 1001)}


def test_compliant_streams_are_copied_to_every_platform() -> None:
    made = plans(COMPLIANT)
    assert {one.how for one in made.values() if one.recipe and one.preset.makes == "video"} == {How.REMUX}
    again = without_copies(made.values(), COMPLIANT)
    assert not any(isinstance(one.recipe, Copied) for one in again)
    assert {one.how for one in again if one.recipe} == {How.ENCODE}


@pytest.mark.parametrize(
    "change",
    [
        {"trimmed": True}, {"rotation": 90}, {"interlaced": True}, {"square": False}, {"hdr": "hlg"},
        {"constant_rate": False}, {"fps": 15.0}, {"fps": 120.0}, {"max_key_gap_s": 8.0}, {"peak_bit_rate": 26_000_000},
        {"closed_groups": False}, {"level": 50},
        {"codec": "hevc"}, {"pix_fmt": "yuv420p10le"}, {"profile": "High 10"}, {"standard_color": False},
        {"audio_codec": "opus"}, {"audio_profile": "HE-AAC"}, {"audio_channels": 6}, {"audio_rate": 96_000},
    ],
    ids=str,
)  # fmt: skip
def test_what_some_platform_refuses_is_not_copied(change: dict[str, object]) -> None:
    assert plans(replace(COMPLIANT, **change))["bluesky.video"].how is How.ENCODE  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fps", "preset", "duration_s", "height"),
    [
        (30.0, "bluesky.video", 200, 1080), (30.0, "bluesky.video", 590, 1080), (30.0, "instagram.reel", 880, 720),
        (60.0, "bluesky.video", 590, 720), (30.0, "mastodon.video", 300, 720), (30.0, "mastodon.video", 590, 720),
        (60.0, "mastodon.video", 590, 480),
    ],
)  # fmt: skip
def test_a_long_film_gets_as_many_bits_as_its_cap_allows_and_is_as_large_as_those_suffice_for(
    fps: float, preset: str, duration_s: float, height: int
) -> None:
    recipe = plans(replace(CLIP, duration_s=duration_s, fps=fps))[preset].recipe
    assert isinstance(recipe, Mp4)
    assert recipe.height == height
    cap = catalog.presets("video")[preset].limits.max_bytes
    assert 0.5 * cap < (recipe.max_kbps + recipe.audio_kbps) * 1000 / 8 * duration_s <= cap


@pytest.mark.parametrize(
    ("fps", "even", "wanted"),
    [
        (30.0, True, Fraction(30)), (29.97, True, Fraction(30000, 1001)), (25.0, True, Fraction(25)),
        (23.976, True, Fraction(24000, 1001)), (15.0, True, Fraction(24)), (120.0, True, Fraction(60)),
        (240.0, True, Fraction(60)), (90.0, True, Fraction(45)), (27.3, False, Fraction(30000, 1001)),
        (30.1, False, Fraction(30)), (59.2, False, Fraction(60000, 1001)),
    ],
)  # fmt: skip
def test_frame_rates_are_what_platforms_take(fps: float, even: bool, wanted: Fraction) -> None:
    preset = catalog.presets("video")["display"]
    assert frame_rate(preset, replace(CLIP, fps=fps, constant_rate=even)) == wanted


@pytest.mark.parametrize(
    ("size", "most", "step", "wanted"),
    [
        ((4000, 3000), (2048, 2048), 1, (2048, 1536)), ((100, 50), (2048, 2048), 1, (100, 50)),
        ((1, 4000), (1000, 1000), 1, (1, 1000)), ((1081, 1921), (1080, 1920), 2, (1080, 1920)),
        ((641, 361), (1920, 1080), 2, (642, 362)), ((1, 1), (10, 10), 2, (2, 2)),
    ],
)  # fmt: skip
def test_boxes(size: tuple[int, int], most: tuple[int, int], step: int, wanted: tuple[int, int]) -> None:
    assert box(*size, *most, step=step) == wanted
