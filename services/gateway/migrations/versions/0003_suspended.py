"""Workspaces whose keys are not taken for the time being."""

from alembic import op

revision = "gateway_0003"
down_revision = "gateway_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Since when; NULL: they are taken."""
    op.execute("ALTER TABLE gateway.workspaces ADD COLUMN suspended_at timestamptz")


def downgrade() -> None:
    """Drop it."""
    op.execute("ALTER TABLE gateway.workspaces DROP COLUMN suspended_at")
