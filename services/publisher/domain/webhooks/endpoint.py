"""Where a workspace wants to be told of events. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from services.common.errors import Violation

MAX_ENDPOINTS = 20  # per workspace and mode
MAX_URL_CHARS = 2_000
MAX_DESCRIPTION_CHARS = 500
OLD_SECRET_LIFE = timedelta(hours=24)


class EndpointStatus(StrEnum):
    """The names are those of the public API."""

    ACTIVE = "active"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A registered URL, without its secrets.

    Attributes:
        live: The mode of the key that made it: it hears of that mode's posts.
        old_until: Until then the secret before signs too; None: there is none.
        failing_since: No attempt has succeeded since; None: the last one did.
    """

    endpoint_id: str
    live: bool
    url: str
    description: str
    events: tuple[str, ...]
    status: EndpointStatus
    created_at: datetime
    old_until: datetime | None = None
    failing_since: datetime | None = None


def problems(url: str | None, description: str | None) -> list[Violation]:
    """What is wrong with the texts of an endpoint; None: not given."""
    found = []
    if url is not None and not 1 <= len(url) <= MAX_URL_CHARS:
        found.append(Violation("url", f"must have 1 to {MAX_URL_CHARS} characters"))
    if description is not None and len(description) > MAX_DESCRIPTION_CHARS:
        found.append(Violation("description", f"must have at most {MAX_DESCRIPTION_CHARS} characters"))
    return found
