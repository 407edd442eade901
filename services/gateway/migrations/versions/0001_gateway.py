"""Workspaces, API keys, and first answers by Idempotency-Key."""

from alembic import op

from services.common.migrate import tenant_table

revision = "gateway_0001"
down_revision = None
branch_labels = None
depends_on = None

SCHEMA = "gateway"

TABLES = {
    "workspaces": """
        workspace_id text PRIMARY KEY,
        name text NOT NULL,
        plan text NOT NULL CHECK (plan IN ('free', 'pro', 'business')),
        created_at timestamptz NOT NULL
    """,
    "api_keys": """
        key_id text PRIMARY KEY,
        workspace_id text NOT NULL REFERENCES gateway.workspaces,
        name text NOT NULL,
        mode text NOT NULL CHECK (mode IN ('live', 'test')),
        scopes text[] NOT NULL,
        digest bytea NOT NULL,
        hint text NOT NULL,
        created_at timestamptz NOT NULL,
        last_used_at timestamptz,
        revoked_at timestamptz
    """,
    "idempotency": """
        workspace_id text NOT NULL,
        route text NOT NULL,
        key text NOT NULL,
        token text NOT NULL,
        fingerprint bytea,
        lease_until timestamptz NOT NULL,
        expires_at timestamptz NOT NULL,
        status integer,
        headers jsonb,
        body bytea,
        PRIMARY KEY (workspace_id, route, key)
    """,
}


def upgrade() -> None:
    """Create the gateway's tables, each behind its row-level policy."""
    for name, columns in TABLES.items():
        op.execute(f"CREATE TABLE {SCHEMA}.{name} ({columns})")
        tenant_table(op, SCHEMA, name)
    op.execute(f"CREATE INDEX api_keys_by_workspace ON {SCHEMA}.api_keys (workspace_id, key_id DESC)")
    op.execute(f"CREATE INDEX idempotency_old ON {SCHEMA}.idempotency (expires_at)")


def downgrade() -> None:
    """Drop them."""
    for name in reversed(TABLES):
        op.execute(f"DROP TABLE {SCHEMA}.{name}")
