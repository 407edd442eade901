"""Every platform's sandbox on a free port, and the publisher's own HTTP client to reach them."""

from collections.abc import AsyncIterator

import pytest

from tests.contract.platforms.playing import Played, Sandboxes, serving


@pytest.fixture(scope="session")
async def sandboxes(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Sandboxes]:
    """All platforms, over real HTTP."""
    async with serving(tmp_path_factory.mktemp("sandbox")) as running:
        yield running


@pytest.fixture
async def pinterest(sandboxes: Sandboxes) -> AsyncIterator[Played]:
    """Pinterest; no fault outlives its test."""
    played = sandboxes.platform("pinterest")
    yield played
    await sandboxes.http.delete(f"{played.url}/_sandbox/faults")


@pytest.fixture
async def x(sandboxes: Sandboxes) -> AsyncIterator[Played]:
    """X; no fault outlives its test."""
    played = sandboxes.platform("x")
    yield played
    await sandboxes.http.delete(f"{played.url}/_sandbox/faults")
