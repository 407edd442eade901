"""Accounts with their sealed credentials, posts with their targets, attempts and usage."""

from alembic import op

from services.common.migrate import outbox_inbox, tenant_table

revision = "publisher_0001"
down_revision = None
branch_labels = None
depends_on = None

SCHEMA = "publisher"

TABLES = {
    "workspace_keys": """
        workspace_id text NOT NULL,
        version integer NOT NULL,
        kek_id text NOT NULL,
        wrapped bytea NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (workspace_id, version)
    """,
    "accounts": """
        workspace_id text NOT NULL,
        id text NOT NULL,
        platform text NOT NULL,
        live boolean NOT NULL,
        display_name text NOT NULL,
        external_id text NOT NULL,
        status text NOT NULL CHECK (status IN ('active', 'invalid')),
        service_url text,
        key_version integer NOT NULL,
        sealed bytea NOT NULL,
        created_at timestamptz NOT NULL,
        PRIMARY KEY (workspace_id, id)
    """,
    "posts": """
        workspace_id text NOT NULL,
        id text NOT NULL,
        live boolean NOT NULL,
        text text NOT NULL,
        media jsonb NOT NULL,
        status text NOT NULL,
        idempotency_key text,
        request_id text NOT NULL,
        scheduled_at timestamptz,
        created_at timestamptz NOT NULL,
        version bigint NOT NULL DEFAULT 1,
        PRIMARY KEY (workspace_id, id)
    """,
    "post_media": """
        workspace_id text NOT NULL,
        post_id text NOT NULL,
        media_id text NOT NULL,
        alt_text text,
        needed boolean NOT NULL DEFAULT true,
        released_at timestamptz,
        PRIMARY KEY (workspace_id, post_id, media_id)
    """,
    "targets": """
        workspace_id text NOT NULL,
        post_id text NOT NULL,
        index integer NOT NULL,
        platform text NOT NULL,
        account_id text NOT NULL,
        text text,
        media jsonb,
        options jsonb NOT NULL,
        status text NOT NULL,
        preset text,
        platform_post_id text,
        url text,
        published_at timestamptz,
        error_code text,
        error_message text,
        tries integer NOT NULL DEFAULT 0,
        checks integer NOT NULL DEFAULT 0,
        waits integer NOT NULL DEFAULT 0,
        waiting_since timestamptz,
        chosen jsonb,
        progress jsonb NOT NULL DEFAULT '{}',
        epoch bigint NOT NULL DEFAULT 0,
        claimed boolean NOT NULL DEFAULT false,
        next_at timestamptz,
        PRIMARY KEY (workspace_id, post_id, index),
        CHECK ((next_at IS NULL) = (status IN ('published', 'failed', 'unconfirmed', 'canceled')))
    """,
    "attempts": """
        workspace_id text NOT NULL,
        post_id text NOT NULL,
        target_index integer NOT NULL,
        number integer NOT NULL,
        handle text NOT NULL,
        prepared jsonb NOT NULL,
        since timestamptz NOT NULL DEFAULT now(),
        outcome text CHECK (outcome IN ('published', 'not_sent', 'absent', 'unconfirmed')),
        ended_at timestamptz,
        error_code text,
        error_message text,
        PRIMARY KEY (workspace_id, post_id, target_index, number)
    """,
    "usage": """
        workspace_id text NOT NULL,
        post_id text NOT NULL,
        target_index integer NOT NULL,
        platform text NOT NULL,
        live boolean NOT NULL,
        period text NOT NULL,
        published_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (workspace_id, post_id, target_index)
    """,
}

INDEXES = (
    f"CREATE UNIQUE INDEX posts_idempotency ON {SCHEMA}.posts (workspace_id, live, idempotency_key)"
    " WHERE idempotency_key IS NOT NULL",
    f"CREATE INDEX posts_newest ON {SCHEMA}.posts (workspace_id, live, created_at DESC, id DESC)",
    f"CREATE INDEX accounts_newest ON {SCHEMA}.accounts (workspace_id, live, created_at DESC, id DESC)",
    f"CREATE INDEX targets_due ON {SCHEMA}.targets (next_at) WHERE next_at IS NOT NULL",
    f"CREATE INDEX targets_open ON {SCHEMA}.targets (workspace_id) WHERE next_at IS NOT NULL",
    # What at-most-once means, said to the database: at most one intent in doubt.
    f"CREATE UNIQUE INDEX attempts_open ON {SCHEMA}.attempts (workspace_id, post_id, target_index)"
    " WHERE outcome IS NULL",
    f"CREATE INDEX usage_period ON {SCHEMA}.usage (workspace_id, live, period)",
    f"CREATE INDEX post_media_item ON {SCHEMA}.post_media (workspace_id, media_id) WHERE released_at IS NULL",
    f"CREATE INDEX post_media_ended ON {SCHEMA}.post_media (post_id) WHERE NOT needed AND released_at IS NULL",
)


def upgrade() -> None:
    """Creates the tables, their row-level security and their indexes."""
    for table, columns in TABLES.items():
        op.execute(f"CREATE TABLE {SCHEMA}.{table} ({columns})")
        tenant_table(op, SCHEMA, table)
    outbox_inbox(op, SCHEMA)
    for index in INDEXES:
        op.execute(index)


def downgrade() -> None:
    """Drops all there is."""
    op.execute("DROP TABLE publisher.inbox, publisher.outbox")
    for table in reversed(TABLES):
        op.execute(f"DROP TABLE {SCHEMA}.{table}")
