"""The whole service, and clients of it."""

import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path

import pytest
from playwright.async_api import Browser

from deploy.local.ports import Ports
from deploy.local.stack import Stack
from deploy.local.state import State
from tests.e2e.browser import chromium
from tests.e2e.client import Client
from tests.e2e.shelf import Shelf, serving_files
from tests.e2e.tenants import Tenancy
from tests.hostile.attacker import Attacker
from tests.pds import process
from tests.receiver import Receiver, receiving_apart

TIGHT_PLANS = """
[quota]
free = { media = 4, bytes = 1_000_000, uploads = 2 }
business = { media = 1_000_000, bytes = 5_000_000_000_000, uploads = 1_000 }
[rates.free]
reads = { requests = 40, window_s = 240 }
writes = { requests = 40, window_s = 240 }
pieces = { requests = 40, window_s = 240 }
[rates.business]
reads = { requests = 30_000, window_s = 60 }
writes = { requests = 30_000, window_s = 60 }
pieces = { requests = 30_000, window_s = 60 }
"""


@pytest.fixture(scope="session")
def pds() -> Iterator[Mapping[str, str]]:
    """The real Bluesky PDS, with one account: its `url`, `handle`, `password`, `did`."""
    with process.running() as found:
        yield found


@pytest.fixture(scope="session")
def receiver() -> Iterator[Receiver]:
    """A customer's server, where webhooks go."""
    with receiving_apart() as found:
        yield found


@pytest.fixture(scope="session")
def shelf() -> Iterator[Shelf]:
    """A web server that imports come from."""
    with serving_files() as found:
        yield found


@pytest.fixture(scope="session")
def stack(pds: Mapping[str, str], receiver: Receiver, shelf: Shelf) -> Iterator[Stack]:
    """Everything on free ports, started once. Where it cannot start, the tests that need it fail."""
    with (
        tempfile.TemporaryDirectory(prefix="lmp-", ignore_cleanup_errors=True) as folder,
        Stack(
            State(Path(folder)),
            ports=Ports.free(),
            tell=print,
            trusted_origins=(pds["url"],),
            webhook_origins=(receiver.url,),
            import_origins=(shelf.url,),
        ) as running,
    ):
        yield running


@pytest.fixture(scope="session")
def tight() -> Iterator[Stack]:
    """Another, with little patience for slow clients, and a free plan that includes next to nothing."""
    with tempfile.TemporaryDirectory(prefix="lmp-", ignore_cleanup_errors=True) as folder:
        plans = Path(folder) / "plans.toml"
        plans.write_text(TIGHT_PLANS)
        tuned: dict[str, dict[str, object]] = {
            "gateway": {"gap_s": 3, "pace_window_s": 5, "plans_file": plans},
            "ingest": {"plans_file": plans},
        }
        with Stack(State(Path(folder)), ports=Ports.free(), tell=print, tuned=tuned) as running:
            yield running


@pytest.fixture(scope="session")
def client(stack: Stack) -> Iterator[Client]:
    """With the key that `make run` prints, hence with its accounts."""
    found = Client(stack.url, stack.api_key)
    yield found
    found.close()


@pytest.fixture
def tenancy(stack: Stack) -> Iterator[Tenancy]:
    """A workspace of its own, empty but for a sandbox account on every platform."""
    found = Tenancy(stack)
    yield found
    found.client.close()


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Chromium; each test opens a context of its own in it."""
    async with chromium() as running:
        yield running


@pytest.fixture(scope="session")
def attacker(stack: Stack) -> Iterator[Attacker]:
    """A workspace of its own, to send anything to; its answers are held against the API reference."""
    found = Attacker(Tenancy(stack).client)
    yield found
    found.client.close()
