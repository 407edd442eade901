"""Uploads that are stretches of a file."""

from alembic import op

revision = "ingest_0004"
down_revision = "ingest_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Those there are so far are whole files."""
    op.execute("ALTER TABLE ingest.uploads ADD COLUMN partial boolean NOT NULL DEFAULT false")


def downgrade() -> None:
    """Drops the difference."""
    op.execute("ALTER TABLE ingest.uploads DROP COLUMN partial")
