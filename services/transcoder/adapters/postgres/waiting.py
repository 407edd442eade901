"""What waits in the transcoder's tables."""

from services.common.db import Database
from services.common.waiting import Steps
from services.transcoder.adapters.postgres.items import SCHEMA

# What is being worked on waits too, until it is done.
_JOBS = "SELECT queued_at AS since FROM transcoder.items WHERE due_at IS NOT NULL AND NOT gone AND kind = '{}'"
STEPS = {
    "transcoder_images": f"{_JOBS.format('image')} ORDER BY queued_at",
    "transcoder_videos": f"{_JOBS.format('video')} ORDER BY queued_at",
    "transcoder_removing": (
        "SELECT due_at AS since FROM transcoder.items WHERE due_at IS NOT NULL AND gone AND due_at <= now()"
        " ORDER BY due_at"
    ),
}


def steps(database: Database) -> Steps:
    """To be looked at now and then."""
    return Steps(database, SCHEMA, STEPS)
