"""Streams on three servers of NATS: what was told survives the loss of one, and events go on without it."""

import asyncio
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from deploy.local.daemon import Daemon
from deploy.local.nats import Nats, find_program, http_status
from deploy.local.ports import HOST, Ports
from deploy.local.state import State
from services.common import events
from services.common.errors import MediaError
from services.common.events import STREAM, Bus

SUBJECT = "media.v1.media_sealed"
PATIENCE_S = 60.0
SAID = "stream not as it was asked for"


class Member(Daemon):
    """One server of a cluster."""

    def __init__(self, state: State, ports: Ports, routes: Sequence[str]) -> None:
        super().__init__(state)
        self.name = f"nats-{ports.nats}"
        self.ports = ports
        self._routes = routes

    def argv(self) -> list[str]:
        told = {
            "--server_name": self.name,
            "--addr": HOST,
            "--port": self.ports.nats,
            "--http_port": self.ports.nats_monitor,
            "--store_dir": self.state.folder(self.name),
            "--cluster_name": "three",
            "--cluster": f"nats://{HOST}:{self.ports.publisher}",
            "--routes": ",".join(self._routes),
        }
        return [find_program("nats-server"), "--jetstream", *(str(word) for pair in told.items() for word in pair)]

    def answers(self) -> bool:
        return http_status(f"http://{HOST}:{self.ports.nats_monitor}/healthz") == 200


@pytest.fixture
def three() -> Iterator[Sequence[Member]]:
    """A cluster, without users."""
    ports = [Ports.free() for _ in range(3)]
    routes = [f"nats://{HOST}:{one.publisher}" for one in ports]
    with tempfile.TemporaryDirectory(prefix="lmp-", ignore_cleanup_errors=True) as folder:
        members = [Member(State(Path(folder)), one, routes) for one in ports]
        try:
            with ThreadPoolExecutor(len(members)) as pool:
                list(pool.map(Member.start, members))
            yield members
        finally:
            for one in members:
                one.kill()


async def told(bus: Bus, message_id: str) -> None:
    """Tried again until it is stored, as a relay does."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                return await bus.publish(SUBJECT, b"", message_id=message_id)
            except MediaError:
                await asyncio.sleep(0.2)


async def test_one_of_three_servers_is_lost_and_nothing_that_was_told(
    three: Sequence[Member], caplog: pytest.LogCaptureFixture
) -> None:
    async with events.connect(f"nats://{HOST}:{three[0].ports.nats}", replicas=3) as bus:
        await told(bus, "evt_1")
        found = await bus.jetstream.stream_info(STREAM)
        assert found.config.num_replicas == 3
        assert found.cluster is not None
        # The one that leads, and so the worst to lose.
        [leader] = [one for one in three if one.name == found.cluster.leader]
        left = next(one for one in three if one is not leader)
        await asyncio.to_thread(leader.kill)
        await told(bus, "evt_2")
        # Once each: the first is known to the servers that are left.
        await told(bus, "evt_1")
        assert (await bus.jetstream.stream_info(STREAM)).state.messages == 2
        # Who asks for another number gets what is there.
        caplog.clear()
        async with events.connect(f"nats://{HOST}:{left.ports.nats}", replicas=1) as other:
            await other.publish(SUBJECT, b"", message_id="evt_3")
            assert (await other.jetstream.stream_info(STREAM)).config.num_replicas == 3
    assert SAID in caplog.messages


async def test_a_server_by_itself_keeps_one_and_says_so(nats: Nats, caplog: pytest.LogCaptureFixture) -> None:
    await asyncio.to_thread(nats.delete_streams)
    async with events.connect(nats.url("ingest"), replicas=3) as bus:
        await bus.publish(SUBJECT, b"", message_id="evt_1")
        assert (await bus.jetstream.stream_info(STREAM)).config.num_replicas == 1
    assert SAID in caplog.messages
