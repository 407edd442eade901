"""Which trace a webhook's event belongs to, so that its attempts continue it whenever and wherever they are made."""

from alembic import op

revision = "publisher_0007"
down_revision = "publisher_0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the W3C trace context; events from before have none."""
    op.execute("ALTER TABLE publisher.webhook_events ADD COLUMN IF NOT EXISTS traceparent text NOT NULL DEFAULT ''")


def downgrade() -> None:
    """Forgets the traces."""
    op.execute("ALTER TABLE publisher.webhook_events DROP COLUMN traceparent")
