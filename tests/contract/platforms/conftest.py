"""Every platform's sandbox on a free port, and the publisher's own HTTP client to reach them."""

from collections.abc import AsyncIterator
from typing import Any

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


def _played(platform: str) -> Any:
    @pytest.fixture(name=platform)
    async def played(sandboxes: Sandboxes) -> AsyncIterator[Played]:
        """The platform; no fault outlives its test."""
        playing = sandboxes.platform(platform)
        yield playing
        await sandboxes.http.delete(f"{playing.url}/_sandbox/faults")

    return played


facebook, instagram, linkedin, pinterest = map(_played, ("facebook", "instagram", "linkedin", "pinterest"))
threads, tiktok, x, youtube = map(_played, ("threads", "tiktok", "x", "youtube"))
