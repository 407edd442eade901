"""Many events to ten endpoints of which four are trouble, before a publisher that is a process of its own.

Posts are settled in the publisher's tables, a transaction each; whatever follows is the publisher's: its outbox, the
event, the fan-out, the attempts.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from mediaapi.v1 import events_pb2, post_pb2
from mediaapi.v1 import webhook_pb2 as pb
from sqlalchemy import text
from standardwebhooks.webhooks import WebhookVerificationError

from services.common import clock, events, ids, outbox
from services.common.db import Database
from services.publisher.adapters.postgres.posts import SCHEMA
from tests.receiver import Receiver, Request

if TYPE_CHECKING:
    from mediaapi.v1.publisher_service_pb2_grpc import PublisherServiceAsyncStub

HEALTHY = tuple(f"/ok/{n}" for n in range(6))
LATE = ("/slow", "/flap")  # get everything in the end
DEAD = ("/down", "/hang")

_POST = text(
    "INSERT INTO publisher.posts (workspace_id, id, live, text, media, status, request_id, created_at, version)"
    " VALUES (:workspace_id, :id, false, '', '[]', 'published', 'req_1', now(), 2)"
)
_TARGET = text(
    "INSERT INTO publisher.targets (workspace_id, post_id, index, platform, account_id, options, status, published_at)"
    " VALUES (:workspace_id, :id, 0, 'somewhere', 'acc_1', '{}', 'published', now())"
)
_TAKEN = text(
    "SELECT count(*) FROM publisher.webhook_deliveries d JOIN publisher.webhook_endpoints e ON e.id = d.endpoint_id"
    " WHERE d.status = 'delivered' AND e.url = ANY(:urls)"
)


@dataclass
class Load:
    """One workspace's endpoints and posts.

    Attributes:
        secrets: By path.   settled: when each post's end was committed.
        verified: Requests by path that were found good as they came.   refused: why others were not.
    """

    receiver: Receiver
    database: Database
    workspace_id: str
    secrets: dict[str, str] = field(default_factory=dict)
    settled: dict[str, datetime] = field(default_factory=dict)
    verified: Counter[str] = field(default_factory=Counter)
    refused: list[str] = field(default_factory=list)

    async def register(self, stub: "PublisherServiceAsyncStub", paths: Sequence[str]) -> None:
        """An endpoint for each path; what comes there is verified from then on."""
        self.receiver.heed = self._verify
        for path in paths:
            request = pb.CreateWebhookEndpointRequest(url=self.receiver.url + path, events=["post.published"])
            made: pb.WebhookEndpoint = await stub.CreateWebhookEndpoint(request)
            self.secrets[path] = made.secret

    async def settle(self, count: int, per_s: float) -> None:
        """Posts that come to their end, evenly spread over time."""
        loop = asyncio.get_running_loop()
        begun = loop.time()
        for n in range(count):
            await asyncio.sleep(max(0.0, begun + n / per_s - loop.time()))
            await self._settle_one()

    async def _settle_one(self) -> None:
        post_id = ids.new("post")
        bind = {"workspace_id": self.workspace_id, "id": post_id}
        payload = events_pb2.PostSettled(status=post_pb2.POST_STATUS_PUBLISHED)
        event = events.event(payload, workspace_id=self.workspace_id, subject_id=post_id, version=2)
        async with self.database.tx(self.workspace_id) as conn:
            await conn.execute(_POST, bind)
            await conn.execute(_TARGET, bind)
            await outbox.emit(conn, SCHEMA, event)
        self.settled[post_id] = clock.utc_now()

    async def delivered(self, paths: Sequence[str], within_s: float) -> None:
        """Until these endpoints have taken every post's event."""
        bind = {"urls": [self.receiver.url + path for path in paths]}
        async with asyncio.timeout(within_s):
            while True:
                async with self.database.tx(self.workspace_id) as conn:
                    taken = (await conn.execute(_TAKEN, bind)).scalar_one()
                if taken == len(self.settled) * len(paths):
                    return
                await asyncio.sleep(0.5)

    def missing(self, path: str) -> set[str]:
        """Posts that were not told there."""
        return set(self.settled) - set(self._first(path))

    def latencies_s(self, path: str) -> list[float]:
        """From the commit of each post's end to its first arrival there, shortest first."""
        return sorted((at - self.settled[post_id]).total_seconds() for post_id, at in self._first(path).items())

    def _first(self, path: str) -> dict[str, datetime]:
        found: dict[str, datetime] = {}
        for request in self.receiver.at(path):
            found.setdefault(json.loads(request.body)["data"]["id"], request.at)
        return found

    def _verify(self, request: Request) -> None:
        """With the receivers' own library, which takes nothing that is older than five minutes."""
        if request.path not in self.secrets:
            return
        try:
            request.verified(self.secrets[request.path])
        except WebhookVerificationError as exc:
            self.refused.append(f"{request.path}: {exc}")
        else:
            self.verified[request.path] += 1
