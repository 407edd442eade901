"""What the gateway needs kept: keys, first answers, and how often is asked."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from services.gateway.domain.keys import ApiKey, Grant, Mode, Workspace
from services.gateway.domain.rates import Kind, Rate, Taken
from services.gateway.domain.replays import Prior, Scope, StoredAnswer


class Keys(Protocol):
    """The table of API keys."""

    async def find(self, key_id: str) -> Grant | None:
        """The unrevoked key of that id, in whatever workspace."""

    async def add(self, key: ApiKey) -> None:
        """Store a new key."""

    async def page(self, workspace_id: str, *, limit: int, before: str | None, mode: Mode | None) -> list[ApiKey]:
        """Unrevoked keys, newest first, of one mode or all, with ids below `before`."""

    async def revoke(self, workspace_id: str, key_id: str, *, mode: Mode | None, at: datetime) -> bool:
        """Revoke a key (of that mode, if given); False where there is none to revoke."""

    async def touch(self, workspace_id: str, key_id: str, *, at: datetime) -> None:
        """Remember that the key was used."""


class Workspaces(Protocol):
    """The table of workspaces."""

    async def add(self, workspace: Workspace) -> bool:
        """Store a new one; False, and nothing is changed, where its id is taken."""

    async def get(self, workspace_id: str) -> Workspace | None:
        """One of them."""

    async def page(self, *, limit: int, before: str | None) -> Sequence[Workspace]:
        """Newest first, with ids below `before`."""

    async def keep(self, workspace: Workspace) -> bool:
        """Store what may change of one; False where there is none."""


class Replays(Protocol):
    """The table of first answers. A claim is a lease: whoever held it and died is replaced after `lease_s`."""

    async def claim(self, scope: Scope, *, token: str, fingerprint: bytes | None, lease_s: float) -> Prior | None:
        """Take the key for this request, or tell what is there already.

        A claim without answer whose lease ran out is taken over, unless its content is known and another.
        """

    async def extend(self, scope: Scope, *, token: str, lease_s: float) -> None:
        """Keep a claim a little longer."""

    async def settle(self, scope: Scope, *, token: str, fingerprint: bytes, answer: StoredAnswer) -> None:
        """Store the answer, if the claim is still ours."""

    async def release(self, scope: Scope, *, token: str) -> None:
        """Forget the claim: the request left nothing behind."""

    async def forget_old(self) -> int:
        """Delete what is older than 24 hours; how many rows."""


class Buckets(Protocol):
    """The requests each workspace may still make, for all gateways together."""

    async def take(self, workspace_id: str, kind: Kind, rate: Rate, *, wanted: int, returned: int) -> Taken:
        """Puts `returned` unused requests back and takes up to `wanted` out. Raises: MediaError UNAVAILABLE."""
