"""Work that ends with its claim, and tasks that are never left behind."""

import asyncio

import pytest

from services.common import tasks
from services.common.claims import ClaimLostError, hold

LEASE_S = 0.03


class Work:
    """Takes its time; notes how it ended."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.ended = ""

    async def run(self) -> str:
        try:
            await asyncio.sleep(self._seconds)
        except asyncio.CancelledError:
            self.ended = "cancelled"
            raise
        self.ended = "done"
        return "made"


async def test_work_is_done_while_its_claim_is_kept() -> None:
    renewals = 0

    async def renew() -> bool:
        nonlocal renewals
        renewals += 1
        return True

    work = Work(5 * LEASE_S)
    assert await hold(work.run(), renew, lease_s=LEASE_S, name="med_1") == "made"
    assert renewals >= 2  # fifteen on a machine that has time


async def test_a_lost_claim_ends_the_work_before_it_is_told() -> None:
    async def renew() -> bool:
        return False

    work = Work(60)
    with pytest.raises(ClaimLostError, match="med_1"):
        await hold(work.run(), renew, lease_s=LEASE_S, name="med_1")
    assert work.ended == "cancelled"


async def test_a_loss_that_is_told_of_is_not_waited_for() -> None:
    async def renew() -> bool:
        raise AssertionError("what may have been given back must not be taken again")

    async def is_lost() -> bool:
        return lost

    lost, changed, work = False, asyncio.Event(), Work(3600)
    holding = asyncio.create_task(hold(work.run(), renew, lease_s=3600, name="med_1", changed=changed, lost=is_lost))
    changed.set()
    while changed.is_set():  # noqa: ASYNC110  it says no more than that it was seen
        await asyncio.sleep(0)
    assert not holding.done()
    lost = True
    changed.set()
    with pytest.raises(ClaimLostError, match="med_1"):
        await holding
    assert work.ended == "cancelled"


async def test_a_renewal_that_fails_ends_the_work_too() -> None:
    async def renew() -> bool:
        raise ValueError("the database is away")

    work = Work(60)
    with pytest.raises(ValueError, match="away"):
        await hold(work.run(), renew, lease_s=LEASE_S, name="med_1")
    assert work.ended == "cancelled"


async def test_who_is_cancelled_takes_the_work_along() -> None:
    async def renew() -> bool:
        return True

    work = Work(60)
    holding = asyncio.create_task(hold(work.run(), renew, lease_s=LEASE_S, name="med_1"))
    await asyncio.sleep(LEASE_S)
    await tasks.end(holding)
    assert (holding.cancelled(), work.ended) == (True, "cancelled")


async def test_the_quick_finish_and_the_slow_are_ended() -> None:
    quick, slow = Work(0.01), Work(60)
    running = {asyncio.create_task(quick.run()), asyncio.create_task(slow.run())}
    await tasks.drain(running, 0.1)
    assert (quick.ended, slow.ended) == ("done", "cancelled")
    assert all(task.done() for task in running)
    await tasks.drain(set(), 0.1)
