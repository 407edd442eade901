"""R2: however a customer's server answers, an attempt ends in time, takes little, and goes nowhere else."""

import asyncio
from collections.abc import Sequence

import pytest

from services.common import guarded_http
from services.publisher.adapters.webhooks.http import REST_MAX_S, HttpSender
from services.publisher.domain.webhooks.delivery import Fault, Outcome
from tests.integration.publisher.webhooks.conftest import Hooks

WITHIN_S = 2.5

CASES = {
    "/ok": Outcome(204, None),
    "/down": Outcome(500, Fault.REFUSED),
    "/gone": Outcome(410, Fault.REFUSED),
    "/busy": Outcome(503, Fault.REFUSED, "3600"),
    "/redirect": Outcome(302, Fault.REDIRECTED),
    "/loop": Outcome(307, Fault.REDIRECTED),
    "/slow": Outcome(204, None),
    "/hang": Outcome(None, Fault.TIMED_OUT),
    "/drip": Outcome(200, None),  # its status is known, and the rest is nobody's concern
    "/endless": Outcome(200, None),
    "/bomb": Outcome(200, None),
    "/headers": Outcome(None, Fault.CONNECTION),
    "/cut": Outcome(None, Fault.CONNECTION),
    "/garbage": Outcome(None, Fault.CONNECTION),
}


@pytest.mark.parametrize("path", CASES)
async def test_r2_an_answer_is_an_outcome(hooks: Hooks, path: str) -> None:
    loop = asyncio.get_running_loop()
    started = loop.time()
    outcome = await hooks.world.sender.post(hooks.receiver.url + path, {}, b"{}", within_s=WITHIN_S)
    assert outcome == CASES[path]
    # Bounds of ours, with room for a busy machine: none of these servers would ever end by itself.
    assert loop.time() - started < WITHIN_S + REST_MAX_S + 5
    assert [request.path for request in hooks.receiver.came] == [path]
    # What was sent is what the sockets' buffers hold, not what the server would have liked to send.
    assert hooks.receiver.sent_bytes < 16_000_000


async def test_r2_a_name_without_an_address_is_a_failed_connection() -> None:
    async def nowhere(host: str, port: int) -> Sequence[str]:
        raise OSError("no such host")

    async with guarded_http.connect(resolve=nowhere) as client:
        outcome = await HttpSender(client).post("https://hooks.example.com/", {}, b"{}", within_s=5)
    assert outcome == Outcome(None, Fault.CONNECTION)


async def test_r2_nothing_a_server_says_is_kept_or_told_to_others(hooks: Hooks) -> None:
    endpoint, _ = await hooks.register("/down")
    await hooks.happen()
    await hooks.attempt()
    found = await hooks.delivery(endpoint)
    assert (found.response_status, found.error) == (500, "answer_refused")
    request = hooks.receiver.came[0]
    assert "cookie" not in request.headers
    assert request.headers["accept-encoding"] == "identity"
