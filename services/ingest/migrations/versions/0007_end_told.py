"""Items whose owners were told that they end soon."""

from alembic import op

revision = "ingest_0007"
down_revision = "ingest_0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nobody was told so far."""
    op.execute("ALTER TABLE ingest.media ADD COLUMN end_told boolean NOT NULL DEFAULT false")
    op.execute("CREATE INDEX media_ending ON ingest.media (expires_at) WHERE state = 'ready' AND NOT end_told")


def downgrade() -> None:
    """Drops the difference."""
    op.execute("ALTER TABLE ingest.media DROP COLUMN end_told")
