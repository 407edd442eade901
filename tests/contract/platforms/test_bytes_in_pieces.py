"""However large a film is, it passes through memory piece by piece, wherever we send the bytes ourselves."""

import asyncio
import gc
import tracemalloc
from collections.abc import Iterator
from contextlib import suppress
from functools import cache

import pytest

from services.platforms import catalog, registry
from services.platforms.ports import Account, Asset, Draft, Fault, PlatformError, Underway
from tests.contract.platforms import samples
from tests.contract.platforms.playing import POLL_S, Played, Sandboxes
from tests.contract.platforms.samples import Reading, Steps, asset, draft

FILM_BYTES = 64_000_000
HELD_BYTES = 24_000_000  # of both sides together: the sandbox is in this process too
READY_S = 60.0
FETCHED = {"instagram", "threads"}  # they come for the file
SENT = sorted(name for name in registry.publishers() if catalog.load()[name].video and name not in FETCHED)


@cache
def film() -> bytes:
    """Made once: of several megabytes, but for its padding."""
    return samples.padded(samples.film(5, 360, 640), FILM_BYTES)


@pytest.fixture
def allocating() -> Iterator[None]:
    """What is allocated from here on is counted."""
    film()
    gc.collect()
    tracemalloc.start()
    yield
    tracemalloc.stop()


@pytest.mark.parametrize("platform", SENT)
async def test_a_film_is_sent_and_never_held(sandboxes: Sandboxes, allocating: None, platform: str) -> None:
    played = sandboxes.platform(platform)
    secret = "sandbox-in-pieces"
    account = await played.connected("in-pieces", identifier="pieces.test", password=secret, access_token=secret)
    wanted = draft("A long one.", asset(film()), cover=asset(samples.picture(360, 640)))
    tracemalloc.reset_peak()
    before, _ = tracemalloc.get_traced_memory()
    await send(played, account, wanted)
    _, peak = tracemalloc.get_traced_memory()
    assert peak - before <= HELD_BYTES
    assert opened(wanted.assets[0]) >= 1


async def send(played: Played, account: Account, wanted: Draft) -> None:
    """Until the platform has all of it."""
    steps = Steps()
    async with asyncio.timeout(READY_S):
        while True:
            try:
                prepared = await played.publisher.prepare(played.http, account, wanted, steps)
                break
            except PlatformError as exc:
                if exc.fault is not Fault.NOT_READY:
                    raise
            await asyncio.sleep(POLL_S)
        with suppress(Underway):
            handle = played.handle(account, wanted)
            await played.publisher.publish(played.http, account, wanted, prepared, handle)


def opened(film_sent: Asset) -> int:
    """How often its bytes were read."""
    assert isinstance(film_sent.read, Reading)
    return film_sent.read.opened
