"""What the gauges tell of rows that wait in a stage's tables: of those that do, in all workspaces, and of no others."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from prometheus_client import REGISTRY
from psycopg import sql

from deploy.local.postgres import Postgres
from services.common import db, waiting
from services.common.db import Database
from services.common.waiting import Steps
from services.ingest.adapters.postgres import waiting as ingest
from services.publisher.adapters.postgres import waiting as publisher
from services.transcoder.adapters.postgres import waiting as transcoder

# What stands in a column that must have something, where the test does not care.
ANYTHING: Mapping[str, object] = {
    "text": "", "bytea": b"", "bigint": 0, "integer": 0, "boolean": False, "jsonb": "[]", "ARRAY": [],
    "timestamp with time zone": datetime.now(UTC),
}  # fmt: skip
LONG_PAST, TO_COME = 5_000, -500  # seconds ago
LATE_S = 5.0  # between planting and looking


def ago(seconds: float) -> datetime:
    """A moment; of negative seconds, one to come."""
    return datetime.now(UTC) - timedelta(seconds=seconds)


@dataclass(frozen=True, slots=True)
class Tables:
    """The superuser's connection, and a number that makes rows differ."""

    conn: "psycopg.Connection[tuple[object, ...]]"
    schema: str
    planted: list[str]

    def __call__(self, table: str, **values: object) -> str:
        """Plants a row with these values and, wherever one must be, any other. Its id."""
        row_id = f"row_{len(self.planted):02}"
        self.planted.append(row_id)
        values = {"workspace_id": f"ws_{len(self.planted) % 2}", **values}
        for column, kind in self._needed(table):
            values.setdefault(column, row_id if column == "id" or column.endswith("_id") else ANYTHING[kind])
        insert = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
            sql.Identifier(self.schema, table),
            sql.SQL(", ").join(map(sql.Identifier, values)),
            sql.SQL(", ").join(sql.Placeholder() * len(values)),
        )
        self.conn.execute(insert, list(values.values()))
        return row_id

    def _needed(self, table: str) -> list[tuple[str, str]]:
        """Names and types of the columns that must be given."""
        query = (
            "SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = %s AND table_name = %s"
            " AND is_nullable = 'NO' AND column_default IS NULL AND is_identity = 'NO'"
        )
        return [(str(name), str(kind)) for name, kind in self.conn.execute(query, (self.schema, table)).fetchall()]


def in_ingest(plant: Tables) -> dict[str, tuple[int, float]]:
    """Plants; by step, how many wait there and for how long the first has."""

    def medium(state: str, **values: object) -> str:
        kept = {"kind": "image", "state": state, "expires_at": ago(TO_COME), "in_quarantine": False, **values}
        return plant("media", **{"in_active": False, "deletion_told": True, **kept})

    def pin(media_id: str, until: datetime) -> None:
        found = plant.conn.execute("SELECT workspace_id FROM ingest.media WHERE id = %s", (media_id,)).fetchone()
        assert found is not None
        plant("pins", workspace_id=found[0], media_id=media_id, until=until)

    def upload(finishing: bool, due: float, phase: str = "receiving") -> None:
        plant("uploads", phase=phase, finishing=finishing, due_at=ago(due), size_bytes=1, expires_at=ago(TO_COME))

    # Somebody is at work on the oldest.
    medium("scanning", created_at=ago(100), due_at=ago(TO_COME))
    medium("scanning", created_at=ago(40), due_at=ago(0))
    medium("processing", created_at=ago(30), due_at=ago(0))
    medium("ready", created_at=ago(LONG_PAST), due_at=ago(LONG_PAST))

    medium("ready", expires_at=ago(50))
    pin(medium("ready", expires_at=ago(20)), until=ago(1))
    pin(medium("ready", expires_at=ago(LONG_PAST)), until=ago(TO_COME))
    medium("expired", expires_at=ago(LONG_PAST))

    medium("rejected", in_quarantine=True, due_at=ago(60))
    medium("deleted", in_active=True, due_at=ago(70))
    medium("expired", deletion_told=False, due_at=ago(10))
    medium("deleted", in_active=True, due_at=ago(TO_COME))
    medium("ready", in_active=True, due_at=ago(LONG_PAST))
    pin(medium("deleted", in_active=True, due_at=ago(LONG_PAST)), until=ago(TO_COME))

    upload(finishing=True, due=25)
    upload(finishing=True, due=TO_COME)
    upload(finishing=False, due=LONG_PAST)
    upload(finishing=True, due=LONG_PAST, phase="complete")
    return {
        "ingest_scanning": (2, 100), "ingest_processing": (1, 30), "ingest_expiring": (2, 50),
        "ingest_removing": (3, 70), "ingest_sealing": (1, 25),
    }  # fmt: skip


def in_publisher(plant: Tables) -> dict[str, tuple[int, float]]:
    """The same."""
    for due in (60, 20, TO_COME):
        plant("targets", status="queued", next_at=ago(due))
    plant("targets", status="published", next_at=None)
    for due in (TO_COME, 35):
        plant("imports", next_at=ago(due))
    plant("imports", next_at=None)
    for due in (15, 45, TO_COME):
        plant("webhook_deliveries", status="pending", next_at=ago(due))
    plant("webhook_deliveries", status="failed", next_at=None)
    plant("attempts", since=ago(80), outcome=None)
    plant("attempts", since=ago(LONG_PAST), outcome="published")
    for failing in (90, 30):
        plant("webhook_endpoints", status="active", failing_since=ago(failing))
    plant("webhook_endpoints", status="active", failing_since=None)
    plant("webhook_endpoints", status="disabled", failing_since=ago(300), created_at=ago(LONG_PAST))
    plant("webhook_endpoints", status="disabled", failing_since=None, created_at=ago(400))
    return {
        "publisher_targets": (2, 60), "publisher_imports": (1, 35), "publisher_webhooks": (2, 45),
        "publisher_unknown": (1, 80), "publisher_failing_endpoints": (2, 90), "publisher_disabled_endpoints": (2, 400),
    }  # fmt: skip


def in_transcoder(plant: Tables) -> dict[str, tuple[int, float]]:
    """The same."""
    # Of a workspace with much to do some stand far back, and none waits for less than no time.
    for queued in (40, TO_COME):
        plant("items", kind="image", due_at=ago(0), queued_at=ago(queued))
    plant("items", kind="video", due_at=ago(0), queued_at=ago(TO_COME))
    for kind in ("image", "video"):
        plant("items", kind=kind, due_at=None, queued_at=ago(LONG_PAST))
    for due in (55, 15, TO_COME):
        plant("items", kind="video", gone=True, due_at=ago(due), queued_at=ago(LONG_PAST))
    return {"transcoder_images": (2, 40), "transcoder_videos": (1, 0), "transcoder_removing": (2, 55)}


STAGES: Mapping[str, tuple[Callable[[Tables], dict[str, tuple[int, float]]], Callable[[Database], Steps]]] = {
    "ingest": (in_ingest, ingest.steps),
    "publisher": (in_publisher, publisher.steps),
    "transcoder": (in_transcoder, transcoder.steps),
}


@pytest.fixture
def plant(request: pytest.FixtureRequest, postgres: Postgres) -> Iterator[Tables]:
    """The empty tables of the stage named by the test's parameter; emptied again, since they are everybody's."""
    schema = str(request.getfixturevalue("schema"))
    request.getfixturevalue(f"{schema}_url")
    with psycopg.connect(postgres.url(), autocommit=True) as conn:
        rows = conn.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s", (schema,)).fetchall()
        # What a migration has put there stays.
        tables = [sql.Identifier(schema, str(name)) for (name,) in rows if name not in ("walks", "alembic_version")]
        empty = sql.SQL("TRUNCATE {}").format(sql.SQL(", ").join(tables))
        conn.execute(empty)
        yield Tables(conn, schema, [])
        conn.execute(empty)


def told(schema: str) -> dict[str, tuple[float, float]]:
    """What the gauges say of its steps: how many wait, and the age of the oldest."""
    found: dict[str, dict[str, float]] = {}
    for family in REGISTRY.collect():
        for sample in family.samples:
            if sample.labels.get("step", "").startswith(f"{schema}_"):
                found.setdefault(sample.labels["step"], {})[sample.name] = sample.value
    return {step: (by["waiting_items"], by["waiting_oldest_seconds"]) for step, by in found.items()}


@pytest.mark.parametrize("schema", STAGES)
async def test_every_step_tells_what_waits_and_since_when(
    schema: str, plant: Tables, request: pytest.FixtureRequest
) -> None:
    rows, steps = STAGES[schema]
    async with db.connect(request.getfixturevalue(f"{schema}_url"), schema=schema) as database:
        looking = steps(database)
        await looking.look()
        assert set(told(schema).values()) == {(0.0, 0.0)}
        wanted = rows(plant)
        for age in (65, 5):
            plant("outbox", created_at=ago(age))
        await looking.look()
    found = told(schema)
    assert {step: items for step, (items, _) in found.items()} == {
        f"{schema}_outbox": 2, **{step: items for step, (items, _) in wanted.items()}
    }  # fmt: skip
    ages = {f"{schema}_outbox": 65.0, **{step: age for step, (_, age) in wanted.items()}}
    late = {step: age - ages[step] for step, (_, age) in found.items()}
    assert all(0 <= one < LATE_S for one in late.values()), late


@pytest.mark.parametrize("schema", ["transcoder"])
async def test_of_very_many_some_are_counted_and_the_oldest_is_among_them(
    schema: str, plant: Tables, transcoder_url: str
) -> None:
    plant("outbox", created_at=ago(100))
    plant.conn.execute(
        "INSERT INTO transcoder.outbox (id, workspace_id, subject, body)"
        " SELECT 'many_' || n, 'ws_0', '', '' FROM generate_series(1, %s) n",
        (waiting.MOST,),
    )
    async with db.connect(transcoder_url, schema=schema) as database:
        await transcoder.steps(database).look()
    items, oldest_s = told(schema)["transcoder_outbox"]
    assert items == waiting.MOST
    assert 100 <= oldest_s < 100 + LATE_S
