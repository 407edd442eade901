"""What each workspace holds, counted as it changes."""

from alembic import op

from services.common.migrate import tenant_table

revision = "ingest_0005"
down_revision = "ingest_0004"
branch_labels = None
depends_on = None

USAGE = """
    workspace_id text PRIMARY KEY,
    media bigint NOT NULL DEFAULT 0 CHECK (media >= 0),
    bytes bigint NOT NULL DEFAULT 0 CHECK (bytes >= 0),
    uploads bigint NOT NULL DEFAULT 0 CHECK (uploads >= 0)
"""

# What one row counts for. A whole upload in pieces still takes its place and its bytes, but nothing comes in any more.
MEDIA_COUNTS = """
    SELECT (m.state NOT IN ('rejected', 'deleted', 'expired'))::int AS media,
           CASE WHEN m.state IN ('rejected', 'deleted', 'expired') THEN 0 ELSE m.size_bytes END AS bytes,
           (m.state = 'receiving')::int AS uploads
"""
UPLOADS_COUNT = """
    SELECT (u.phase = 'receiving')::int AS media,
           CASE WHEN u.phase = 'receiving' THEN u.size_bytes ELSE 0 END AS bytes,
           CASE WHEN u.phase <> 'receiving' OR u.finishing THEN 0
                WHEN u.tail_bytes + (SELECT coalesce(sum((part->>2)::bigint), 0)
                                     FROM jsonb_array_elements(u.parts) part) < u.size_bytes THEN 1
                ELSE 0 END AS uploads
"""

# One transaction changes the count of a workspace at a time, from its change until it is over.
ADD = """
    CREATE FUNCTION ingest.add_usage(workspace text, more_media bigint, more_bytes bigint, more_uploads bigint)
    RETURNS void LANGUAGE plpgsql AS $$
    BEGIN
        IF more_media = 0 AND more_bytes = 0 AND more_uploads = 0 THEN
            RETURN;
        END IF;
        LOOP
            UPDATE ingest.usage SET media = media + more_media, bytes = bytes + more_bytes,
                uploads = uploads + more_uploads WHERE workspace_id = workspace;
            EXIT WHEN FOUND;
            INSERT INTO ingest.usage (workspace_id) VALUES (workspace) ON CONFLICT DO NOTHING;
        END LOOP;
    END $$
"""
COUNT = """
    CREATE FUNCTION ingest.count_{table}() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        was record;
        now_is record;
    BEGIN
        SELECT 0 AS media, 0::bigint AS bytes, 0 AS uploads INTO was;
        now_is := was;
        IF TG_OP <> 'INSERT' THEN
            SELECT counts.* INTO was FROM ingest.counts(OLD) counts;
        END IF;
        IF TG_OP <> 'DELETE' THEN
            SELECT counts.* INTO now_is FROM ingest.counts(NEW) counts;
        END IF;
        PERFORM ingest.add_usage(coalesce(NEW.workspace_id, OLD.workspace_id), now_is.media - was.media,
            now_is.bytes - was.bytes, now_is.uploads - was.uploads);
        RETURN NULL;
    END $$
"""
TABLES = {"media": ("m", MEDIA_COUNTS, "state, size_bytes"), "uploads": ("u", UPLOADS_COUNT, "phase, parts, finishing")}
BACKFILL = """
    INSERT INTO ingest.usage (workspace_id, media, bytes, uploads)
    SELECT workspace_id, sum(media), sum(bytes), sum(uploads) FROM (
        SELECT m.workspace_id, counts.* FROM ingest.media m, ingest.counts(m) counts
        UNION ALL SELECT u.workspace_id, counts.* FROM ingest.uploads u, ingest.counts(u) counts
    ) counted GROUP BY workspace_id
"""


def upgrade() -> None:
    """Counts what there is, and from then on what changes, whoever changes it."""
    op.execute(f"CREATE TABLE ingest.usage ({USAGE})")
    op.execute(ADD)
    for table, (row, counts, columns) in TABLES.items():
        # Nothing may change between being counted and being watched; and the owner must see every workspace's rows.
        op.execute(f"LOCK TABLE ingest.{table} IN ACCESS EXCLUSIVE MODE")
        op.execute(f"ALTER TABLE ingest.{table} NO FORCE ROW LEVEL SECURITY")
        op.execute(
            f"CREATE FUNCTION ingest.counts({row} ingest.{table})"
            f" RETURNS TABLE (media int, bytes bigint, uploads int) LANGUAGE sql IMMUTABLE AS $$ {counts} $$"
        )
        op.execute(COUNT.format(table=table))
        op.execute(
            f"CREATE TRIGGER usage AFTER INSERT OR DELETE OR UPDATE OF {columns} ON ingest.{table}"
            f" FOR EACH ROW EXECUTE FUNCTION ingest.count_{table}()"
        )
    op.execute(BACKFILL)
    for table in TABLES:
        op.execute(f"ALTER TABLE ingest.{table} FORCE ROW LEVEL SECURITY")
    tenant_table(op, "ingest", "usage")


def downgrade() -> None:
    """Counts no more."""
    for table in TABLES:
        op.execute(f"DROP TRIGGER usage ON ingest.{table}")
        op.execute(f"DROP FUNCTION ingest.count_{table}()")
        op.execute(f"DROP FUNCTION ingest.counts(ingest.{table})")
    op.execute("DROP FUNCTION ingest.add_usage(text, bigint, bigint, bigint)")
    op.execute("DROP TABLE ingest.usage")
