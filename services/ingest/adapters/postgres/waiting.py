"""What waits in ingest's tables."""

from services.common.db import Database
from services.common.waiting import Steps
from services.ingest.adapters.postgres.media import SCHEMA

_STATE = "SELECT created_at AS since FROM ingest.media WHERE state = '{}' ORDER BY due_at"
_PINNED = (
    "EXISTS (SELECT FROM ingest.pins p WHERE p.workspace_id = m.workspace_id AND p.media_id = m.id AND p.until > now())"
)
STEPS = {
    "ingest_scanning": _STATE.format("scanning"),
    "ingest_processing": _STATE.format("processing"),
    "ingest_sealing": (
        "SELECT due_at AS since FROM ingest.uploads WHERE phase = 'receiving' AND finishing AND due_at <= now()"
        " ORDER BY due_at"
    ),
    # Since it should have ended.
    "ingest_expiring": (
        "SELECT expires_at AS since FROM ingest.media m WHERE state NOT IN ('deleted', 'expired')"  # noqa: S608
        f" AND expires_at <= now() AND NOT {_PINNED} ORDER BY expires_at"
    ),
    # Since the bytes of something that ended were to be removed, or were to be tried again.
    "ingest_removing": (
        "SELECT due_at AS since FROM ingest.media m WHERE ((in_quarantine AND state NOT IN ('receiving', 'scanning'))"  # noqa: S608
        " OR (in_active AND state IN ('rejected', 'deleted', 'expired'))"
        " OR (NOT deletion_told AND state IN ('deleted', 'expired')))"
        f" AND state <> 'processing' AND due_at <= now() AND NOT {_PINNED} ORDER BY due_at"
    ),
}


def steps(database: Database) -> Steps:
    """To be looked at now and then."""
    return Steps(database, SCHEMA, STEPS)
