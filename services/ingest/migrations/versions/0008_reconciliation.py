"""How far the comparison of stored objects with rows has come, and what it asks rows by."""

from alembic import op

from services.common.migrate import index_beside_writers

revision = "ingest_0008"
down_revision = "ingest_0007"
branch_labels = None
depends_on = None

PLACES = ("quarantine", "sources", "renditions", "quarantine_parts", "active_parts")

INDEXES = {
    "media_id": "media (id)",
    "uploads_media_id": "uploads (media_id)",
    "media_active_key": "media (active_key COLLATE \"C\") WHERE state IN ('processing', 'ready')",
    "media_quarantine_key": "media (quarantine_key COLLATE \"C\") WHERE state = 'scanning'",
}

WALKS = """
    place text PRIMARY KEY,
    after text NOT NULL DEFAULT '',
    due_at timestamptz NOT NULL DEFAULT now(),
    lease_until timestamptz
"""


def upgrade() -> None:
    """Every walk begins at the first key. Items are asked for by id alone, and by the range their keys are in."""
    for name, rows in INDEXES.items():
        index_beside_writers(op, f"ingest.{name}", f"ingest.{rows}")
    op.execute(f"CREATE TABLE ingest.walks ({WALKS})")
    for place in PLACES:
        op.execute(f"INSERT INTO ingest.walks (place) VALUES ('{place}')")  # noqa: S608  words of ours
    op.execute("GRANT SELECT, UPDATE ON ingest.walks TO mediaapi_ingest_system")


def downgrade() -> None:
    """Forgets how far it was."""
    op.execute("DROP TABLE ingest.walks")
    for index in INDEXES:
        op.execute(f"DROP INDEX ingest.{index}")
