"""Server-sent events: every state, signs of life, and the ways they end."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from google.protobuf.message import Message
from mediaapi.v1 import ingest_service_pb2, media_pb2

from services.common.context import CallContext
from services.common.errors import Code, MediaError
from services.gateway import events
from services.gateway.services import route_table
from services.gateway.web.http import Exchange

ROUTE = route_table().find("GET", "/v1/media/{id}/events")
READY, PROCESSING = media_pb2.MEDIA_STATUS_READY, media_pb2.MEDIA_STATUS_PROCESSING


def media(status: media_pb2.MediaStatus.ValueType, *variants: media_pb2.VariantStatus.ValueType) -> media_pb2.Media:
    made = [media_pb2.Variant(preset=str(n), status=one) for n, one in enumerate(variants)]
    return media_pb2.Media(id="med_1", status=status, variants=made)


class Stage:
    """A channel whose one stream says what it was given; with `hangs` it then says nothing more."""

    def __init__(self, says: Sequence[Message | MediaError], *, hangs: bool = False) -> None:
        self._says = says
        self._hangs = hangs
        self.canceled = False

    def unary_stream(self, *_: object, **__: object) -> "Stage":
        return self

    def __call__(self, *_: object, **__: object) -> "Stage":
        return self

    def cancel(self) -> None:
        self.canceled = True

    async def __aiter__(self) -> AsyncIterator[Message]:
        for said in self._says:
            if isinstance(said, MediaError):
                raise said
            yield said
        if self._hangs:
            await asyncio.Event().wait()


class Client:
    """What one client is sent, and how it leaves."""

    def __init__(self, **headers: str) -> None:
        self.left = asyncio.Event()
        self.sent: list[dict[str, Any]] = []
        rows = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        scope = {"method": "GET", "raw_path": b"/v1/media/med_1/events", "query_string": b"", "headers": rows}
        self.exchange = Exchange(scope, self.receive, self.send, request_id="req_1")

    async def receive(self) -> dict[str, Any]:
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        self.sent.append(message)

    async def ask(self, stage: Stage) -> None:
        assert ROUTE
        request = ingest_service_pb2.WatchMediaRequest(id="med_1")
        await events.send(self.exchange, stage, ROUTE, CallContext("ws_1", "req_1"), "key_1", request)  # type: ignore[arg-type]

    @property
    def status(self) -> int:
        found: int = self.sent[0]["status"]
        return found

    @property
    def text(self) -> str:
        return b"".join(message.get("body", b"") for message in self.sent).decode()

    def heard(self) -> list[tuple[str, dict[str, Any]]]:
        """Name and data of each event."""
        blocks = [dict(line.split(": ", 1) for line in block.split("\n")) for block in self.text.split("\n\n") if block]
        return [(block["event"], json.loads(block["data"])) for block in blocks if "event" in block]


async def test_every_state_is_told_until_one_is_settled() -> None:
    client, stage = Client(), Stage([media(PROCESSING), media(READY)], hangs=True)
    await client.ask(stage)
    assert [(name, data["status"]) for name, data in client.heard()] == [("media", "processing"), ("media", "ready")]
    assert client.text.startswith("retry: 2000\n\n")
    assert dict(client.sent[0]["headers"])[b"content-type"] == b"text/event-stream"
    assert client.sent[-1] == {"type": "http.response.body", "body": b"", "more_body": False}
    assert stage.canceled


async def test_a_variant_under_way_is_not_the_end() -> None:
    client = Client()
    half = media(READY, media_pb2.VARIANT_STATUS_READY, media_pb2.VARIANT_STATUS_PROCESSING)
    whole = media(READY, media_pb2.VARIANT_STATUS_READY, media_pb2.VARIANT_STATUS_REJECTED)
    await client.ask(Stage([half, whole], hangs=True))
    assert len(client.heard()) == 2


async def test_who_has_the_end_is_told_not_to_come_again() -> None:
    first = Client()
    await first.ask(Stage([media(READY)]))
    known = next(line for line in first.text.split("\n") if line.startswith("id: ")).removeprefix("id: ")
    again, other = Client(last_event_id=known), Client(last_event_id="other")
    await again.ask(Stage([media(READY)]))
    await other.ask(Stage([media(READY)]))
    assert (again.status, again.text, other.status) == (204, "", 200)
    still = Client(last_event_id=known)
    await still.ask(Stage([media(PROCESSING), media(READY)]))
    assert (still.status, len(still.heard())) == (200, 2)


async def test_silence_is_filled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "PING_S", 0.01)
    client, stage = Client(), Stage([media(PROCESSING)], hangs=True)
    asking = asyncio.create_task(client.ask(stage))
    while client.text.count(":\n\n") < 3:  # noqa: ASYNC110  what is sent has no event
        await asyncio.sleep(0.01)
    client.left.set()
    await asyncio.wait_for(asking, 1)
    assert stage.canceled


async def test_a_process_that_stops_ends_it() -> None:
    client, stage = Client(), Stage([media(PROCESSING)], hangs=True)
    asking = asyncio.create_task(client.ask(stage))
    await asyncio.sleep(0.01)
    client.exchange.stopping.set()
    await asyncio.wait_for(asking, 1)
    assert client.sent[-1]["more_body"] is False


async def test_what_is_not_there_is_a_refusal() -> None:
    client = Client()
    with pytest.raises(MediaError) as caught:
        await client.ask(Stage([MediaError(Code.MEDIA_NOT_FOUND, media_id="med_1")]))
    assert (caught.value.code, client.sent) == (Code.MEDIA_NOT_FOUND, [])


@pytest.mark.parametrize(
    ("code", "told"), [(Code.MEDIA_NOT_FOUND, ["media", "problem"]), (Code.UNAVAILABLE, ["media"])]
)
async def test_what_goes_meanwhile_is_told_and_what_only_broke_is_not(code: Code, told: list[str]) -> None:
    client = Client()
    await client.ask(Stage([media(PROCESSING), MediaError(code, media_id="med_1")]))
    assert [name for name, _ in client.heard()] == told
    assert client.sent[-1]["more_body"] is False
