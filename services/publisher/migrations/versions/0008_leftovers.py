"""What was prepared of targets that came to their end without it, until it is ended upstream too."""

from alembic import op

from services.common.migrate import tenant_table

revision = "publisher_0008"
down_revision = "publisher_0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Creates the table, which is empty nearly always."""
    op.execute(
        "CREATE TABLE publisher.leftovers (workspace_id text NOT NULL, post_id text NOT NULL, index integer NOT NULL,"
        " epoch bigint NOT NULL, platform text NOT NULL, account_id text NOT NULL, live boolean NOT NULL,"
        " progress jsonb NOT NULL, PRIMARY KEY (workspace_id, post_id, index, epoch))"
    )
    tenant_table(op, "publisher", "leftovers")


def downgrade() -> None:
    """Drops it: platforms end by themselves what nobody goes on with."""
    op.execute("DROP TABLE publisher.leftovers")
