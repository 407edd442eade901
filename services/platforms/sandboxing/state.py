"""What a platform's sandbox is given."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from services.platforms.sandboxing.faults import Faults
from services.platforms.sandboxing.store import Store

# Secrets that begin so are valid, and name the account they belong to. Everything else is refused as the platform does.
VALID_PREFIX = "sandbox-"


@dataclass(frozen=True, slots=True)
class SandboxState:
    """One platform's sandbox.

    Attributes:
        store: What it keeps.
        public_url: Where its clients reach it, without a trailing slash, e.g. "http://127.0.0.1:17061/bluesky".
        faults: What it was told to do wrong.
        trusted: URLs whose origins it fetches media from, whatever their addresses and by plain HTTP too.
    """

    store: Store
    public_url: str
    faults: Faults
    trusted: tuple[str, ...] = ()

    @staticmethod
    def open(folder: Path, public_url: str, trusted: tuple[str, ...] = ()) -> SandboxState:
        """With what that folder holds from earlier runs."""
        folder.mkdir(parents=True, exist_ok=True)
        return SandboxState(Store(folder), public_url.rstrip("/"), Faults(), trusted)


def now() -> datetime:
    """Aware UTC."""
    return datetime.now(UTC)


def is_valid(secret: str) -> bool:
    """Whether the sandbox takes this password or token."""
    return secret.startswith(VALID_PREFIX)
