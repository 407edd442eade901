"""Two of each stage: restarted in turn, nobody notices; one of them killed or cut off, nothing is lost."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from deploy.local.nats import Nats, http_status
from deploy.local.ports import HOST, Ports
from deploy.local.postgres import Postgres
from deploy.local.stack import Stack
from deploy.local.stages import STAGES, WITH_TABLES
from deploy.local.state import State
from tests.e2e.busy import Seen, busy
from tests.e2e.client import eventually
from tests.e2e.line import Line, line

REPLICAS = 2
CLIENTS = 5
ALL = [(stage, f"{stage}-1") for stage in STAGES]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two of each stage behind one Envoy; the second of each has a line to each store, which can fall silent."""

    stack: Stack
    lines: Sequence[Line]


@pytest.fixture(scope="module")
async def pair() -> AsyncIterator[Pair]:
    """Started once."""
    ports = Ports.free()
    with tempfile.TemporaryDirectory(prefix="lmp-", ignore_cleanup_errors=True) as folder:
        state = State(Path(folder))
        async with line(ports.postgres) as postgres, line(ports.nats) as nats:
            tuned = {f"{stage}-1": by_line(state, stage, postgres, nats) for stage in WITH_TABLES}
            stack = Stack(state, ports=ports, tell=print, replicas=REPLICAS, tuned=tuned)
            try:
                await asyncio.to_thread(stack.start)
                yield Pair(stack, (postgres, nats))
            finally:
                await asyncio.to_thread(stack.stop)


def by_line(state: State, stage: str, postgres: Line, nats: Line) -> dict[str, object]:
    """Where its stores are, by their lines."""
    password = state.secret(f"postgres-{stage}")
    database = Postgres(state, port=postgres.port).url(user=f"mediaapi_{stage}", password=password)
    found: dict[str, object] = {"database_url_file": state.write_secret(f"{stage}.database_by_line", database)}
    if stage != "gateway":
        bus = Nats(state, port=nats.port, monitor_port=0).url(stage)
        found["nats_url_file"] = state.write_secret(f"{stage}.nats_by_line", bus)
    return found


@pytest.mark.timeout(300)
async def test_all_restarted_one_of_each_at_a_time_and_nobody_notices(pair: Pair) -> None:
    def restarted() -> Seen:
        with busy(pair.stack) as seen:
            for names in zip(*ALL, strict=True):
                with ThreadPoolExecutor(len(names)) as pool:
                    list(pool.map(restart, names))
        return seen

    def restart(name: str) -> None:
        pair.stack.stop_daemon(name)
        pair.stack.start_daemon(name)

    seen = await asyncio.to_thread(restarted)
    # Of calls that were being answered just then, a client may have to repeat one or the other.
    assert len(seen.refused) <= len(STAGES), "\n".join(seen.refused)
    assert len(seen.media) > len(ALL)
    assert len(seen.in_pieces) > len(ALL)
    assert len(seen.posts) > len(ALL)


@pytest.mark.timeout(300)
async def test_one_of_each_killed_and_nothing_is_lost(pair: Pair) -> None:
    def killed() -> Seen:
        with busy(pair.stack) as seen:
            for stage in STAGES:
                pair.stack.kill(stage)
                pair.stack.wait_ready(stage, within_s=60)
        return seen

    seen = await asyncio.to_thread(killed)
    # What was under way in a process that died may have to be asked again: no more than each client had open.
    assert len(seen.refused) <= CLIENTS * len(STAGES), seen.refused
    assert seen.in_pieces
    assert seen.posts


@pytest.mark.timeout(300)
async def test_one_that_is_cut_off_says_so_and_comes_back(pair: Pair) -> None:
    def silence(silent: bool) -> None:
        for one in pair.lines:
            one.silence(silent)

    def cut_off() -> Seen:
        with busy(pair.stack) as seen:
            silence(True)
            try:
                eventually(lambda: all_say(503), within_s=60)
                before = sum(seen.answers.values())
                eventually(lambda: sum(seen.answers.values()) > before + 20, within_s=60)
            finally:
                silence(False)
            eventually(lambda: all_say(200), within_s=60)
        return seen

    def all_say(status: int) -> bool:
        return all(readiness(pair.stack, stage) == status for stage in WITH_TABLES)

    seen = await asyncio.to_thread(cut_off)
    assert seen.in_pieces
    assert seen.posts


def readiness(stack: Stack, stage: str) -> int:
    """What the second of them says."""
    port = getattr(stack.wiring.replicas[1], f"{stage}_metrics")
    return http_status(f"http://{HOST}:{port}/readyz", timeout_s=10)
