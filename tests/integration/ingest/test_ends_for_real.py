"""The end of an item's time on the real database: told once before, and once after."""

from dataclasses import replace

import pytest
from mediaapi.v1 import events_pb2

from deploy.local.s3 import ACTIVE
from services.ingest.domain.media import State
from services.ingest.ports import Ref
from tests import media
from tests.integration.ingest.conftest import CALLER, Stage, assert_unknown


def told(stage: Stage, ref: Ref) -> list[str | None]:
    """What was committed to be told of an item's end."""
    rows = stage.sql("SELECT body FROM ingest.outbox ORDER BY n")
    heard = [events_pb2.Event.FromString(bytes(body)) for (body,) in rows]  # type: ignore[call-overload]
    kinds = [
        (event.WhichOneof("payload"), event.media_deleted.expired)
        for event in heard
        if event.subject_id == ref.media_id
    ]
    return [
        f"{kind}{' expired' if expired else ''}"
        for kind, expired in kinds
        if kind in ("media_expiring", "media_deleted")
    ]


async def ready(stage: Stage) -> Ref:
    """An item whose time has come almost."""
    ref = await stage.upload(media.jpeg(64, 64))
    stage.sql(
        "UPDATE ingest.media SET state = 'ready', expires_at = now() + interval '8 days' WHERE id = %s", ref.media_id
    )
    return ref


async def test_it_is_told_a_week_before_and_when_it_comes_each_once(stage: Stage) -> None:
    ref = await ready(stage)
    for days, wanted in ((8, []), (7, ["media_expiring"]), (1, ["media_expiring"])):
        stage.sql(
            "UPDATE ingest.media SET expires_at = now() + make_interval(days => %s) WHERE id = %s", days, ref.media_id
        )
        for _ in range(2):
            await stage.ingest.sweeping.expiries()
        assert told(stage, ref) == wanted
    stage.sql("UPDATE ingest.media SET expires_at = now() WHERE id = %s", ref.media_id)
    for _ in range(2):
        await stage.ingest.sweeping.expiries()
        await stage.ingest.sweeping.litter()
    assert told(stage, ref) == ["media_expiring", "media_deleted expired"]


async def a_day_passes(stage: Stage, ref: Ref, days: int) -> None:
    """Everything that is known of the item's time is so much longer ago, and every chore has its turn."""
    stage.sql(
        "UPDATE ingest.media SET created_at = created_at - make_interval(days => %s),"
        " expires_at = expires_at - make_interval(days => %s) WHERE id = %s",
        days, days, ref.media_id,
    )  # fmt: skip
    for _ in range(2):
        await stage.ingest.sweeping.expiries()
        await stage.ingest.sweeping.litter()


@pytest.mark.parametrize(("plan", "days"), [("free", 30), ("pro", 90), ("business", 365)])
async def test_an_item_lasts_as_long_as_its_owners_plan_says(stage: Stage, plan: str, days: int) -> None:
    caller = replace(CALLER, plan=plan)
    ref = await stage.upload(media.jpeg(64, 64), caller=caller)
    await stage.ingest.judging.judge(ref)
    stage.sql("UPDATE ingest.media SET state = 'ready' WHERE id = %s", ref.media_id)
    for to_pass, wanted in ((days - 8, []), (1, ["media_expiring"]), (6, ["media_expiring"])):
        await a_day_passes(stage, ref, to_pass)
        assert told(stage, ref) == wanted
        assert (await stage.media(ref)).state is State.READY
        assert stage.objects(ACTIVE)
    await a_day_passes(stage, ref, 1)
    assert told(stage, ref) == ["media_expiring", "media_deleted expired"]
    assert stage.objects(ACTIVE) == {}
    await assert_unknown(stage.ingest.reading.get(ref))


@pytest.mark.parametrize("state", ["scanning", "processing", "rejected", "failed"])
async def test_nobody_is_warned_of_what_was_never_ready(stage: Stage, state: str) -> None:
    ref = await ready(stage)
    stage.sql(
        "UPDATE ingest.media SET state = %s, expires_at = now() + interval '1 day' WHERE id = %s", state, ref.media_id
    )
    await stage.ingest.sweeping.expiries()
    assert told(stage, ref) == []
