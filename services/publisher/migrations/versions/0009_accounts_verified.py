"""When an account is tried upstream once more, since tokens that nobody uses die."""

from alembic import op

revision = "publisher_0009"
down_revision = "publisher_0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the time, and finds those whose time has come. Accounts there are have theirs a week from now."""
    op.execute(
        "ALTER TABLE publisher.accounts ADD COLUMN IF NOT EXISTS verify_at timestamptz NOT NULL"
        " DEFAULT now() + interval '7 days'"
    )
    op.execute(
        "CREATE INDEX IF NOT EXISTS accounts_unverified ON publisher.accounts (verify_at) WHERE status = 'active'"
    )


def downgrade() -> None:
    """Forgets it."""
    op.execute("DROP INDEX publisher.accounts_unverified")
    op.execute("ALTER TABLE publisher.accounts DROP COLUMN verify_at")
