"""What a source can become, told from its probe."""

from dataclasses import replace

import pytest

from services.platforms import catalog
from services.platforms.catalog import Limits
from services.transcoder.domain import fitting
from services.transcoder.domain.probe import Probe

PHOTO = Probe(
    kind="image", container="jpeg", codec="jpeg", width=4000, height=3000, coded_width=4000, coded_height=3000,
    size_bytes=5_000_000,
)  # fmt: skip
CLIP = Probe(
    kind="video", container="mov", codec="h264", width=1920, height=1080, coded_width=1920, coded_height=1080,
    size_bytes=30_000_000, frames=900, duration_s=30.0, fps=30.0, pix_fmt="yuv420p", profile="High", has_audio=True,
)  # fmt: skip
GIF = replace(
    PHOTO, container="gif", codec="gif", width=400, height=300, frames=20, animated=True, size_bytes=90_000,
    duration_s=2.0, beat_ms=100,
)  # fmt: skip


def reasons(probe: Probe) -> dict[str, str | None]:
    return {name: fit.reason for name, fit in fitting.fits(catalog.load(), probe).items()}


def test_a_photo_and_a_clip_fit_wherever_such_are_taken() -> None:
    for probe in (PHOTO, CLIP):
        for name, fit in fitting.fits(catalog.load(), probe).items():
            platform = catalog.load()[name]
            taken = platform.image if probe.kind == "image" else platform.video
            assert (fit.ok, fit.reason) == ((True, None) if taken else (False, "kind_unsupported"))
            assert bool(fit.preset) == fit.ok


@pytest.mark.parametrize("platform", sorted(catalog.load()))
def test_every_duration_limit_binds_at_its_second(platform: str) -> None:
    video = catalog.load()[platform].video
    assert video
    longest = video.limits.max_duration_s
    assert longest
    assert reasons(replace(CLIP, duration_s=longest))[platform] is None
    assert reasons(replace(CLIP, duration_s=longest + 1))[platform] == "duration_too_long"
    if shortest := video.limits.min_duration_s:
        assert reasons(replace(CLIP, duration_s=shortest))[platform] is None
        assert reasons(replace(CLIP, duration_s=shortest * 0.8))[platform] == "duration_too_short"


@pytest.mark.parametrize(
    ("platform", "probe"),
    [
        pytest.param(name, probe, id=f"{probe.kind}-{name}")
        for probe in (PHOTO, CLIP)
        for name, platform in catalog.load().items()
        if (platform.image if probe.kind == "image" else platform.video)
    ],
)
def test_every_shape_limit_binds(platform: str, probe: Probe) -> None:
    found = catalog.load()[platform]
    section = found.image if probe.kind == "image" else found.video
    assert section
    if any(preset.params.get("pad") for preset in found.presets if preset.default and preset.of == probe.kind):
        assert reasons(replace(probe, width=3000, height=1000))[platform] is None
        return
    for limit, beyond in ((section.limits.min_aspect, 0.9), (section.limits.max_aspect, 1.1)):
        if limit is not None:
            assert reasons(replace(probe, width=round(1000 * limit), height=1000))[platform] is None
            assert (
                reasons(replace(probe, width=round(1000 * limit * beyond), height=1000))[platform]
                == "aspect_unsupported"
            )


def test_a_bound_on_one_side_is_told_alone() -> None:
    found = fitting.misfit(catalog.presets("video")["youtube.short"], CLIP)
    assert found
    assert (found.reason, found.detail) == ("aspect_unsupported", "width / height is 1.778, not at most 1")


def test_an_animation_stays_one_where_that_is_a_preset_and_within_its_limits() -> None:
    fits = fitting.fits(catalog.load(), GIF)
    assert (fits["x"].preset, fits["bluesky"].preset) == ("x.gif", "bluesky.loop")
    for change in (
        {"frames": 351},
        {"width": 1281, "height": 700},
        {"size_bytes": 15_000_001},
        {"width": 1280, "height": 1000, "frames": 300},
    ):
        assert fitting.fits(catalog.load(), replace(GIF, **change))["x"].preset == "x.loop"  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"animated": False, "frames": 1}, "not_animated"),
        ({"container": "png"}, "format_unsupported"),
        ({"beat_ms": 0, "duration_s": 0.0}, "format_unsupported"),
        # Two seconds are shown twice.
        ({"width": 2000, "height": 1001, "frames": 100}, "too_many_pixels"),
        ({"width": 301, "height": 100}, "aspect_unsupported"),
        ({"duration_s": 60.1}, "duration_too_long"),
    ],
    ids=str,
)
def test_what_makes_no_film_stays_a_still_where_one_is_taken(change: dict[str, object], reason: str) -> None:
    probe = replace(GIF, **change)  # type: ignore[arg-type]
    found = fitting.misfit(catalog.presets("image")["linkedin.loop"], probe)
    assert found
    assert found.reason == reason
    assert fitting.fit(catalog.load()["linkedin"], probe).preset == "linkedin.image"


def test_a_byte_cap_that_leaves_no_picture_is_a_refusal() -> None:
    story = catalog.presets("video")["instagram.story"]
    tight = replace(story, limits=replace(story.limits, max_bytes=3_000_000, max_duration_s=600))
    assert fitting.misfit(tight, replace(CLIP, duration_s=10)) is None
    found = fitting.misfit(tight, replace(CLIP, duration_s=59))
    assert found
    assert found.reason == "too_large_for_platform"


def test_the_other_kind_and_unreadable_colours_are_told() -> None:
    image = catalog.presets("image")["bluesky.image"]
    found = fitting.misfit(image, CLIP)
    assert found
    assert found.reason == "kind_unsupported"
    assert set(reasons(replace(CLIP, hdr="dolby")).values()) == {"hdr_unsupported"}


LIMITS = Limits(
    max_bytes=1000, accept=("image/jpeg",), max_edge_px=500, max_width_px=400, min_aspect=0.5, max_aspect=2.0
)
MADE = replace(PHOTO, width=400, height=300, size_bytes=1000)


@pytest.mark.parametrize(
    ("change", "content_type", "reason"),
    [
        ({}, "image/jpeg", None),
        ({}, "image/png", "format_unsupported"),
        ({"size_bytes": 1001}, "image/jpeg", "too_large_for_platform"),
        ({"height": 501}, "image/jpeg", "dimensions_too_large"),
        ({"width": 401}, "image/jpeg", "dimensions_too_large"),
        ({"height": 190}, "image/jpeg", "aspect_unsupported"),
    ],
)
def test_what_was_made_is_held_against_every_limit(
    change: dict[str, int], content_type: str, reason: str | None
) -> None:
    found = fitting.breach(LIMITS, replace(MADE, **change), content_type)  # type: ignore[arg-type]
    assert (found.reason if found else None) == reason


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({}, None),
        ({"fps": 61.0}, "frame_rate_unsupported"),
        ({"fps": 22.0}, "frame_rate_unsupported"),
        ({"duration_s": 2.0}, "duration_too_short"),
        ({"duration_s": 901.0}, "duration_too_long"),
        ({"size_bytes": 300_000_001}, "too_large_for_platform"),
    ],
)
def test_a_made_film_is_held_against_every_limit(change: dict[str, float], reason: str | None) -> None:
    limits = catalog.presets("video")["instagram.reel"].limits
    found = fitting.breach(limits, replace(CLIP, **change), "video/mp4")  # type: ignore[arg-type]
    assert (found.reason if found else None) == reason
