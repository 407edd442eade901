"""HTTP/2 as nobody should speak it: Envoy ends the connection, keeps its memory, and goes on serving others.

The gateway behind it takes every connection and answers nothing, so that each request lasts.
"""

import itertools
import json
import socket
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import hpack
import httpx
import pytest
from hyperframe import frame as frames

from deploy.local.envoy import Envoy
from deploy.local.ports import HOST, Ports
from deploy.local.s3 import S3
from deploy.local.state import State
from tests.integration.http2 import Peer, peer

MIB = 1 << 20
# Of all floods together: one head of the bomb, decoded, would be 64 MiB.
MOST_GROWTH = 48 * MIB
MAX_STREAMS = 100
POST = [(b":method", b"POST"), (b":scheme", b"http"), (b":authority", b"x"), (b":path", b"/v1/media")]


@dataclass(frozen=True, slots=True)
class Edge:
    """Envoy, and how it fares."""

    envoy: Envoy
    port: int
    admin_port: int

    @property
    def resident_bytes(self) -> int:
        status = Path(f"/proc/{self.envoy.pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) * 1024

    def active_streams(self) -> int:
        answer = httpx.get(f"http://{HOST}:{self.admin_port}/stats", params={"format": "json"}, trust_env=False)
        rows = {row["name"]: row.get("value") for row in json.loads(answer.text)["stats"] if "name" in row}
        return int(rows["http.edge.downstream_rq_active"])


@pytest.fixture(scope="module")
def edge(s3: S3, local_state: State) -> Iterator[Edge]:
    with socket.create_server((HOST, 0), backlog=4096) as silent:
        ports = replace(Ports.free(), s3=int(s3.endpoint.rpartition(":")[2]), gateway_http=silent.getsockname()[1])
        envoy = Envoy(local_state, ports=ports, credentials=s3.credentials("cdn"))
        try:
            envoy.start()
            yield Edge(envoy, ports.edge, ports.envoy_admin)
        finally:
            envoy.stop()


def post(speaker: Peer, stream_id: int) -> frames.HeadersFrame:
    """A request that goes on."""
    return speaker.head(stream_id, POST)


def rapid_reset(speaker: Peer) -> None:
    """Requests by the thousand, each taken back at once."""
    for stream_id in range(1, 80_000, 2):
        speaker.send(post(speaker, stream_id), frames.RstStreamFrame(stream_id, error_code=8))
        if speaker.ended:
            return


def continuations(speaker: Peer) -> None:
    """A head that never ends."""
    literal = b"\x00\x04junk\x7f" + b"\x81\x7e" + b"x" * 16_256  # Kept by no table.
    speaker.send(frames.HeadersFrame(1, literal[:100], flags=["END_STREAM"]))
    for _ in range(4000):
        speaker.send(frames.ContinuationFrame(1, literal))
        if speaker.ended:
            return


def empty_continuations(speaker: Peer) -> None:
    """The same, of nothing."""
    speaker.send(frames.HeadersFrame(1, b"", flags=["END_STREAM"]))
    for _ in range(400):
        speaker.send(*[frames.ContinuationFrame(1, b"")] * 100)
        if speaker.ended:
            return


def pings_unread(speaker: Peer) -> None:
    """Questions whose answers nobody takes."""
    for n in itertools.count():
        speaker.send(*[frames.PingFrame(0, n.to_bytes(8, "big"))] * 1000)
        if speaker.ended or n > 2000:
            return


def settings_unread(speaker: Peer) -> None:
    """The same with settings."""
    for n in itertools.count():
        speaker.send(*[frames.SettingsFrame(0, settings={4: 65_535})] * 1000)
        if speaker.ended or n > 2000:
            return


FLOODS: tuple[Callable[[Peer], None], ...] = (
    rapid_reset,
    continuations,
    empty_continuations,
    pings_unread,
    settings_unread,
)


@pytest.fixture(scope="module")
def resting_bytes(edge: Edge) -> int:
    """Before any flood, its buffers warm."""
    assert httpx.get(f"http://{HOST}:{edge.port}/cdn/", trust_env=False).status_code == 404
    return edge.resident_bytes


@pytest.mark.parametrize("flood", [pytest.param(flood, id=f"P9-{flood.__name__}") for flood in FLOODS])
def test_a_flood_ends_its_own_connection_and_nothing_else(
    edge: Edge, resting_bytes: int, flood: Callable[[Peer], None]
) -> None:
    with peer(edge.port) as speaker:
        flood(speaker)
        speaker.receive(5)
        assert speaker.ended
        assert speaker.sent_bytes < 64 * MIB
    assert edge.resident_bytes - resting_bytes < MOST_GROWTH
    assert httpx.get(f"http://{HOST}:{edge.port}/cdn/", trust_env=False).status_code == 404


@pytest.mark.parametrize("count", [pytest.param(100, id="P9-header-bomb")])
def test_a_head_that_unfolds_to_megabytes_is_reset(edge: Edge, resting_bytes: int, count: int) -> None:
    """One long field is put in the table and named 16,000 times: 16 KB sent, 64 MB meant."""
    field = b"\x40\x01a\x7f\xa1\x1e" + b"y" * 4000
    block = hpack.Encoder().encode(POST) + field + b"\xbe" * 16_000
    streams = range(1, 2 * count, 2)
    with peer(edge.port) as speaker:
        for stream_id in streams:
            speaker.send(frames.HeadersFrame(stream_id, block[:16_000], flags=["END_STREAM"]))
            speaker.send(frames.ContinuationFrame(stream_id, block[16_000:], flags=("END_HEADERS",)))
        got = speaker.receive(3)
    assert {stream_id for kind, stream_id, _ in got if kind == frames.RstStreamFrame.type} == set(streams)
    assert edge.resident_bytes - resting_bytes < MOST_GROWTH


@pytest.mark.parametrize("count", [pytest.param(1000, id="P9-streams")])
def test_of_many_requests_at_once_only_so_many_get_in(edge: Edge, resting_bytes: int, count: int) -> None:
    with peer(edge.port) as speaker:
        for stream_id in range(1, 2 * count, 2):
            speaker.send(post(speaker, stream_id))
        got = speaker.receive(3)
        assert edge.active_streams() <= MAX_STREAMS
        limits = [body for kind, _, body in got if kind == frames.SettingsFrame.type and body]
        pairs = [struct.unpack("!HI", body[at : at + 6]) for body in limits for at in range(0, len(body), 6)]
        assert (frames.SettingsFrame.MAX_CONCURRENT_STREAMS, MAX_STREAMS) in pairs
    ends = time.monotonic() + 10
    while edge.active_streams() > 1:
        assert time.monotonic() < ends
        time.sleep(0.1)
    assert edge.resident_bytes - resting_bytes < MOST_GROWTH
