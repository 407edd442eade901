"""What others see of an item."""

import re
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from mediaapi.v1 import events_pb2, media_pb2

from services.platforms import catalog
from services.platforms.catalog import Kind
from services.transcoder.assembly import _token
from services.transcoder.domain.item import Item, Source, Variant, promoted
from services.transcoder.domain.work import How, Status
from services.transcoder.events import MEDIA_ID
from services.transcoder.view import View
from tests.unit.transcoder.stage.world import World

ENVOY = Path(__file__).parents[4] / "deploy/k8s/envoy/envoy.yaml"
VIEW = View("https://media.example/cdn/")


def item(kind: Kind = "image") -> Item:
    return promoted(
        workspace_id="ws_1",
        media_id="med_00000000000000000000000001",
        kind=kind,
        content_type="image/jpeg",
        source=Source("sources/med_00000000000000000000000001/o", "e", 1, "s"),
        token=_token(),
        request_id="req_1",
    )


def said(of: Item) -> events_pb2.MediaRendered:
    return VIEW.rendered(of).media_rendered


def test_every_url_has_the_shape_the_edge_serves_and_the_bucket_knows() -> None:
    shape = re.search(r'safe_regex: \{regex: "(/cdn/[^"]+)"\}', ENVOY.read_text())
    assert shape is not None
    kinds: tuple[Kind, ...] = ("image", "video")
    for kind in kinds:
        for preset in catalog.presets(kind).values():
            for content_type in preset.limits.accept:
                one = item(kind)
                key = one.key_for(preset.id, preset.digest, content_type)
                ready = Variant(
                    preset=preset.id, preset_digest="", eager=True, status=Status.READY, key=key, how=How.ENCODE
                )
                path = urlsplit(VIEW.variant(one, ready).url).path
                assert re.fullmatch(shape[1], path)
                assert path == f"/{key}"
                assert MEDIA_ID.fullmatch(key.split("/")[1])


def test_a_token_cannot_be_guessed() -> None:
    tokens = {_token() for _ in range(1000)}
    assert len(tokens) == 1000
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{22}", token) for token in tokens)  # 16 bytes in base64


def test_what_waits_is_pending_and_what_is_worked_at_processing() -> None:
    assert {one.status for one in said(item()).variants} == {media_pb2.VARIANT_STATUS_PENDING}
    assert {one.status for one in said(replace(item(), held=True)).variants} == {media_pb2.VARIANT_STATUS_PROCESSING}


def test_nothing_is_said_of_what_is_not_known_yet() -> None:
    first = said(item("video"))
    assert not first.settled
    for name in ("width", "height", "duration_seconds", "has_audio", "url", "poster_url", "thumbhash", "error"):
        assert not first.HasField(name), name


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("media_corrupt", "The file is damaged."),
        ("processing_failed", "The file could not be processed."),
        ("a_code_of_tomorrow", "The file could not be processed."),
    ],
)
def test_a_fault_comes_with_its_sentence(code: str, sentence: str) -> None:
    told = said(replace(item(), fault=code))
    assert told.settled
    assert (told.error.code, told.error.message) == (code, sentence)


async def test_the_whole_view_of_a_video(world: World) -> None:
    world.engine.reject = {"x.video": "duration_too_long"}
    world.engine.misfit = {"x": "duration_too_long"}
    ref = await world.rendered("video")
    event = VIEW.rendered(world.item(ref))
    told = event.media_rendered
    assert (event.workspace_id, event.subject_id, event.request_id, event.version) == (
        ref.workspace_id,
        ref.media_id,
        "req_1",
        2,
    )
    assert (told.settled, told.width, told.height, told.duration_seconds, told.has_audio) == (True, 640, 480, 2.0, True)
    made = {one.preset: one for one in told.variants}
    assert list(made) == [preset.id for preset in catalog.presets("video").values() if preset.eager]
    assert (told.url, told.poster_url) == (made["display"].url, made["cover"].url)
    assert (list(made["display"].platforms), list(made["pinterest.cover"].platforms)) == ([], ["pinterest"])
    assert made["cover"].content_type == "image/jpeg"
    assert not made["cover"].HasField("duration_seconds")
    refused = made["x.video"]
    assert (refused.status, refused.reason) == (media_pb2.VARIANT_STATUS_REJECTED, "duration_too_long")
    assert not refused.HasField("url")
    assert not refused.how
    assert (told.fit["x"].ok, told.fit["x"].reason, told.fit["bluesky"].preset) == (
        False,
        "duration_too_long",
        "bluesky.video",
    )


def test_presets_the_catalog_no_longer_knows_are_listed_last() -> None:
    old = Variant(preset="a.gone", preset_digest="", eager=False, status=Status.REJECTED, reason="kind_unsupported")
    listed = said(replace(item(), variants={"a.gone": old, **item().variants}))
    assert listed.variants[-1].preset == "a.gone"
    assert list(listed.variants[-1].platforms) == []


async def test_an_images_view_has_no_word_on_sound_or_time(world: World) -> None:
    ref = await world.rendered()
    told = said(world.item(ref))
    assert not told.HasField("has_audio")
    assert not told.HasField("duration_seconds")
    assert told.fit["x"] == media_pb2.Fit(ok=True, preset="x.image")
