"""V6: events that no stage meant, put into the running service with the credentials of its own stages."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress

import httpx
import nats
from mediaapi.v1 import events_pb2, media_pb2, post_pb2
from nats.js.errors import NotFoundError

from deploy.local.stack import Stack
from services.common import events, ids
from tests import media
from tests.e2e.client import Client, Json
from tests.e2e.tenants import Tenancy

WITHIN_S = 60.0
GARBAGE = {
    "ingest": ("media_promoted", "transcoder_media"),
    "transcoder": ("media_rendered", "ingest_rendered"),
    "publisher": ("post_queued", "publisher_queue"),
}


def forged(payload: events.Payload, workspace_id: str, subject_id: str, version: int = 1 << 40) -> events_pb2.Event:
    return events.event(payload, workspace_id=workspace_id, subject_id=subject_id, version=version)


def forgeries(workspace_id: str, media_id: str, version: int) -> Mapping[str, list[events_pb2.Event]]:
    """By the stage whose event it is."""
    promoted = events_pb2.MediaPromoted(
        kind=media_pb2.MEDIA_KIND_IMAGE,
        content_type="image/jpeg",
        key=f"sources/{ids.new('med')}/another",
        etag="0" * 32,
        size_bytes=1,
        sha256="0" * 64,
    )
    fault = media_pb2.MediaError(code="media_corrupt", message="forged")
    rendered = events_pb2.MediaRendered(settled=True, error=fault, url="https://forged.example/")
    about = (workspace_id, media_id, version)
    return {
        "ingest": [
            forged(events_pb2.MediaSealed(), *about),
            forged(events_pb2.MediaSettled(status=media_pb2.MEDIA_STATUS_REJECTED), *about),
            forged(promoted, *about),
        ],
        "transcoder": [forged(rendered, *about), forged(events_pb2.VariantWanted(preset="none"), *about)],
        "publisher": [
            forged(events_pb2.PostQueued(target_index=9), workspace_id, ids.new("pst"), version),
            forged(
                events_pb2.PostSettled(status=post_pb2.POST_STATUS_PUBLISHED), workspace_id, ids.new("pst"), version
            ),
        ],
    }


async def tell(stack: Stack, stage: str, told: list[tuple[str, bytes]]) -> int:
    """Says it all with that stage's credentials. Returns how much the server refused."""
    refused: list[Exception] = []

    async def note(exc: Exception) -> None:
        refused.append(exc)

    client = await nats.connect(stack.nats.url(stage), error_cb=note)
    for subject, body in told:
        await client.publish(subject, body)
    for _ in range(2):  # The first ping may overtake what is still to be sent.
        await client.flush()
    await client.close()
    return len(refused)


async def nothing_waits(stack: Stack) -> None:
    """Every consumer has handled, or laid out, whatever was said."""
    async with asyncio.timeout(WITHIN_S), events.connect(stack.nats.url()) as bus:
        while any(  # noqa: ASYNC110  what is waited for is elsewhere
            it.num_pending or it.num_ack_pending for it in await bus.jetstream.consumers_info(events.STREAM)
        ):
            await asyncio.sleep(0.2)


async def laid_out(stack: Stack, consumer: str, body: bytes) -> None:
    """It is, or soon becomes, the last of that consumer's dead letters: what was said may still be on its way."""
    async with asyncio.timeout(WITHIN_S), events.connect(stack.nats.url()) as bus:
        while True:
            with suppress(NotFoundError):
                if (await bus.jetstream.get_last_msg(events.DEAD, f"{events.DEAD_ROOT}.{consumer}")).data == body:
                    return
            await asyncio.sleep(0.2)


def wire(event: events_pb2.Event) -> tuple[str, bytes]:
    return events.subject(event), event.SerializeToString()


def is_as_it_was(client: Client, before: Json) -> bool:
    served = [before["url"], *(it["url"] for it in before["variants"])]
    return client.media(before["id"]) == before and all(httpx.get(url).status_code == 200 for url in served)


async def test_v6_nobody_but_ingest_says_that_an_item_is_gone(stack: Stack, tenancy: Tenancy) -> None:
    item = tenancy.client.stored(media.jpeg())
    gone = forged(events_pb2.MediaDeleted(), tenancy.workspace_id, item["id"])
    for stage in ("transcoder", "publisher"):
        # Under its own name, and under one that this stage may use.
        said = [wire(gone), (f"{events.ROOT}.{GARBAGE[stage][0]}", gone.SerializeToString())]
        assert await tell(stack, stage, said) == 1
        await laid_out(stack, GARBAGE[stage][1], gone.SerializeToString())
        await nothing_waits(stack)
    assert is_as_it_was(tenancy.client, item)


async def test_v6_what_rows_do_not_bear_out_has_no_effect(stack: Stack, tenancy: Tenancy) -> None:
    item = tenancy.client.stored(media.jpeg())
    ways = [
        forgeries(ids.new("ws"), item["id"], 1 << 40),  # of another workspace
        forgeries(tenancy.workspace_id, ids.new("med"), 1 << 40),  # of no item
        forgeries(tenancy.workspace_id, item["id"], 0),  # of a time that is over
    ]
    another = forged(events_pb2.MediaDeleted(), ids.new("ws"), item["id"])
    for stage in ("ingest", "transcoder", "publisher"):
        said = [wire(event) for way in ways for event in way[stage]]
        assert await tell(stack, stage, [*said, *said, *([wire(another)] if stage == "ingest" else [])]) == 0
    for stage, (event, _) in GARBAGE.items():
        assert await tell(stack, stage, [(f"{events.ROOT}.{event}", b"\xff garbage of " + stage.encode())]) == 0
    assert tenancy.client.stored(media.jpeg())["status"] == "ready"  # Nobody waits for what is tried again.
    for stage, (_, consumer) in GARBAGE.items():
        garbage = b"\xff garbage of " + stage.encode()
        await laid_out(stack, consumer, garbage)
    assert is_as_it_was(tenancy.client, item)
