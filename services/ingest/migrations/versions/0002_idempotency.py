"""Which request brought an item in, so that its repetition after a crash brings it in once."""

from alembic import op

from services.common.migrate import index_beside_writers

revision = "ingest_0002"
down_revision = "ingest_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the key; most items have none."""
    op.execute("ALTER TABLE ingest.media ADD COLUMN IF NOT EXISTS idempotency_key text")
    index_beside_writers(
        op,
        "ingest.media_idempotency",
        "ingest.media (workspace_id, idempotency_key) WHERE idempotency_key IS NOT NULL",
    )


def downgrade() -> None:
    """Forgets the keys."""
    op.execute("DROP INDEX ingest.media_idempotency")
    op.execute("ALTER TABLE ingest.media DROP COLUMN idempotency_key")
