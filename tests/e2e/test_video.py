"""Full HD, for every platform."""

import io

import av
import httpx
import pytest

from services.platforms import catalog
from tests import media
from tests.e2e.client import Client
from tests.e2e.tenants import Tenancy

PRESETS = {"bluesky.video", "x.video", "pinterest.video", "instagram.reel", "threads.video", "cover", "pinterest.cover"}
FILM_S = 10


@pytest.mark.timeout(600)
def test_a_film_in_full_hd_becomes_what_every_platform_takes(client: Client) -> None:
    data = media.film(1920, 1080, seconds=FILM_S, fps=30, audio=True, container="mov")
    assert len(data) <= 100_000_000
    answer = client.upload(data, "clip.mov", kind="video", altText="waves")
    assert answer.status_code == 201, answer.text
    found = client.settled_media(answer.json()["id"], within_s=480)
    assert found["status"] == "ready", found
    assert (found["width"], found["height"], found["hasAudio"]) == (1920, 1080, True)
    assert abs(found["durationSeconds"] - FILM_S) < 0.2
    made = {variant["preset"]: variant for variant in found["variants"]}
    assert set(made) >= PRESETS
    for preset_id in PRESETS:
        variant = made[preset_id]
        assert variant["status"] == "ready", variant
        rendition = httpx.get(variant["url"], timeout=60).content
        assert len(rendition) == variant["sizeBytes"]
        hold_against_limits(rendition, catalog.presets("video")[preset_id])
    assert httpx.get(found["posterUrl"]).headers["content-type"] == "image/jpeg"
    assert httpx.get(found["url"]).headers["content-type"] == "video/mp4"


def hold_against_limits(data: bytes, preset: catalog.Preset) -> None:
    """Probed anew, by this test's own eyes."""
    limits = preset.limits
    assert len(data) <= limits.max_bytes
    with av.open(io.BytesIO(data), "r") as container:
        (video,) = container.streams.video
        width, height = video.codec_context.width, video.codec_context.height
        assert max(width, height) <= (limits.max_edge_px or max(width, height))
        assert width <= (limits.max_width_px or width)
        if preset.makes == "image":
            return
        duration_s = float(container.duration or 0) / av.time_base
        frames = sum(1 for _ in container.decode(video))
        assert video.codec_context.name == "h264"
        assert (limits.min_duration_s or 0) <= duration_s <= (limits.max_duration_s or duration_s)
        assert (limits.min_fps or 0) - 0.01 <= frames / duration_s <= (limits.max_fps or 1000) + 0.2
        aspect = width / height
        assert (limits.min_aspect or 0) <= aspect <= (limits.max_aspect or 1000)


@pytest.mark.timeout(300)
def test_a_clip_is_published_with_the_right_variant_and_pinterests_cover(tenancy: Tenancy) -> None:
    client = tenancy.client
    found = client.stored(
        media.film(1280, 720, seconds=5, fps=30, audio=True, container="mov"), "clip.mov", altText="waves"
    )
    post = client.settled_post(client.create_post("a clip", [found["id"]], tenancy.targets).json()["id"], within_s=120)
    assert post["status"] == "published", post
    variants = {target["platform"]: target["variant"] for target in post["targets"]}
    assert variants == {"bluesky": "bluesky.video", "x": "x.video", "pinterest": "pinterest.video"}
