"""Events to ten endpoints, four of them trouble: how long those that are well wait, and what is lost."""

import asyncio
import math
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from mediaapi.v1.publisher_service_pb2_grpc import PublisherServiceStub

from bench.harness import Bar, Section, say, table
from deploy.local.clamd import Clamd
from deploy.local.nats import Nats
from deploy.local.ports import HOST, Ports
from deploy.local.postgres import Postgres
from deploy.local.s3 import S3, S3Ports
from deploy.local.stages import Stage, Wiring
from deploy.local.state import State
from deploy.local.tenant import migrate
from services.common import context, db, ids, rpc
from services.common.context import CallContext
from services.publisher.adapters.postgres.posts import SCHEMA
from tests.receiver import receiving_apart
from tests.webhook_load import DEAD, HEALTHY, LATE, Load

if TYPE_CHECKING:
    from mediaapi.v1.publisher_service_pb2_grpc import PublisherServiceAsyncStub

EVENTS = 10_000
PER_S = 20.0  # ten times that many attempts a second, on the cores that also play the customers
CALM, TROUBLE = "beside four more that are well", "beside four that are trouble"
MOST_S = 1.0
MOST_HARM = 1.10
PATIENCE_S = 900.0  # for the slow one, which takes 32 a second, and what flaps


def measure(rounds: int) -> Section:
    """Two runs, whatever `rounds` is: their length is what makes them good."""
    with tempfile.TemporaryDirectory(prefix="lmp-", ignore_cleanup_errors=True) as folder:
        return asyncio.run(_measure(State(Path(folder)), events=EVENTS, per_s=PER_S))


async def _measure(state: State, *, events: int, per_s: float) -> Section:
    rows, worst, lost, came, refused = [], {}, 0, 0, 0
    others = tuple(f"{HEALTHY[0]}/{path.strip('/')}" for path in (*LATE, *DEAD))
    # As many endpoints both times: what they cost is the machine's matter, what trouble costs the others is ours.
    runs = {CALM: ((*HEALTHY, *others), events // 5), TROUBLE: ((*HEALTHY, *LATE, *DEAD), events)}
    for name, (paths, posts) in runs.items():
        async with _loaded(state, paths) as load:
            await load.settle(posts, per_s)
            taking = [path for path in paths if path not in DEAD]
            await load.delivered(taking, within_s=PATIENCE_S)
            lost += sum(len(load.missing(path)) for path in taking)
            came += load.verified.total()
            refused += len(load.refused)
            waits = sorted(wait for path in HEALTHY for wait in load.latencies_s(path))
        worst[name] = _share(waits, 0.99)
        figures = [f"{1000 * _share(waits, share):.0f} ms" for share in (0.5, 0.99, 1.0)]
        rows.append([name, f"{len(paths)}", f"{len(waits):,}", *figures])
        say(f"{name}: {rows[-1]}")
    harm = worst[TROUBLE] / worst[CALM]
    head = ("six that are well", "endpoints", "deliveries", "median", "p99", "longest")
    shown = (
        f"{events:,} posts beside trouble, a fifth as many without, {per_s:g} a second; {came:,} requests came and were"
        " verified with the receivers' library."
    )
    return Section(
        f"{shown}\n\n{table(head, rows)}",
        [
            Bar(f"p99 ≤ {MOST_S:g} s", f"{worst[TROUBLE]:.3f} s", worst[TROUBLE] <= MOST_S),
            Bar("none lost", f"{lost}", lost == 0),
            Bar("every request verifies", f"{refused} do not", refused == 0),
            Bar(f"trouble adds ≤ {MOST_HARM - 1:.0%} to their p99", f"{harm - 1:+.0%}", harm <= MOST_HARM),
        ],
    )


@asynccontextmanager
async def _loaded(state: State, paths: Sequence[str]) -> AsyncIterator[Load]:
    """A publisher on stores of its own, before a customer's server, with an endpoint for each path."""
    ports, workspace_id = Ports.free(), ids.new("ws")
    with receiving_apart() as receiver, ExitStack() as running:
        postgres = Postgres(state, port=ports.postgres)
        nats = Nats(state, port=ports.nats, monitor_port=ports.nats_monitor)
        wiring = Wiring(
            state=state,
            ports=ports,
            postgres=postgres,
            nats=nats,
            s3=S3(state, ports=S3Ports.of(ports)),
            clamd=Clamd(state),
            webhook_origins=(receiver.url,),
        )
        for daemon in (postgres, nats):
            daemon.start()
            running.callback(daemon.stop)
        migrate(wiring.state, wiring.postgres)
        publisher = Stage("publisher", wiring)
        publisher.start()
        running.callback(publisher.stop)
        async with (
            db.connect(wiring.database_url("publisher"), schema=SCHEMA) as database,
            rpc.channel(f"{HOST}:{ports.publisher}") as channel,
        ):
            stub: PublisherServiceAsyncStub = PublisherServiceStub(channel)
            load = Load(receiver, database, workspace_id)
            with context.use(CallContext(workspace_id, "req_1")):
                await load.register(stub, paths)
            yield load


def _share(waits: Sequence[float], share: float) -> float:
    """The shortest wait that so many are not above. waits: shortest first."""
    return waits[max(0, math.ceil(share * len(waits)) - 1)]
