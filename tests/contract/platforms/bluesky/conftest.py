"""The real PDS and the sandbox, for tests that must end the same on both."""

import asyncio
import json
import os
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from services.publisher.adapters.http import connect
from tests.contract.platforms.bluesky.place import Place
from tests.contract.platforms.bluesky.relay import relay
from tests.contract.platforms.playing import Sandboxes

PDS = Path(__file__).parents[3] / "pds"
STARTS_WITHIN_S = 60.0
STOPS_WITHIN_S = 20.0


@pytest.fixture(scope="session", params=["sandbox", "pds"])
async def place(request: pytest.FixtureRequest, sandboxes: Sandboxes) -> AsyncIterator[Place]:
    """Each of the two in turn."""
    if request.param == "sandbox":
        played = f"{sandboxes.url}/bluesky"
        async with _place(played, {"handle": "alice.test", "password": "sandbox-alice"}, is_real=False) as made:
            yield made
    else:
        async with _pds() as told, _place(told["url"], told, is_real=True) as made:
            yield made


@asynccontextmanager
async def _place(server: str, told: Mapping[str, str], *, is_real: bool) -> AsyncIterator[Place]:
    parts = urlsplit(server)
    assert parts.port is not None
    async with relay(parts.port) as (origin, wire), connect(trusted=[origin, server]) as http:
        yield Place(
            is_real=is_real,
            url=origin + parts.path,
            direct_url=server,
            relay=wire,
            http=http,
            identifier=told["handle"],
            password=told["password"],
        )


@asynccontextmanager
async def _pds() -> AsyncIterator[Mapping[str, str]]:
    if not (PDS / "node_modules").is_dir():
        raise FileNotFoundError(f"{PDS} has no packages; `make setup-tests` installs them")
    env = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    node = await asyncio.create_subprocess_exec("node", "start.mjs", cwd=PDS, env=env, stdin=PIPE, stdout=PIPE)
    assert node.stdin is not None
    assert node.stdout is not None
    try:
        async with asyncio.timeout(STARTS_WITHIN_S):
            line = await node.stdout.readline()
        assert line, "the PDS did not start; its words are above"
        yield json.loads(line)
    finally:
        node.stdin.close()  # which it takes as the word to stop
        try:
            async with asyncio.timeout(STOPS_WITHIN_S):
                await node.wait()
        except TimeoutError:
            node.kill()
            await node.wait()
