"""Which answers to the one mutation tell what became of it."""

import httpx
import pytest

from services.platforms.calls import once
from services.platforms.ports import OutcomeUnknown


async def answered(status: int) -> httpx.Response:
    """By the platform."""
    return httpx.Response(status)


@pytest.mark.parametrize("status", [200, 201, 204, 206, 400, 401, 409, 429, 499])
async def test_successes_and_refusals_are_read(status: int) -> None:
    assert (await once(answered(status))).status_code == status


@pytest.mark.parametrize("status", [100, 301, 302, 304, 308, 500, 503, 599, 600])
async def test_other_answers_tell_nothing(status: int) -> None:
    with pytest.raises(OutcomeUnknown, match=str(status)):
        await once(answered(status))
