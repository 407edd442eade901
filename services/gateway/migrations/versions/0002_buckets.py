"""How often each workspace has asked of late."""

from alembic import op

from services.common.migrate import tenant_table

revision = "gateway_0002"
down_revision = "gateway_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create their table."""
    op.execute(
        "CREATE TABLE gateway.buckets (workspace_id text NOT NULL, kind text NOT NULL, full_at timestamptz NOT NULL,"
        " PRIMARY KEY (workspace_id, kind))"
    )
    tenant_table(op, "gateway", "buckets")


def downgrade() -> None:
    """Drop it."""
    op.execute("DROP TABLE gateway.buckets")
