"""Files of posts that are named by URLs, and still to be fetched."""

from alembic import op

from services.common.migrate import tenant_table

revision = "publisher_0004"
down_revision = "publisher_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Creates their table. next_at: NULL once the file is there, or cannot be had."""
    op.execute(
        "CREATE TABLE publisher.imports (workspace_id text NOT NULL, post_id text NOT NULL, id text NOT NULL,"
        " url text NOT NULL, kind text NOT NULL, alt_text text, plan text NOT NULL, media_id text, error_code text,"
        " error_message text, tries integer NOT NULL DEFAULT 0, epoch bigint NOT NULL DEFAULT 0,"
        " next_at timestamptz DEFAULT now(), PRIMARY KEY (workspace_id, post_id, id))"
    )
    tenant_table(op, "publisher", "imports")
    op.execute("CREATE INDEX imports_due ON publisher.imports (next_at) WHERE next_at IS NOT NULL")


def downgrade() -> None:
    """Drops it."""
    op.execute("DROP TABLE publisher.imports")
