"""The real PDS and the sandbox, for tests that must end the same on both."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from services.common.guarded_http import connect
from services.platforms.bluesky import sandbox
from services.platforms.sandboxing.state import SandboxState
from tests.contract.platforms.bluesky.network import PDS, Network
from tests.contract.platforms.bluesky.place import Place
from tests.contract.platforms.bluesky.relay import relay
from tests.contract.platforms.playing import Sandboxes
from tests.pds import process


@pytest.fixture(scope="session", params=["sandbox", "pds"])
async def place(request: pytest.FixtureRequest, sandboxes: Sandboxes) -> AsyncIterator[Place]:
    """Each of the two in turn."""
    if request.param == "sandbox":
        played = f"{sandboxes.url}/bluesky"
        async with _place(played, {"handle": "alice.test", "password": "sandbox-alice"}, is_real=False) as made:
            yield made
    else:
        with process.running() as told:
            async with _place(told["url"], told, is_real=True) as made:
                yield made


@pytest.fixture
async def network(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Network]:
    """A new one of the sandbox alone; parametrized with False, its video service knows no uploads in parts."""
    state = SandboxState.open(tmp_path, PDS)
    made = Network(sandbox.app(state, takes_parts=getattr(request, "param", True)), state)
    async with made.http:
        yield made
    await state.store.close()


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
