"""Connected accounts. Pure."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class AccountStatus(StrEnum):
    """The names are those of the public API."""

    ACTIVE = "active"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An account of a platform, without its credentials. live: it is reached for real, not in the sandbox."""

    account_id: str
    platform: str
    live: bool
    display_name: str
    external_id: str
    status: AccountStatus
    service_url: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class AccountFilter:
    """Which accounts a list shows; None means all."""

    platform: str | None = None
