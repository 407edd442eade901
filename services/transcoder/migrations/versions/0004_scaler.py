"""Whoever decides how many transcoders there are may see how much waits, and nothing else of it."""

from alembic import op

revision = "transcoder_0004"
down_revision = "transcoder_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """A role of the cluster's: others of its databases may have made it. services.common.migrate lets it log in."""
    op.execute(
        "DO $$ BEGIN CREATE ROLE mediaapi_scaler NOLOGIN NOSUPERUSER NOBYPASSRLS;"
        " EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
    )
    op.execute("GRANT USAGE ON SCHEMA transcoder TO mediaapi_scaler")
    op.execute("GRANT SELECT (kind, due_at, gone) ON transcoder.items TO mediaapi_scaler")
    op.execute("CREATE POLICY scaler ON transcoder.items FOR SELECT TO mediaapi_scaler USING (true)")


def downgrade() -> None:
    """It sees nothing any more. The role stays, for others may use it."""
    op.execute("DROP POLICY scaler ON transcoder.items")
    op.execute("REVOKE SELECT (kind, due_at, gone) ON transcoder.items FROM mediaapi_scaler")
    op.execute("REVOKE USAGE ON SCHEMA transcoder FROM mediaapi_scaler")
