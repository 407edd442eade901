"""Long films are encoded in segments, which whoever is idle takes."""

from alembic import op

from services.common.migrate import tenant_table

revision = "transcoder_0005"
down_revision = "transcoder_0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """A row for each segment of films under way, and the scaler may see which wait."""
    op.execute(
        # digests: of what was encoded, once it is stored.   tries: claims.
        'CREATE TABLE transcoder.segments (workspace_id text NOT NULL, media_id text COLLATE "C" NOT NULL,'
        " n integer NOT NULL, of integer NOT NULL, seconds integer NOT NULL, presets text[] NOT NULL, digests text[],"
        " epoch bigint NOT NULL DEFAULT 0, lease_until timestamptz, tries integer NOT NULL DEFAULT 0,"
        " PRIMARY KEY (workspace_id, media_id, n),"
        " FOREIGN KEY (workspace_id, media_id) REFERENCES transcoder.items (workspace_id, id) ON DELETE CASCADE)"
    )
    tenant_table(op, "transcoder", "segments")
    op.execute("GRANT SELECT (digests) ON transcoder.segments TO mediaapi_scaler")
    op.execute("CREATE POLICY scaler ON transcoder.segments FOR SELECT TO mediaapi_scaler USING (true)")


def downgrade() -> None:
    """Films under way are encoded as a whole."""
    op.execute("DROP TABLE transcoder.segments")
