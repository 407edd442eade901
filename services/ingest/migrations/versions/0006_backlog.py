"""The backlog of scans is more than those that failed; all of `scanning` is in media_due."""

from alembic import op

revision = "ingest_0006"
down_revision = "ingest_0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("DROP INDEX ingest.media_owed")


def downgrade() -> None:
    op.execute("CREATE INDEX media_owed ON ingest.media (workspace_id) WHERE state = 'scanning' AND tries > 0")
