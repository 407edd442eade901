"""Which moment of a film its covers show, where its owner chose it."""

from alembic import op

from services.common.migrate import index_beside_writers

revision = "ingest_0009"
down_revision = "ingest_0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the moment, and when the transcoder is told of it again unless it heard; so far nobody chose."""
    op.execute(
        "ALTER TABLE ingest.media ADD COLUMN IF NOT EXISTS thumbnail_time double precision CHECK (thumbnail_time >= 0),"
        " ADD COLUMN IF NOT EXISTS cover_due_at timestamptz"
    )
    index_beside_writers(op, "ingest.media_covers", "ingest.media (cover_due_at) WHERE cover_due_at IS NOT NULL")


def downgrade() -> None:
    """Forgets the choices."""
    op.execute("ALTER TABLE ingest.media DROP COLUMN thumbnail_time, DROP COLUMN cover_due_at")
