"""How far films are: what callers see of it, and for how long."""

from google.protobuf.json_format import MessageToJson
from mediaapi.v1 import events_pb2, media_pb2

from services.ingest.app import following
from services.ingest.app.following import FORGOTTEN_AFTER_S, Following
from services.ingest.app.rendering import Word
from services.ingest.ports import Receipt, Ref
from services.ingest.view import message
from tests.unit.ingest.fakes import Clock
from tests.unit.ingest.world import Never, World

REF = Ref("ws_1", "med_1")


def test_it_never_goes_back_and_is_each_items_own() -> None:
    it = Following(Never(), now=Clock())
    it.heard(REF, {"display": 40, "x.video": 10})
    it.heard(REF, {"display": 3})
    it.heard(REF, {"x.video": 12})
    assert it.of(REF) == {"display": 40, "x.video": 12}
    assert it.of(Ref("ws_2", "med_1")) == {}


def test_silence_means_that_nobody_makes_it() -> None:
    clock = Clock()
    it = Following(Never(), now=clock)
    it.heard(REF, {"display": 40})
    clock.advance(FORGOTTEN_AFTER_S)
    assert it.of(REF) == {}
    it.heard(REF, {"display": 3})
    assert it.of(REF) == {"display": 3}


def test_only_so_many_are_kept() -> None:
    it = Following(Never(), now=Clock())
    for n in range(following.MOST_ITEMS + 1):
        it.heard(Ref("ws_1", f"med_{n}"), {"display": 1})
    assert it.of(Ref("ws_1", "med_0")) == {}
    assert it.of(Ref("ws_1", "med_1")) == {"display": 1}


async def test_it_shows_with_what_is_under_way_and_with_nothing_else() -> None:
    world = World()
    ref = await world.promoted()
    statuses = {
        "display": media_pb2.VARIANT_STATUS_PENDING,
        "x.video": media_pb2.VARIANT_STATUS_PROCESSING,
        "cover": media_pb2.VARIANT_STATUS_READY,
        "bluesky.video": media_pb2.VARIANT_STATUS_REJECTED,
        "instagram.reel": media_pb2.VARIANT_STATUS_PENDING,
    }
    variants = [media_pb2.Variant(preset=one, status=status) for one, status in statuses.items()]
    view = MessageToJson(events_pb2.MediaRendered(variants=variants), preserving_proto_field_name=True)
    await world.rendering.rendered(ref, Word(version=1, view=view, settled=False), Receipt("c", "evt_1"))
    world.reading.following.heard(ref, dict.fromkeys(statuses, 7) | {"instagram.reel": 0} | {"gone": 9})
    media, percent = await anext(world.reading.changes(ref))
    shown = message(media, percent).variants
    seen = {one.preset: (one.status, one.progress if one.HasField("progress") else None) for one in shown}
    assert seen == {
        "display": (media_pb2.VARIANT_STATUS_PROCESSING, 7),
        "x.video": (media_pb2.VARIANT_STATUS_PROCESSING, 7),
        "cover": (media_pb2.VARIANT_STATUS_READY, None),
        "bluesky.video": (media_pb2.VARIANT_STATUS_REJECTED, None),
        "instagram.reel": (media_pb2.VARIANT_STATUS_PROCESSING, 0),
    }
