"""PostgreSQL: transactions scoped to one workspace by row-level security, and wake-ups by NOTIFY."""

import asyncio
import logging
import select
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

import psycopg
from sqlalchemy import text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.event import listen
from sqlalchemy.exc import InterfaceError, InvalidatePoolError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from services.common.errors import Code, MediaError

log = logging.getLogger(__name__)

# All of them stay open once made: what a pool has beyond its size is made anew for each burst, and that costs more than
# the burst's statements.
POOL_SIZE = 10
POOL_WAIT_S = 10
# A server that fell silent is noticed by the kernel, whether something is under way (user timeout) or nothing is
# (keepalives): Linux itself would wait a quarter of an hour, or two hours.
SILENCE: Mapping[str, Any] = {
    "connect_timeout": 5,
    "tcp_user_timeout": 20_000,  # ms
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 2,
}
STATEMENT_TIMEOUT_MS = 30_000
RECONNECT_AFTER_S = 0.5

_WORKSPACE = text("SELECT set_config('app.workspace_id', :workspace_id, true)")
_NOTIFY = text("SELECT pg_notify(:channel, :key)")


@asynccontextmanager
async def connect(url: str, *, schema: str) -> AsyncIterator["Database"]:
    """A pool for the role in `url`; unqualified names mean `schema`. Connects when first used."""
    engine = create_async_engine(
        url.replace("postgresql://", "postgresql+psycopg://", 1),
        pool_size=POOL_SIZE,
        max_overflow=0,
        pool_timeout=POOL_WAIT_S,
        pool_use_lifo=True,  # a connection that is warm knows tables and plans already
        connect_args={
            **SILENCE,
            "options": f"-c search_path={schema} -c statement_timeout={STATEMENT_TIMEOUT_MS}",
        },
    )
    listen(engine.sync_engine, "checkout", lambda connection, *_: _refuse_closed(engine, connection))
    try:
        yield Database(engine, url, schema)
    finally:
        await engine.dispose()


def _refuse_closed(engine: AsyncEngine, connection: DBAPIConnection) -> None:
    """A server that closed an idle connection has said so: where there is nothing to hear, a question would only cost
    its way there and back.

    Raises:
        InvalidatePoolError: it is closed, and so most likely are its like; the pool makes a new one.
    """
    heard = select.poll()
    try:
        heard.register(connection.driver_connection.fileno(), select.POLLIN)
        if heard.poll(0):
            engine.dialect.do_ping(connection)
    except psycopg.Error as exc:
        raise InvalidatePoolError from exc


class Database:
    """One stage's schema."""

    def __init__(self, engine: AsyncEngine, url: str, schema: str) -> None:
        self._engine = engine
        self._url = url
        self._schema = schema

    @asynccontextmanager
    async def tx(self, workspace_id: str) -> AsyncIterator[AsyncConnection]:
        """A transaction that sees that workspace's rows and no others.

        Raises:
            MediaError: UNAUTHORIZED for a caller of no workspace, whose rows nobody could find again; UNAVAILABLE, the
                database is, or gave the transaction up.
        """
        if not workspace_id:
            raise MediaError(Code.UNAUTHORIZED, why="a call without a workspace")
        async with self._begin() as conn:
            await conn.execute(_WORKSPACE, {"workspace_id": workspace_id})
            yield conn

    @asynccontextmanager
    async def system_tx(self) -> AsyncIterator[AsyncConnection]:
        """A transaction over all workspaces, for relays and sweepers. Raises as `tx`."""
        async with self._begin() as conn:
            await conn.execute(text(f"SET LOCAL ROLE mediaapi_{self._schema}_system"))
            yield conn

    async def ping(self) -> None:
        """Readiness."""
        async with self._begin() as conn:
            await conn.execute(text("SELECT 1"))

    @asynccontextmanager
    async def wakeups(self, channel: str) -> AsyncIterator["Wakeups"]:
        """Listens to `channel` while inside."""
        wakeups = Wakeups(self._url, channel)
        task = asyncio.create_task(wakeups.listen(), name=f"listen-{channel}")
        try:
            yield wakeups
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    @asynccontextmanager
    async def _begin(self) -> AsyncIterator[AsyncConnection]:
        try:
            async with self._engine.begin() as conn:
                yield conn
        except (OperationalError, InterfaceError, PoolTimeoutError) as exc:
            raise MediaError(Code.UNAVAILABLE, why=f"database: {exc}") from exc


class Wakeups:
    """Who waits for which key. A lost connection wakes everybody, since a word may have been missed."""

    def __init__(self, url: str, channel: str) -> None:
        self._url = url
        self._channel = channel
        self._waiting: dict[str, set[asyncio.Event]] = {}

    async def wait(self, key: str, timeout_s: float) -> bool:
        """Until something is said about `key`; False when the time is over."""
        with self.watch(key) as event:
            try:
                async with asyncio.timeout(timeout_s):
                    await event.wait()
            except TimeoutError:
                return False
        return True

    @contextmanager
    def watch(self, key: str) -> Iterator[asyncio.Event]:
        """Set by whatever is said about `key` while inside. Clear it, look, wait: what is said meanwhile is never
        missed. "": any key."""
        event = asyncio.Event()
        self._waiting.setdefault(key, set()).add(event)
        try:
            yield event
        finally:
            events = self._waiting[key]
            events.discard(event)
            if not events:
                del self._waiting[key]

    async def listen(self) -> None:
        """For ever."""
        while True:
            try:
                connecting = psycopg.AsyncConnection.connect(self._url, autocommit=True, **SILENCE)
                async with await connecting as conn:
                    await conn.execute(f"LISTEN {self._channel}".encode())
                    self._wake_all()
                    async for notice in conn.notifies():
                        self.wake(notice.payload)
                        self.wake("")
            except psycopg.Error as exc:
                log.warning("listening broke off", extra={"channel": self._channel, "why": str(exc)})
                self._wake_all()
                await asyncio.sleep(RECONNECT_AFTER_S)

    def wake(self, key: str) -> None:
        """As if something was said about `key`, to this process alone."""
        for event in self._waiting.get(key, ()):
            event.set()

    def _wake_all(self) -> None:
        for key in list(self._waiting):
            self.wake(key)


async def notify(conn: AsyncConnection, channel: str, key: str) -> None:
    """Wakes who waits for `key`, once the transaction is committed."""
    await conn.execute(_NOTIFY, {"channel": channel, "key": key})
