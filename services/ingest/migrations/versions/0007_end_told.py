"""Items whose owners were told that they end soon."""

from alembic import op

from services.common.migrate import index_beside_writers

revision = "ingest_0007"
down_revision = "ingest_0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nobody was told so far."""
    op.execute("ALTER TABLE ingest.media ADD COLUMN IF NOT EXISTS end_told boolean NOT NULL DEFAULT false")
    index_beside_writers(op, "ingest.media_ending", "ingest.media (expires_at) WHERE state = 'ready' AND NOT end_told")


def downgrade() -> None:
    """Drops the difference."""
    op.execute("ALTER TABLE ingest.media DROP COLUMN end_told")
