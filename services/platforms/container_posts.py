"""Publishing on Meta's services that make posts of containers: what their modules have in common.

The container's id is in what prepare() returns; after a lost answer its status says what became of it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import httpx

from services.platforms.calls import text_at
from services.platforms.containers import Containers, Dialect, Wanted, earliest
from services.platforms.graph import Graph, Service
from services.platforms.ports import (
    JSON,
    Absent,
    Account,
    CannotTell,
    Draft,
    Problem,
    Progress,
    Receipt,
    VerifiedAccount,
)  # fmt: skip
from services.platforms.scopes import Needed, require

PAGE = "50"


@dataclass(frozen=True, slots=True)
class Listing:
    """Where an account's newest posts are, below the user, and how one is told from another.

    text: What it says in the field text_field; None where such posts say nothing.
    """

    path: str
    text_field: str
    text: str | None


def default_preset(options: Mapping[str, JSON]) -> str:
    """Whichever fits."""
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerPublisher:
    """ports.Publisher and ports.ChoosesPresets.

    Attributes:
        problems: Of a draft, without asking.   wanted: its containers.
        dialect: Of the service, for this draft.   listing: where its post will be.
        preset: By a post's options.
        scopes: What a token needs, where the service tells what it has.
    """

    id: str
    service: Service
    problems: Callable[[Draft], Iterator[Problem]]
    wanted: Callable[[Draft], Wanted]
    dialect: Callable[[Draft], Dialect]
    listing: Callable[[Draft], Listing]
    preset: Callable[[Mapping[str, JSON]], str] = default_preset
    scopes: tuple[Needed, ...] = ()

    def check(self, draft: Draft) -> Sequence[Problem]:
        """See the platform's checks.py."""
        return list(self.problems(draft))

    async def verify(self, http: httpx.AsyncClient, account: Account) -> VerifiedAccount:
        """Asks whose token it is, and makes it last."""
        graph = Graph(self.service, http, account)
        me = await graph.me()
        if self.scopes:
            require(self.service.name, await graph.scopes(graph.token), self.scopes)
        credentials = await graph.refreshed() or account.credentials
        known = {**credentials, "user_id": me.user_id, "username": me.username}
        return VerifiedAccount(f"@{me.username}", me.user_id, known)

    def new_handle(self, draft: Draft, account: Account, now: datetime, random_bytes: Callable[[int], bytes]) -> str:
        """None of ours: the service gives it, with the container."""
        return ""

    async def prepare(
        self, http: httpx.AsyncClient, account: Account, draft: Draft, progress: Progress
    ) -> Mapping[str, JSON]:
        """Makes the containers and waits until the service has fetched the media."""
        graph = Graph(self.service, http, account, waits=True)
        await graph.keep_fresh()
        user_id = account.credentials.get("user_id") or (await graph.me()).user_id
        container_id = await Containers(graph, self.dialect(draft), user_id).bring(self.wanted(draft), progress)
        return {"userId": user_id, "containerId": container_id}

    async def publish(
        self, http: httpx.AsyncClient, account: Account, draft: Draft, prepared: Mapping[str, JSON], handle: str
    ) -> Receipt:
        """Publishes the container."""
        ours = self._containers(http, account, draft, prepared)
        post_id = await ours.publish(text_at(prepared, "containerId"))
        return Receipt(post_id, await ours.graph.permalink(post_id))

    async def reconcile(
        self,
        http: httpx.AsyncClient,
        account: Account,
        draft: Draft,
        prepared: Mapping[str, JSON],
        handle: str,
        since: datetime,
    ) -> Receipt | Absent | CannotTell:
        """Asks the container."""
        ours = self._containers(http, account, draft, prepared)
        container_id = text_at(prepared, "containerId")
        return await ours.outcome(container_id, since, lambda begun: self._find(ours, draft, begun))

    def _containers(
        self, http: httpx.AsyncClient, account: Account, draft: Draft, prepared: Mapping[str, JSON]
    ) -> Containers:
        return Containers(Graph(self.service, http, account), self.dialect(draft), text_at(prepared, "userId"))

    async def _find(self, ours: Containers, draft: Draft, since: datetime) -> Receipt | None:
        """The post among the account's newest."""
        where = self.listing(draft)
        query = {"fields": f"id,{where.text_field},permalink,timestamp", "limit": PAGE}
        listed = await ours.graph.get(f"/{ours.user_id}{where.path}", query)
        found = earliest(listed, where.text_field, where.text, since)
        return Receipt(text_at(found, "id"), text_at(found, "permalink") or None) if found else None
