"""Which trace brought a post in, so that its deliveries continue it whenever and wherever they run."""

from alembic import op

revision = "publisher_0002"
down_revision = "publisher_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the W3C trace context; posts from before have none."""
    op.execute("ALTER TABLE publisher.posts ADD COLUMN traceparent text NOT NULL DEFAULT ''")


def downgrade() -> None:
    """Forgets the traces."""
    op.execute("ALTER TABLE publisher.posts DROP COLUMN traceparent")
