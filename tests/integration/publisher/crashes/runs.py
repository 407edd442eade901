"""Seeded runs: a post to one platform's sandbox by processes that end or lose requests, until its target is settled.

Time passes when a run waits: what its rows say of the past and the future moves towards the past by as much. The
sandbox goes by the real clock, so a little of every wait is real.
"""

import asyncio
import random
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

import httpx
import psycopg

from services.platforms.ports import JSON
from services.publisher.app.assembly import World
from services.publisher.app.connecting import AccountInput
from services.publisher.domain.post import SETTLED, Target
from services.publisher.domain.request import MediaInput, PostInput, TargetInput
from services.publisher.ports import Caller, Claim, LeaseLostError
from tests.integration.publisher.crashes.processes import (
    CRASHES,
    LOST,
    POINT,
    REQUEST,
    WRITE,
    EndedError,
    Fault,
    Plan,
    Process,
)  # fmt: skip

REAL_WAIT_S = 0.4  # of one wait, at most: sandboxes take about as long over a video
MODES = {REQUEST: (*CRASHES, *LOST), WRITE: CRASHES, POINT: ("crash_before",)}
SECOND_FAULT = 0.3  # of the runs have one
GIVEN_UP_S = 3_600.0
TOO_SLOW = Fault("lease", 0, "lost")  # of no plan: what a busy machine does

_LEFT = b"SELECT extract(epoch FROM next_at - clock_timestamp())::float8 FROM publisher.targets WHERE workspace_id = %s"
_PASS = (
    b"UPDATE publisher.targets SET next_at = next_at - %(s)s * interval '1 s',"
    b" waiting_since = waiting_since - %(s)s * interval '1 s' WHERE workspace_id = %(ws)s",
    b"UPDATE publisher.attempts SET since = since - %(s)s * interval '1 s' WHERE workspace_id = %(ws)s",
)


class Sample(NamedTuple):
    """A kind of post: the ids of its media, its options, and whether it says something."""

    name: str
    media_ids: tuple[str, ...] = ()
    options: Mapping[str, JSON] = MappingProxyType({})
    has_text: bool = True


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run ended: the target's status and error code, after so many seconds, by how many processes.

    text: of the post; of one that says nothing, the account's name.
    """

    platform: str
    seed: int
    sample: str
    text: str
    plan: Plan
    status: str
    code: str
    waited_s: float
    processes: int


class Clockwork:
    """Claims for all runs at once, and lets time pass for each."""

    def __init__(self, world: World, conn: psycopg.AsyncConnection) -> None:
        self._world = world
        self._conn = conn
        self._claims: dict[str, list[Claim]] = defaultdict(list)
        self._looking = asyncio.Lock()

    async def due(self, workspace_id: str) -> Claim | None:
        """The run's target, if it is due. What is due for others is kept for them."""
        async with self._looking:
            for claim in await self._world.deliveries.claim(100, self._world.policy.lease_s):
                self._claims[claim.workspace_id].append(claim)
        waiting = self._claims[workspace_id]
        return waiting.pop() if waiting else None

    async def pass_until_due(self, workspace_id: str) -> float:
        """Lets time pass until the run's target is due again; how many seconds."""
        row = await (await self._conn.execute(_LEFT, (workspace_id,))).fetchone()
        assert row is not None
        left_s = max(float(row[0]), 0.0)
        await asyncio.sleep(min(left_s, REAL_WAIT_S))
        for statement in _PASS:
            await self._conn.execute(statement, {"s": max(left_s - REAL_WAIT_S, 0.0), "ws": workspace_id})
        return left_s


class Run:
    """One post to one account of its own, in a workspace of its own."""

    def __init__(
        self, world: World, clockwork: Clockwork, transport: httpx.AsyncBaseTransport, *, platform: str, name: str
    ) -> None:
        self._world = world
        self._clockwork = clockwork
        self._transport = transport
        self._platform = platform
        self._caller = Caller(f"ws_{name}", live=False)
        self._name = name

    async def until_settled(self, seed: int, sample: Sample, plan: Plan) -> Ending:
        """Posts, and delivers until the target is settled."""
        setting_up = Process(self._world, self._transport, Plan())
        wanted = PostInput(
            text=f"crash run {self._name}" if sample.has_text else "",
            targets=[TargetInput(platform=self._platform, options=sample.options)],
            media=[MediaInput(media_id=it) for it in sample.media_ids],
        )
        await setting_up.app.connect.create(self._caller, self._account())
        post = await setting_up.app.create_post(
            self._caller, wanted, plan="business", idempotency_key=None, request_id=self._name
        )
        await setting_up.close()
        process, processes, waited_s = Process(self._world, self._transport, plan), 1, 0.0
        while (target := await self._target(post.post_id)).status not in SETTLED and waited_s < GIVEN_UP_S:
            claim = await self._clockwork.due(self._caller.workspace_id)
            if claim is None:
                waited_s += await self._clockwork.pass_until_due(self._caller.workspace_id)
                continue
            try:
                await process.app.engine.deliver(claim)
            except LeaseLostError:
                plan.met.append(TOO_SLOW)  # as with any worker that is overtaken, whoever is next goes on
            except EndedError:
                await process.close()
                process, processes = Process(self._world, self._transport, plan), processes + 1
        await process.close()
        code = target.error.code if target.error is not None else ""
        return Ending(
            self._platform,
            seed,
            sample.name,
            wanted.text or self._name,
            plan,
            target.status.value,
            code,
            waited_s,
            processes,
        )

    async def _target(self, post_id: str) -> Target:
        post = await self._world.posts.get(self._caller, post_id)
        assert post is not None
        return post.targets[0]

    def _account(self) -> AccountInput:
        """Credentials of every shape there is; a sandbox takes those it reads."""
        secret = f"sandbox-{self._name}"
        credentials = {"access_token": secret, "identifier": f"{self._name}.test", "password": secret}
        return AccountInput(platform=self._platform, display_name="", credentials=credentials, service_url=None)


def planned(rng: random.Random, steps: dict[str, int]) -> Plan:
    """One fault somewhere among a good run's steps, sometimes two; the second one may lie where the first one leads."""
    faults: list[Fault] = []
    for _ in range(2 if rng.random() < SECOND_FAULT else 1):
        kind = rng.choices([REQUEST, WRITE, POINT], weights=[6, 3, 1])[0]
        reach = steps[kind] + (2 if faults else 0)
        faults.append(Fault(kind, rng.randrange(max(reach, 1)), rng.choice(MODES[kind])))
    return Plan(faults)
