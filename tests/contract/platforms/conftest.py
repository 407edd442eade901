"""Every platform's sandbox on a free port, and the publisher's own HTTP client to reach them."""

from collections.abc import AsyncIterator

import pytest

from tests.contract.platforms.cdn import Cdn
from tests.contract.platforms.cdn import serving as cdn_serving
from tests.contract.platforms.playing import Played, Sandboxes, serving


@pytest.fixture(scope="session")
async def cdn() -> AsyncIterator[Cdn]:
    """Where platforms fetch media from."""
    async with cdn_serving() as running:
        yield running


@pytest.fixture(scope="session")
async def sandboxes(tmp_path_factory: pytest.TempPathFactory, cdn: Cdn) -> AsyncIterator[Sandboxes]:
    """All platforms, over real HTTP."""
    async with serving(tmp_path_factory.mktemp("sandbox"), (cdn.url,)) as running:
        yield running


@pytest.fixture
async def instagram(sandboxes: Sandboxes) -> AsyncIterator[Played]:
    """Instagram; no fault outlives its test."""
    played = sandboxes.platform("instagram")
    yield played
    await sandboxes.http.delete(f"{played.url}/_sandbox/faults")


@pytest.fixture
async def threads(sandboxes: Sandboxes) -> AsyncIterator[Played]:
    """Threads; no fault outlives its test."""
    played = sandboxes.platform("threads")
    yield played
    await sandboxes.http.delete(f"{played.url}/_sandbox/faults")


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


@pytest.fixture
async def youtube(sandboxes: Sandboxes) -> AsyncIterator[Played]:
    """YouTube; no fault outlives its test."""
    played = sandboxes.platform("youtube")
    yield played
    await sandboxes.http.delete(f"{played.url}/_sandbox/faults")


@pytest.fixture
async def tiktok(sandboxes: Sandboxes) -> AsyncIterator[Played]:
    """TikTok; no fault outlives its test."""
    played = sandboxes.platform("tiktok")
    yield played
    await sandboxes.http.delete(f"{played.url}/_sandbox/faults")


@pytest.fixture
async def facebook(sandboxes: Sandboxes) -> AsyncIterator[Played]:
    """Facebook; no fault outlives its test."""
    played = sandboxes.platform("facebook")
    yield played
    await sandboxes.http.delete(f"{played.url}/_sandbox/faults")


@pytest.fixture
async def linkedin(sandboxes: Sandboxes) -> AsyncIterator[Played]:
    """LinkedIn; no fault outlives its test."""
    played = sandboxes.platform("linkedin")
    yield played
    await sandboxes.http.delete(f"{played.url}/_sandbox/faults")
