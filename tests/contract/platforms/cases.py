"""Posts of which only the publishing is left, and what becomes of their lost answers."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from services.platforms.ports import JSON, Absent, Account, CannotTell, Draft, Receipt
from tests.contract.platforms.playing import Played


@dataclass
class Case:
    """One that is prepared."""

    played: Played
    account: Account
    wanted: Draft
    prepared: Mapping[str, JSON]

    @staticmethod
    async def ready(played: Played, name: str, wanted: Draft) -> "Case":
        """name: of an account of its own."""
        account = await played.connected(name)
        return Case(played, account, wanted, await played.prepared(account, wanted))

    async def publish(self) -> Receipt:
        """Once."""
        return await self.played.publisher.publish(self.played.http, self.account, self.wanted, self.prepared, "")

    async def reconcile(self, since: datetime | None = None) -> Receipt | Absent | CannotTell:
        """Looks it up."""
        begun = since or datetime.now(UTC)
        return await self.played.publisher.reconcile(
            self.played.http, self.account, self.wanted, self.prepared, "", begun
        )

    async def published(self) -> list[str]:
        """Ids of this account's posts."""
        name = self.account.credentials["username"]
        return [post["id"] for post in await self.played.received() if post["account"] == name]
