"""Connections between stages end now and then, so that replicas that were added are called too; calls do not notice."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as grpc_health

from deploy.local.ports import HOST
from services.common import rpc
from services.gateway import download, events, upload
from services.gateway.uploads.sessions import CONCAT_S
from services.gateway.web.headers import MAX_WAIT_S

AGE_S = 0.3
CALLERS = 4
# Of a stream that began before the first connection's end, several ages long.
MESSAGES, EVERY_S = 12, 0.1
WITHIN_S = 30.0
ESTABLISHED = "01"  # a socket's state in /proc/net/tcp


async def replica(closing: AsyncExitStack, name: str, port: int = 0) -> int:
    """One that answers with its name. Where it listens: the kernel spreads connections over all that share a port."""

    async def who(_: bytes, __: Any) -> bytes:
        return name.encode()

    async def watch(_: bytes, __: Any) -> AsyncIterator[bytes]:
        for _n in range(MESSAGES):
            yield name.encode()
            await asyncio.sleep(EVERY_S)

    methods: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {
        "Who": grpc.unary_unary_rpc_method_handler(who),
        "Watch": grpc.unary_stream_rpc_method_handler(watch),
    }
    server = rpc.server(age_s=AGE_S)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("mediaapi.v1.TestService", methods),))
    health = grpc_health.HealthServicer()
    await health.set(rpc.CALLS, health_pb2.HealthCheckResponse.SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    port = server.add_insecure_port(f"{HOST}:{port}")
    await server.start()
    closing.push_async_callback(server.stop, None)
    return port


def connections(port: int) -> int:
    """Those that are open to it."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(row[1].endswith(f":{port:04X}") and row[3] == ESTABLISHED for row in rows)


@pytest.mark.parametrize("target", ["{host}:{port}", "ipv4:{host}:{port}"], ids=["one", "balanced"])
async def test_a_replica_that_was_added_is_called_and_no_call_fails(target: str) -> None:
    answered: Counter[bytes] = Counter()
    async with AsyncExitStack() as closing:
        port = await replica(closing, "first")
        channel = await closing.enter_async_context(rpc.channel(target.format(host=HOST, port=port)))
        ask: Any = channel.unary_unary("/mediaapi.v1.TestService/Who")
        watch: Any = channel.unary_stream("/mediaapi.v1.TestService/Watch")

        async def keep_asking() -> None:
            while not answered[b"second"]:
                answered[await ask(b"")] += 1

        async def keep_watching() -> list[bytes]:
            return [message async for message in watch(b"")]

        watching = asyncio.create_task(keep_watching())
        await ask(b"")
        await replica(closing, "second", port)
        async with asyncio.timeout(WITHIN_S):
            await asyncio.gather(*(keep_asking() for _ in range(CALLERS)))
            assert await watching == [b"first"] * MESSAGES
            # What is done with is let go of: the stream by which the client learns of a replica's health is no reason.
            while connections(port) > 1:
                await ask(b"")
    assert answered[b"first"]


def test_whoever_calls_gives_up_before_a_connection_that_is_to_end_does() -> None:
    longest = max(upload.DEADLINE_S + MAX_WAIT_S, download.DEADLINE_S, events.LONGEST_S, CONCAT_S)
    assert longest < rpc.CONNECTION_GRACE_S
