"""The use cases, put together once: for the stage itself and for tests on real stores."""

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from services.common import waiting
from services.common.db import Database
from services.transcoder.adapters.postgres.chores import PostgresChores
from services.transcoder.adapters.postgres.items import PostgresItems
from services.transcoder.adapters.postgres.segments import PostgresSegments
from services.transcoder.adapters.postgres.waiting import steps
from services.transcoder.app.dispatching import Dispatcher
from services.transcoder.app.ensuring import Ensuring
from services.transcoder.app.making import Making
from services.transcoder.app.receiving import Receiving
from services.transcoder.app.segmenting import Segmenting
from services.transcoder.app.sweeping import Sweeping
from services.transcoder.ports import Engine, Meter, Onlookers, Scratch, Store, Wakeups
from services.transcoder.view import View

TOKEN_BYTES = 16  # what makes a URL unguessable


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Everything outside."""

    database: Database
    wakeups: Wakeups
    store: Store
    engine: Engine
    scratch: Scratch
    onlookers: Onlookers
    meter: Meter
    view: View
    workers: int
    films_bytes: int
    segment_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcoder:
    """The use cases."""

    items: PostgresItems
    making: Making
    segmenting: Segmenting
    dispatcher: Dispatcher
    receiving: Receiving
    ensuring: Ensuring
    sweeping: Sweeping
    waiting: waiting.Steps

    @classmethod
    def assemble(cls, world: World) -> "Transcoder":
        """Wires them to that world."""
        items = PostgresItems(world.database, world.view)
        outside = (world.wakeups, world.store, world.engine, world.scratch, world.onlookers, world.meter)
        segmenting = Segmenting(PostgresSegments(world.database), *outside, segment_s=world.segment_s)
        making = Making(items, *outside, segmenting)
        dispatcher = Dispatcher(items, making, segmenting, workers=world.workers, films_bytes=world.films_bytes)
        world.meter.films(dispatcher.films_taken_bytes, world.films_bytes)
        sweeping = Sweeping(items, PostgresChores(world.database, world.view), world.store)
        return cls(
            items=items,
            making=making,
            segmenting=segmenting,
            dispatcher=dispatcher,
            receiving=Receiving(items, sweeping, new_token=_token, wake=dispatcher.wake, seat=dispatcher.seat),
            ensuring=Ensuring(items, world.wakeups, wake=dispatcher.wake),
            sweeping=sweeping,
            waiting=steps(world.database),
        )

    def chores(self) -> tuple[tuple[str, float, Callable[[], Awaitable[None]]], ...]:
        """What is done again and again: name, seconds between, one round."""
        return (
            ("litter", 5.0, self.sweeping.litter),
            ("words", 10.0, self.sweeping.words),
            ("segments", 5.0, self.segmenting.litter),
            ("waiting", waiting.LOOK_EVERY_S, self.waiting.look),
        )


def _token() -> str:
    return secrets.token_urlsafe(TOKEN_BYTES)
