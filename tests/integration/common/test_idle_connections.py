"""Connections of the pool that the server closed while nobody used them: who asks next does not notice."""

from collections.abc import AsyncIterator

import psycopg
import pytest
from sqlalchemy import text

from deploy.local.postgres import Postgres
from services.common import db
from services.common.db import Database

MINE = "application_name = 'idle-connections' AND pid <> pg_backend_pid()"


@pytest.fixture
async def database(ingest_url: str) -> AsyncIterator[Database]:
    """Whose connections have a name."""
    async with db.connect(f"{ingest_url}?application_name=idle-connections", schema="ingest") as database:
        yield database


def ended(postgres: Postgres) -> int:
    """How many there were; they are gone once this returns."""
    with psycopg.connect(postgres.url(), autocommit=True) as conn:
        found = conn.execute(f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE {MINE}").fetchall()  # noqa: S608
    assert all(gone for (gone,) in found)
    return len(found)


async def test_closed_by_the_server_they_are_replaced_unnoticed(database: Database, postgres: Postgres) -> None:
    async with database.tx("ws_1"), database.tx("ws_2"):
        pass
    assert ended(postgres) == 2
    for _ in range(3):
        async with database.tx("ws_1") as one, database.tx("ws_2") as two:
            seen = [(await conn.execute(text("SELECT pg_backend_pid()"))).scalar_one() for conn in (one, two)]
        assert len(set(seen)) == 2
