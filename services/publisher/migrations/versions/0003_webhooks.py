"""Webhook endpoints with their sealed secrets, the events made for them, and each event's way to each endpoint."""

from alembic import op

from services.common.migrate import tenant_table

revision = "publisher_0003"
down_revision = "publisher_0002"
branch_labels = None
depends_on = None

SCHEMA = "publisher"

TABLES = {
    "webhook_endpoints": """
        workspace_id text NOT NULL,
        id text NOT NULL UNIQUE,
        live boolean NOT NULL,
        url text NOT NULL,
        description text NOT NULL,
        events text[] NOT NULL,
        status text NOT NULL CHECK (status IN ('active', 'disabled')),
        key_version integer NOT NULL,
        sealed bytea NOT NULL,
        old_key_version integer,
        old_sealed bytea,
        old_until timestamptz,
        failing_since timestamptz,
        created_at timestamptz NOT NULL,
        PRIMARY KEY (workspace_id, id)
    """,
    # What happened, once for each cause, as the text that every endpoint gets.
    "webhook_events": """
        workspace_id text NOT NULL,
        id text NOT NULL,
        cause text NOT NULL,
        type text NOT NULL,
        body text NOT NULL,
        created_at timestamptz NOT NULL,
        PRIMARY KEY (workspace_id, id),
        UNIQUE (workspace_id, cause)
    """,
    # next_at: while pending, when it is next anybody's; of a claimed one, the end of its lease.
    "webhook_deliveries": """
        workspace_id text NOT NULL,
        id text NOT NULL,
        endpoint_id text NOT NULL,
        event_id text NOT NULL,
        status text NOT NULL CHECK (status IN ('pending', 'delivered', 'failed')),
        once boolean NOT NULL,
        attempts integer NOT NULL DEFAULT 0,
        failures integer NOT NULL DEFAULT 0,
        claimed boolean NOT NULL DEFAULT false,
        epoch bigint NOT NULL DEFAULT 0,
        next_at timestamptz,
        last_attempt_at timestamptz,
        response_status integer,
        error text,
        created_at timestamptz NOT NULL,
        PRIMARY KEY (workspace_id, id),
        UNIQUE (workspace_id, endpoint_id, event_id),
        CHECK ((next_at IS NOT NULL) = (status = 'pending'))
    """,
}

INDEXES = (
    f"CREATE INDEX webhook_endpoints_newest ON {SCHEMA}.webhook_endpoints (workspace_id, live, created_at DESC,"
    " id DESC)",
    f"CREATE INDEX webhook_deliveries_lanes ON {SCHEMA}.webhook_deliveries (endpoint_id, next_at, id)"
    " WHERE next_at IS NOT NULL",
    f"CREATE INDEX webhook_deliveries_held ON {SCHEMA}.webhook_deliveries (endpoint_id) WHERE claimed",
    f"CREATE INDEX webhook_deliveries_newest ON {SCHEMA}.webhook_deliveries (workspace_id, endpoint_id,"
    " created_at DESC, id DESC)",
    f"CREATE INDEX webhook_deliveries_event ON {SCHEMA}.webhook_deliveries (workspace_id, event_id)",
    f"CREATE INDEX webhook_events_age ON {SCHEMA}.webhook_events (created_at)",
)


def upgrade() -> None:
    """Creates the tables, their row-level security and their indexes."""
    for table, columns in TABLES.items():
        op.execute(f"CREATE TABLE {SCHEMA}.{table} ({columns})")
        tenant_table(op, SCHEMA, table)
    for index in INDEXES:
        op.execute(index)


def downgrade() -> None:
    """Forgets the endpoints and all that was to be sent to them."""
    for table in reversed(TABLES):
        op.execute(f"DROP TABLE {SCHEMA}.{table}")
