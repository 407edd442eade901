"""Which trace brought an item in, so that its jobs continue it whenever and wherever they run."""

from alembic import op

revision = "transcoder_0002"
down_revision = "transcoder_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the W3C trace context; items from before have none."""
    op.execute("ALTER TABLE transcoder.items ADD COLUMN traceparent text NOT NULL DEFAULT ''")


def downgrade() -> None:
    """Forgets the traces."""
    op.execute("ALTER TABLE transcoder.items DROP COLUMN traceparent")
