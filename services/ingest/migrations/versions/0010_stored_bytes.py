"""How many bytes each walk over the object store saw."""

from alembic import op

revision = "ingest_0010"
down_revision = "ingest_0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds what the walk under way has seen so far, and what the last whole one saw: nothing yet."""
    op.execute(
        "ALTER TABLE ingest.walks ADD COLUMN IF NOT EXISTS seen_bytes bigint NOT NULL DEFAULT 0,"
        " ADD COLUMN IF NOT EXISTS stored_bytes bigint"
    )


def downgrade() -> None:
    """Forgets both."""
    op.execute("ALTER TABLE ingest.walks DROP COLUMN seen_bytes, DROP COLUMN stored_bytes")
