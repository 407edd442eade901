"""What waits in the publisher's tables. What is under way has its time ahead, which is when its lease ends."""

from services.common.db import Database
from services.common.waiting import Steps
from services.publisher.adapters.postgres.posts import SCHEMA

_DUE = "SELECT next_at AS since FROM publisher.{} WHERE next_at <= now() ORDER BY next_at"
STEPS = {
    "publisher_targets": _DUE.format("targets"),
    "publisher_imports": _DUE.format("imports"),
    # By endpoint in the index: of very many, the oldest may be among the others.
    "publisher_webhooks": "SELECT next_at AS since FROM publisher.webhook_deliveries WHERE next_at <= now()",
    # Something was sent, and it is not known what became of it.
    "publisher_unknown": "SELECT since FROM publisher.attempts WHERE outcome IS NULL",
    # Endpoints are few, and read in any order.
    "publisher_failing_endpoints": (
        "SELECT failing_since AS since FROM publisher.webhook_endpoints WHERE status = 'active'"
        " AND failing_since IS NOT NULL"
    ),
    "publisher_disabled_endpoints": (
        "SELECT coalesce(failing_since, created_at) AS since FROM publisher.webhook_endpoints WHERE status = 'disabled'"
    ),
}


def steps(database: Database) -> Steps:
    """To be looked at now and then."""
    return Steps(database, SCHEMA, STEPS)
