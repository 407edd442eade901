"""Media with their pins and verdicts."""

from alembic import op

from services.common.migrate import outbox_inbox, tenant_table

revision = "ingest_0001"
down_revision = None
branch_labels = None
depends_on = None

SCHEMA = "ingest"

TABLES = {
    "media": """
        workspace_id text NOT NULL,
        id text COLLATE "C" NOT NULL,
        state text NOT NULL CHECK (state IN ('receiving', 'scanning', 'processing', 'ready', 'rejected', 'failed',
                                             'deleted', 'expired')),
        version bigint NOT NULL,
        kind text NOT NULL CHECK (kind IN ('image', 'video')),
        content_type text NOT NULL,
        filename text NOT NULL,
        alt_text text,
        size_bytes bigint NOT NULL CHECK (size_bytes >= 0),
        sha256 text NOT NULL,
        quarantine_key text NOT NULL,
        quarantine_etag text NOT NULL,
        multipart_id text NOT NULL,
        active_key text NOT NULL,
        active_etag text NOT NULL,
        fault_code text,
        fault_message text,
        fault_threat text,
        fault_reason text,
        view jsonb,
        view_version bigint NOT NULL DEFAULT 0,
        request_id text NOT NULL,
        created_at timestamptz NOT NULL,
        expires_at timestamptz NOT NULL,
        epoch bigint NOT NULL DEFAULT 0,
        lease_until timestamptz,
        tries integer NOT NULL DEFAULT 0,
        due_at timestamptz,
        in_quarantine boolean NOT NULL DEFAULT true,
        in_active boolean NOT NULL DEFAULT true,
        deletion_told boolean NOT NULL DEFAULT false,
        PRIMARY KEY (workspace_id, id)
    """,
    "pins": """
        workspace_id text NOT NULL,
        media_id text COLLATE "C" NOT NULL,
        holder text NOT NULL,
        until timestamptz NOT NULL,
        PRIMARY KEY (workspace_id, media_id, holder),
        FOREIGN KEY (workspace_id, media_id) REFERENCES ingest.media (workspace_id, id) ON DELETE CASCADE
    """,
    # A verdict names the very object it is about: replayed for another it does not fit.
    "verdicts": """
        workspace_id text NOT NULL,
        media_id text COLLATE "C" NOT NULL,
        outcome text NOT NULL CHECK (outcome IN ('clean', 'infected', 'unscannable')),
        threat text NOT NULL,
        key text NOT NULL,
        etag text NOT NULL,
        sha256 text NOT NULL,
        size_bytes bigint NOT NULL,
        decided_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (workspace_id, media_id),
        FOREIGN KEY (workspace_id, media_id) REFERENCES ingest.media (workspace_id, id) ON DELETE CASCADE
    """,
}

# The sweepers' questions, each over the few rows it can be about.
INDEXES = (
    "CREATE INDEX media_due ON ingest.media (state, due_at) WHERE state IN ('scanning', 'processing')",
    "CREATE INDEX media_receiving ON ingest.media (lease_until) WHERE state = 'receiving'",
    "CREATE INDEX media_owed ON ingest.media (workspace_id) WHERE state = 'scanning' AND tries > 0",
    "CREATE INDEX media_expires ON ingest.media (expires_at) WHERE state NOT IN ('deleted', 'expired')",
    "CREATE INDEX media_litter ON ingest.media (due_at) WHERE"
    " (in_quarantine AND state NOT IN ('receiving', 'scanning'))"
    " OR (in_active AND state IN ('rejected', 'deleted', 'expired'))"
    " OR (NOT deletion_told AND state IN ('deleted', 'expired'))",
)


def upgrade() -> None:
    """Creates the stage's tables."""
    for table, columns in TABLES.items():
        op.execute(f"CREATE TABLE {SCHEMA}.{table} ({columns})")
        tenant_table(op, SCHEMA, table)
    for index in INDEXES:
        op.execute(index)
    outbox_inbox(op, SCHEMA)


def downgrade() -> None:
    """Drops all there is."""
    op.execute("DROP TABLE ingest.inbox, ingest.outbox")
    for table in reversed(TABLES):
        op.execute(f"DROP TABLE {SCHEMA}.{table}")
