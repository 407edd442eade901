"""Who renews an account's credentials holds a lease: platforms take a refresh token once, from whoever is first."""

from alembic import op

revision = "publisher_0006"
down_revision = "publisher_0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the end of the lease; null where nobody renews."""
    op.execute("ALTER TABLE publisher.accounts ADD COLUMN IF NOT EXISTS renewing_until timestamptz")


def downgrade() -> None:
    """Forgets the leases."""
    op.execute("ALTER TABLE publisher.accounts DROP COLUMN renewing_until")
