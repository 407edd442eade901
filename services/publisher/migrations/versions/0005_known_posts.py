"""Whose post on a platform it is: asked about each that was only looked up."""

from alembic import op

from services.common.migrate import index_beside_writers

revision = "publisher_0005"
down_revision = "publisher_0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Creates the index."""
    index_beside_writers(
        op,
        "publisher.targets_known",
        "publisher.targets (workspace_id, account_id, platform_post_id) WHERE platform_post_id IS NOT NULL",
    )


def downgrade() -> None:
    """Drops it."""
    op.execute("DROP INDEX publisher.targets_known")
