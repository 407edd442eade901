"""Items with what every preset became."""

from alembic import op

from services.common.migrate import outbox_inbox, tenant_table

revision = "transcoder_0001"
down_revision = None
branch_labels = None
depends_on = None

SCHEMA = "transcoder"

TABLES = {
    # due_at: when something pending may be worked at; of a tombstone, when its objects are swept.
    # queued_at: its place in the queue, which of a workspace with much to do lies in the future.
    "items": """
        workspace_id text NOT NULL,
        id text COLLATE "C" NOT NULL,
        gone boolean NOT NULL DEFAULT false,
        kind text NOT NULL CHECK (kind IN ('image', 'video')),
        content_type text NOT NULL,
        source_key text NOT NULL,
        source_etag text NOT NULL,
        size_bytes bigint NOT NULL CHECK (size_bytes >= 0),
        sha256 text NOT NULL,
        token text NOT NULL,
        request_id text NOT NULL,
        version bigint NOT NULL,
        width integer,
        height integer,
        duration_s double precision,
        has_audio boolean,
        thumbhash text,
        fit jsonb,
        catalog text,
        fault text,
        created_at timestamptz NOT NULL DEFAULT now(),
        epoch bigint NOT NULL DEFAULT 0,
        lease_until timestamptz,
        tries integer NOT NULL DEFAULT 0,
        due_at timestamptz,
        queued_at timestamptz NOT NULL DEFAULT now(),
        retell_at timestamptz,
        PRIMARY KEY (workspace_id, id)
    """,
    "variants": """
        workspace_id text NOT NULL,
        media_id text COLLATE "C" NOT NULL,
        preset text NOT NULL,
        preset_digest text NOT NULL,
        eager boolean NOT NULL,
        status text CHECK (status IN ('ready', 'rejected', 'failed')),
        how text CHECK (how IN ('as_is', 'strip', 'remux', 'encode')),
        digest text NOT NULL,
        key text,
        content_type text NOT NULL,
        size_bytes bigint NOT NULL CHECK (size_bytes >= 0),
        width integer NOT NULL,
        height integer NOT NULL,
        duration_s double precision NOT NULL,
        reason text,
        PRIMARY KEY (workspace_id, media_id, preset),
        FOREIGN KEY (workspace_id, media_id) REFERENCES transcoder.items (workspace_id, id) ON DELETE CASCADE,
        CHECK ((status = 'ready') = (key IS NOT NULL))
    """,
}

# Each over the few rows its question can be about.
INDEXES = (
    "CREATE INDEX items_due ON transcoder.items (kind, queued_at) WHERE due_at IS NOT NULL AND NOT gone",
    "CREATE INDEX items_queued ON transcoder.items (workspace_id, kind, queued_at)"
    " WHERE due_at IS NOT NULL AND NOT gone",
    "CREATE INDEX items_litter ON transcoder.items (due_at) WHERE due_at IS NOT NULL AND gone",
    "CREATE INDEX items_retell ON transcoder.items (retell_at) WHERE retell_at IS NOT NULL",
    "CREATE INDEX items_twins ON transcoder.items (workspace_id, sha256) WHERE NOT gone",
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
    op.execute("DROP TABLE transcoder.inbox, transcoder.outbox")
    for table in reversed(TABLES):
        op.execute(f"DROP TABLE {SCHEMA}.{table}")
