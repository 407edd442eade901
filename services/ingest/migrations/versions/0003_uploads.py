"""Uploads in pieces."""

from alembic import op

from services.common.migrate import tenant_table

revision = "ingest_0003"
down_revision = "ingest_0002"
branch_labels = None
depends_on = None

UPLOADS = """
    workspace_id text NOT NULL,
    id text COLLATE "C" NOT NULL,
    media_id text COLLATE "C" NOT NULL,
    phase text NOT NULL CHECK (phase IN ('receiving', 'complete', 'rejected', 'deleted', 'expired')),
    size_bytes bigint NOT NULL CHECK (size_bytes > 0),
    filename text NOT NULL,
    alt_text text,
    kind text CHECK (kind IN ('image', 'video')),
    sha256 text NOT NULL,
    plan text NOT NULL,
    request_id text NOT NULL,
    content_type text NOT NULL,
    quarantine_key text NOT NULL,
    multipart_id text NOT NULL,
    parts jsonb NOT NULL,
    next_part integer NOT NULL,
    tail_key text NOT NULL,
    tail_bytes bigint NOT NULL,
    finishing boolean NOT NULL,
    refusal_code text,
    refusal_details jsonb,
    in_store boolean NOT NULL,
    due_at timestamptz,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    epoch bigint NOT NULL,
    lease_until timestamptz,
    stop_epoch bigint NOT NULL,
    PRIMARY KEY (workspace_id, id)
"""

# The sweeper's questions, each over the few rows it can be about.
INDEXES = (
    "CREATE INDEX uploads_finishing ON ingest.uploads (due_at) WHERE phase = 'receiving' AND finishing",
    "CREATE INDEX uploads_overdue ON ingest.uploads (expires_at)",
    "CREATE INDEX uploads_litter ON ingest.uploads (due_at) WHERE in_store AND phase NOT IN ('receiving', 'complete')",
)


def upgrade() -> None:
    """Creates their table."""
    op.execute(f"CREATE TABLE ingest.uploads ({UPLOADS})")
    tenant_table(op, "ingest", "uploads")
    for index in INDEXES:
        op.execute(index)


def downgrade() -> None:
    """Drops it; what was under way is lost."""
    op.execute("DROP TABLE ingest.uploads")
