"""Operators' commands on the events that a consumer could not handle. Reads MEDIA_ADMIN_NATS_URL_FILE.

An event that is retried is told to everybody again: whoever handled it knows its id and does nothing.
"""

import json
from argparse import ArgumentParser, Namespace
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import nats.errors
import nats.js.errors
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import DecodeError
from mediaapi.v1 import events_pb2

from services.common import events, log, settings
from services.common.commands import Answer, Command, CommandError, Row, at_least_one
from services.common.errors import Code, MediaError
from services.common.events import DEAD, DEAD_ROOT, Bus
from services.common.settings import var

SHOWN = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What these commands need."""

    nats_url: str = var(
        str, "nats://… of a user who may read and delete dead letters, and tell every event", secret=True
    )


@dataclass(frozen=True, slots=True)
class Letter:
    """One of them. event: None where the bytes are none, or not the one its subject says."""

    sequence: int
    consumer: str
    body: bytes

    @property
    def event(self) -> events_pb2.Event | None:
        try:
            heard = events_pb2.Event.FromString(self.body)
        except DecodeError:
            return None
        return heard if heard.id and heard.WhichOneof("payload") else None

    def row(self) -> Row:
        """As it is shown."""
        event = self.event
        told = event.occurred_at.ToDatetime().isoformat(timespec="seconds") + "Z" if event else None
        return {
            "sequence": self.sequence,
            "consumer": self.consumer,
            "event": event and event.WhichOneof("payload"),
            "eventId": event and event.id,
            "workspaceId": event and event.workspace_id,
            "subjectId": event and event.subject_id,
            "occurredAt": told,
        }


class Letters:
    """The stream they lie in."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def all(self, consumer: str | None) -> AsyncIterator[Letter]:
        """From the oldest on."""
        sequence, wanted = 1, f"{DEAD_ROOT}.{consumer}" if consumer else f"{DEAD_ROOT}.>"
        while True:
            try:
                found = await self._bus.jetstream.get_msg(DEAD, seq=sequence, subject=wanted, next=True)
            except nats.js.errors.NotFoundError:
                return
            assert found.seq is not None
            yield Letter(found.seq, str(found.subject).removeprefix(f"{DEAD_ROOT}."), found.data or b"")
            sequence = found.seq + 1

    async def one(self, sequence: int) -> Letter:
        """Raises CommandError where there is none."""
        async for letter in self.all(None):
            if letter.sequence == sequence:
                return letter
        raise CommandError(f"there is no dead letter {sequence}")

    async def retry(self, letter: Letter) -> None:
        """Tells it again, then drops it: one that is told twice is handled once. Raises CommandError for no event."""
        event = letter.event
        if event is None:
            raise CommandError(f"dead letter {letter.sequence} is not an event: it can only be dropped")
        await self._bus.publish(events.subject(event), letter.body, message_id=f"retry-{letter.sequence}")
        await self.drop(letter)

    async def drop(self, letter: Letter) -> None:
        """Forgets it."""
        await self._bus.jetstream.delete_msg(DEAD, letter.sequence)


@asynccontextmanager
async def _letters() -> AsyncIterator[Letters]:
    conf = settings.load(Settings, "media_admin")
    try:
        async with events.connect(conf.nats_url, reconnects=0) as bus:
            await bus.declare()
            yield Letters(bus)
    except (nats.errors.Error, nats.js.errors.Error, OSError, TimeoutError) as exc:
        raise MediaError(Code.UNAVAILABLE, why=f"nats: {type(exc).__name__}: {exc}") from exc


async def _list(arguments: Namespace) -> Answer:
    rows: list[Row] = []
    async with _letters() as letters:
        async for letter in letters.all(arguments.consumer):
            if len(rows) == arguments.limit:
                return Answer(rows, note=f"There are more than {arguments.limit}.")
            rows.append(letter.row())
    return Answer(rows, note="" if rows else "There is none.")


async def _retry(arguments: Namespace) -> Answer:
    async with _letters() as letters:
        chosen = await _chosen(letters, arguments)
        for letter in chosen:
            await letters.retry(letter)
    return Answer([letter.row() for letter in chosen], note=f"{len(chosen)} told again.")


async def _show(arguments: Namespace) -> Answer:
    async with _letters() as letters:
        letter = await letters.one(arguments.sequence)
    event = letter.event
    more: Row = {
        "version": event and event.version,
        "requestId": event and event.request_id,
        "sizeBytes": len(letter.body),
        "payload": event and _payload(event),
    }
    return Answer([{**letter.row(), **more}], single=True)


async def _drop(arguments: Namespace) -> Answer:
    async with _letters() as letters:
        letter = await letters.one(arguments.sequence)
        await letters.drop(letter)
    return Answer([letter.row()], single=True, note="Dropped.")


def _payload(event: events_pb2.Event) -> str:
    """As JSON, without what looks like a secret."""
    told = MessageToDict(getattr(event, str(event.WhichOneof("payload"))))
    return log.clean(json.dumps(told, ensure_ascii=False))


async def _chosen(letters: Letters, arguments: Namespace) -> list[Letter]:
    """One, or all that are events. Those there now: what dies anew while it is told again is not chosen again."""
    if arguments.sequence is not None:
        return [await letters.one(arguments.sequence)]
    return [letter async for letter in letters.all(arguments.consumer) if letter.event is not None]


def _of_list(parser: ArgumentParser) -> None:
    parser.add_argument("--consumer", help="only those of this consumer")
    parser.add_argument("--limit", type=at_least_one, default=SHOWN, help=f"rows shown ({SHOWN})")


def _of_retry(parser: ArgumentParser) -> None:
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("sequence", nargs="?", type=at_least_one, help="of one letter")
    which.add_argument("--all", action="store_true", help="every event there is")
    which.add_argument("--consumer", help="every event of this consumer")


def _of_one(parser: ArgumentParser) -> None:
    parser.add_argument("sequence", type=at_least_one)


COMMANDS = {
    "dead-letters": (
        Command("list", "oldest first", _of_list, _list),
        Command("show", "one, with all that it says", _of_one, _show),
        Command("retry", "tell events again, once their cause is mended", _of_retry, _retry),
        Command("drop", "forget one", _of_one, _drop),
    )
}
