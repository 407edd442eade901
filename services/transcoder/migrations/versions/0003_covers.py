"""Which moment of a film its covers show, where somebody chose it."""

from alembic import op

revision = "transcoder_0003"
down_revision = "transcoder_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the moment, and the version of ingest's word that named it; so far nobody chose."""
    op.execute(
        "ALTER TABLE transcoder.items ADD COLUMN cover_at_s double precision CHECK (cover_at_s >= 0),"
        " ADD COLUMN source_version bigint NOT NULL DEFAULT 0"
    )


def downgrade() -> None:
    """Forgets the choices."""
    op.execute("ALTER TABLE transcoder.items DROP COLUMN cover_at_s, DROP COLUMN source_version")
